#include "tandem/lab/provider/fault_stage.h"

#include <mutex>

#include "tandem/base/json.h"

namespace tandem::lab {
namespace {

using server::Responder;

constexpr std::size_t kSlowPieces = 8;
constexpr std::string_view kPlanted = "planted_fault";

/// What a proxy would say; labelled like all that an emulator says.
HttpResponse page(int status) {
  return {.status = status,
          .headers = {{"Content-Type", "text/html"}, {"Tandem-Emulated", "true"}},
          .body = "<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>\n"};
}

/// An answer that leaves in kSlowPieces pieces, each sent by whoever comes next.
struct SlowBody {
  std::mutex mutex;
  std::unique_ptr<server::Stream> stream;
  Bytes body;
  std::size_t sent = 0;

  void send_piece() {
    const std::lock_guard lock(mutex);
    if (sent >= body.size()) return;
    const std::size_t size = (body.size() + kSlowPieces - 1) / kSlowPieces;
    stream->write(std::string_view(body).substr(sent, size));
    sent += size;
    if (sent >= body.size()) stream->close();
  }
};

HttpResponse with_unknown_status(HttpResponse response) {
  auto document = parse_json(response.body, "status");
  if (document && document->contains("status") && (*document)["status"].is_string()) {
    (*document)["status"] = "recalibrating";
    response.body = document->dump();
  }
  return response;
}

}  // namespace

void FaultStage::answer(Operation operation, Do work, std::shared_ptr<Responder> responder) {
  const std::uint64_t number = ++requests_[static_cast<std::size_t>(operation)];
  const Fault* fault = script_.find(operation, number, seed_);
  if (fault == nullptr) return responder->send(work());
  log_.write(LogLevel::kInfo, "lab.fault",
             {{"operation", std::string(to_string(operation))},
              {"number", std::to_string(number)},
              {"action", std::string(to_string(fault->action))}});
  carry_out(*fault, std::move(work), std::move(responder));
}

void FaultStage::carry_out(const Fault& fault, Do work, std::shared_ptr<Responder> responder) {
  switch (fault.action) {
    case FaultAction::kRefuse:
      return responder->send(faces_.problem(409, "refused", "the fault script refuses this submission"));
    case FaultAction::kThrottle: {
      HttpResponse out = faces_.problem(429, "throttled", "too many requests; the fault script says so");
      out.headers.emplace_back("Retry-After", std::to_string((fault.delay.count() + 999) / 1000));
      return responder->send(std::move(out));
    }
    case FaultAction::kThrottleSilently:
      return responder->send(faces_.problem(429, "throttled", "too many requests; the fault script says so"));
    case FaultAction::kDelay:
      return delays_.add(fault.delay, [work, responder] { responder->send(work()); });
    case FaultAction::kError:
      return responder->send(faces_.problem(fault.status, kPlanted, "the fault script says so"));
    case FaultAction::kErrorAfter:
      work();
      return responder->send(faces_.problem(fault.status, kPlanted, "the fault script says so"));
    case FaultAction::kDropRequest:
      return responder->abort();
    case FaultAction::kDropReply:
      work();
      return responder->abort();
    case FaultAction::kAcceptLate:
      responder->abort();
      return delays_.add(fault.delay, [work] { work(); });
    case FaultAction::kErrorHtml:
      return responder->send(page(fault.status));
    case FaultAction::kGarbageHtml:
      work();
      return responder->send(page(200));
    case FaultAction::kGarbageTruncated: {
      HttpResponse out = work();
      out.body.resize(out.body.size() / 2);
      return responder->send(std::move(out));
    }
    case FaultAction::kSlowBody:
      return send_slowly(work(), fault.delay, *responder);
    case FaultAction::kResultMissing:
      return responder->send(faces_.problem(404, "result_missing", "the result is gone; the fault script says so"));
    case FaultAction::kPartialResult:
      return responder->send(faces_.with_half_of_the_shots(work()));
    case FaultAction::kCancelRace:
      return responder->send(faces_.problem(409, "already_ended", "the job ended in the same moment"));
    case FaultAction::kUnknownStatus:
      return responder->send(with_unknown_status(work()));
    case FaultAction::kTwice:
      work();
      return responder->send(work());
    case FaultAction::kCheapEstimate:
      return responder->send(faces_.with_half_of_the_price(work()));
  }
}

void FaultStage::send_slowly(HttpResponse whole, std::chrono::milliseconds over, Responder& responder) {
  const auto slow = std::make_shared<SlowBody>();
  slow->stream = responder.start_stream(whole.status, std::move(whole.headers));
  slow->body = std::move(whole.body);
  for (std::size_t i = 1; i <= kSlowPieces; ++i) {
    delays_.add(over * static_cast<int>(i) / static_cast<int>(kSlowPieces), [slow] { slow->send_piece(); });
  }
}

}  // namespace tandem::lab

#include "tandem/lab/device/device_server.h"

#include <array>
#include <atomic>
#include <functional>
#include <mutex>
#include <optional>

#include "tandem/lab/device/api.h"
#include "tandem/lab/device/delays.h"
#include "tandem/lab/device/device.h"
#include "tandem/net/server/server.h"

namespace tandem::lab {
namespace {

using server::Responder;
using server::ServerRequest;

constexpr std::size_t kSlowPieces = 8;
constexpr std::string_view kPage = "<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>\n";

HttpResponse error_answer(int status) { return problem(status, "planted_fault", "the fault script says so"); }

/// What the server itself refuses never reaches the API.
HttpResponse transport_refusal(const Error& error) {
  return problem(error_record(error.number).http_status, "transport", error.message);
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

class EmulatedDevice final : public DeviceServer {
 public:
  EmulatedDevice(DeviceOptions options, DeviceSeams seams) : options_(std::move(options)), seams_(seams) {}
  ~EmulatedDevice() override {
    delays_.close();
    server_.reset();  // waits for the handlers, which use what stands below
  }

  Result<void> start() {
    TANDEM_TRY_ASSIGN(device_, Device::open(options_, seams_));
    api_.emplace(*device_, options_);
    const server::ServerOptions with{.listen = options_.listen, .body_bytes_max = 16u << 20};
    TANDEM_TRY_ASSIGN(
        server_, server::Server::start(with,
                                       [this](ServerRequest request, std::shared_ptr<Responder> responder) {
                                         handle(std::move(request), std::move(responder));
                                       },
                                       transport_refusal, {seams_.executor, seams_.clock, seams_.log, seams_.meter}));
    return {};
  }

  const std::string& address() const override { return server_->address(); }
  bool drain(Deadline deadline) override { return server_->drain(deadline); }

 private:
  using Do = std::function<HttpResponse()>;

  void handle(ServerRequest request, std::shared_ptr<Responder> responder) {
    auto route = api_->route(request);
    if (auto* refusal = std::get_if<HttpResponse>(&route)) return responder->send(std::move(*refusal));
    const Route where = std::get<Route>(std::move(route));
    const std::uint64_t number = ++requests_[static_cast<std::size_t>(where.operation)];
    const Fault* fault = options_.faults.find(where.operation, number, options_.seed);
    Do work = [this, where, shared = std::make_shared<ServerRequest>(std::move(request))] {
      return api_->handle(where, *shared);
    };
    if (fault == nullptr) return responder->send(work());
    seams_.log.write(LogLevel::kInfo, "lab.fault",
                     {{"operation", std::string(to_string(where.operation))},
                      {"number", std::to_string(number)},
                      {"action", std::string(to_string(fault->action))}});
    carry_out(*fault, std::move(work), std::move(responder));
  }

  void carry_out(const Fault& fault, Do work, std::shared_ptr<Responder> responder) {
    switch (fault.action) {
      case FaultAction::kRefuse:
        return responder->send(problem(409, "refused", "the fault script refuses this submission"));
      case FaultAction::kThrottle: {
        HttpResponse out = problem(429, "throttled", "too many requests; the fault script says so");
        out.headers.emplace_back("Retry-After", std::to_string((fault.delay.count() + 999) / 1000));
        return responder->send(std::move(out));
      }
      case FaultAction::kDelay:
        return delays_.add(fault.delay, [work, responder] { responder->send(work()); });
      case FaultAction::kError:
        return responder->send(error_answer(fault.status));
      case FaultAction::kErrorAfter:
        work();
        return responder->send(error_answer(fault.status));
      case FaultAction::kDropRequest:
        return responder->abort();
      case FaultAction::kDropReply:
        work();
        return responder->abort();
      case FaultAction::kAcceptLate:
        responder->abort();
        return delays_.add(fault.delay, [work] { work(); });
      case FaultAction::kGarbageHtml:
        work();
        return responder->send({.status = 200, .headers = {{"Content-Type", "text/html"}}, .body = Bytes(kPage)});
      case FaultAction::kGarbageTruncated: {
        HttpResponse out = work();
        out.body.resize(out.body.size() / 2);
        return responder->send(std::move(out));
      }
      case FaultAction::kSlowBody:
        return send_slowly(work(), fault.delay, *responder);
      case FaultAction::kResultMissing:
        return responder->send(problem(404, "result_missing", "the result is gone; the fault script says so"));
      case FaultAction::kPartialResult:
        return responder->send(with_half_of_the_shots(work()));
      case FaultAction::kCancelRace:
        return responder->send(problem(409, "already_ended", "the job ended in the same moment"));
      case FaultAction::kUnknownStatus:
        return responder->send(with_unknown_status(work()));
    }
  }

  void send_slowly(HttpResponse whole, std::chrono::milliseconds over, Responder& responder) {
    const auto slow = std::make_shared<SlowBody>();
    slow->stream = responder.start_stream(whole.status, std::move(whole.headers));
    slow->body = std::move(whole.body);
    for (std::size_t i = 1; i <= kSlowPieces; ++i) {
      delays_.add(over * static_cast<int>(i) / static_cast<int>(kSlowPieces), [slow] { slow->send_piece(); });
    }
  }

  static HttpResponse with_half_of_the_shots(HttpResponse response) {
    auto document = parse_json(response.body, "result");
    if (!document || !document->contains("pubs")) return response;
    for (Json& pub : (*document)["pubs"])
      for (Json& binding : pub["bindings"]) {
        if (!binding.contains("counts")) continue;
        Json rest = Json::object();
        for (const auto& [outcome, count] : binding["counts"].items()) {
          const auto all = count.get<std::uint64_t>();
          if (all - all / 2 > 0) rest[outcome] = all - all / 2;
        }
        binding["counts"] = std::move(rest);
      }
    response.body = document->dump();
    return response;
  }

  static HttpResponse with_unknown_status(HttpResponse response) {
    auto document = parse_json(response.body, "status");
    if (document && document->contains("status") && (*document)["status"].is_string()) {
      (*document)["status"] = "recalibrating";
      response.body = document->dump();
    }
    return response;
  }

  DeviceOptions options_;
  DeviceSeams seams_;
  std::unique_ptr<Device> device_;
  std::optional<Api> api_;
  std::array<std::atomic<std::uint64_t>, kNumOperations> requests_{};
  Delays delays_{seams_.executor};
  std::unique_ptr<server::Server> server_;
};

}  // namespace

Result<std::unique_ptr<DeviceServer>> DeviceServer::start(DeviceOptions options, DeviceSeams seams) {
  auto out = std::make_unique<EmulatedDevice>(std::move(options), seams);
  TANDEM_TRY(out->start());
  return std::unique_ptr<DeviceServer>(std::move(out));
}

}  // namespace tandem::lab

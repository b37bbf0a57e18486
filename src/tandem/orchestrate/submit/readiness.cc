#include "tandem/orchestrate/submit/readiness.h"

#include <algorithm>
#include <cmath>

namespace tandem::submit {
namespace {

constexpr std::chrono::milliseconds kReadyInMax = std::chrono::hours(24 * 365);  ///< whatever a provider says

/// Where who does not answer is waited for, an error that may pass is a reason to wait. Empty: it is an error.
std::optional<NotReady> waits_for(const SubmissionRequest& request, const Error& error) {
  if (!request.awaits_answers || !backend::may_pass(backend::class_of(error))) return std::nullopt;
  return NotReady{.why = nothing_sent(error)};
}

}  // namespace

Error nothing_sent(const Error& error) { return make_error(error.number, "{}; nothing was sent", error.message); }

Result<std::optional<NotReady>> why_not_ready(const SubmissionRequest& request, const Clock& clock,
                                              const std::stop_token& stop) {
  const std::string& name = request.backend.info().id.value;
  if (const auto held = request.backend.held_back())
    return NotReady{.why = nothing_sent(held->error),
                    .ready_in = held->retry_after.value_or(std::chrono::milliseconds(0))};
  const backend::CallContext call{.stop = stop, .deadline = request.deadline};
  const auto said = request.backend.availability(call);
  if (!said) {
    if (auto silent = waits_for(request, said.error())) return silent;
  } else {
    const double wait = said->ready_in_ms.value_or(0);
    if (!said->operational || !said->accepts_work) {
      const double known = std::clamp(wait, 0.0, static_cast<double>(kReadyInMax.count()));
      return NotReady{.why = make_error(errors::kBackendUnavailable, "{} takes no work now ({}); nothing was sent",
                                        name, said->detail.empty() ? "no reason given" : said->detail),
                      .ready_in = std::chrono::milliseconds(std::llround(known))};
    }
    if (request.queue_wait_max && wait > static_cast<double>(request.queue_wait_max->count())) {
      return fail(errors::kQueueWaitPredicted, "{} states a wait of {:.0f} ms, the plan allows {} ms; nothing was sent",
                  name, wait, request.queue_wait_max->count());
    }
  }
  if (!request.calibration_age_max) return std::nullopt;
  const auto calibration = request.backend.calibration(call);
  const auto unknown = [&](std::string_view why) {
    return NotReady{.why = make_error(errors::kCalibrationStale,
                                      "the age of the calibration of {} could not be learnt ({}); nothing was sent",
                                      name, why)};
  };
  if (!calibration) {
    if (calibration.error().number == errors::kCancelled) return tl::unexpected(calibration.error());
    return unknown(calibration.error().message);
  }
  if (!*calibration) {  // as a simulator
    return request.backend.info().tier == job::Tier::kQpu ? std::optional(unknown("it names none")) : std::nullopt;
  }
  const std::int64_t age_ms = (clock.now().micros - (*calibration)->taken_at.micros) / 1000;
  if (age_ms <= request.calibration_age_max->count()) return std::nullopt;
  return NotReady{
      .why = make_error(errors::kCalibrationStale,
                        "the calibration of {} is of {}, {} ms old, the plan allows {} ms; nothing was sent", name,
                        format_rfc3339((*calibration)->taken_at), age_ms, request.calibration_age_max->count())};
}

Result<Asked> ask(const SubmissionRequest& request, const Clock& clock, const std::stop_token& stop) {
  Asked out;
  TANDEM_TRY_ASSIGN(out.not_ready, why_not_ready(request, clock, stop));
  if (out.not_ready) return out;
  auto quote = request.backend.quote(request.work, {.stop = stop, .deadline = request.deadline});
  if (quote) {
    out.quote = *std::move(quote);
    return out;
  }
  const bool held_back = quote.error().number == errors::kCircuitOpen;  // since a moment ago
  out.not_ready = held_back ? NotReady{.why = nothing_sent(quote.error())} : waits_for(request, quote.error());
  if (out.not_ready) return out;
  return tl::unexpected(std::move(quote).error());
}

}  // namespace tandem::submit

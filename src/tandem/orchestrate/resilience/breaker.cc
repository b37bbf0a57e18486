#include "tandem/orchestrate/resilience/breaker.h"

#include <algorithm>
#include <utility>

namespace tandem::resilience {
namespace {

using backend::CallContext;

enum class Verb : std::uint8_t {
  kQuote,
  kSubmit,
  kPoll,
  kFetch,
  kCancel,
  kReconcile,
  kAvailability,
  kCalibration,
  kTarget
};
constexpr std::array<std::string_view, 9> kVerbs = {"quote",     "submit",       "poll",        "fetch", "cancel",
                                                    "reconcile", "availability", "calibration", "target"};

class GuardedBackend final : public backend::Backend {
 public:
  GuardedBackend(std::unique_ptr<backend::Backend> inner, const Clock& clock, Log& log, Meter& meter,
                 BreakerOptions options)
      : inner_(std::move(inner)), log_(log), meter_(meter) {
    for (auto& circuit : circuits_) circuit = std::make_unique<Circuit>(clock, options);
  }

  const backend::BackendInfo& info() const override { return inner_->info(); }
  Result<void> validate(const backend::Work& work) const override { return inner_->validate(work); }
  std::optional<backend::SubmitFailure> held_back() override {
    for (const Verb verb : {Verb::kSubmit, Verb::kQuote})
      if (circuit(verb).holds_back()) return refusal(verb);
    return std::nullopt;
  }
  Result<backend::Quote> quote(const backend::Work& work, const CallContext& context) override {
    return call(Verb::kQuote, context, [&] { return inner_->quote(work, context); });
  }
  tl::expected<backend::Handle, backend::SubmitFailure> submit(const backend::Work& work, std::string_view token,
                                                               const CallContext& context) override {
    if (!circuit(Verb::kSubmit).enter()) return tl::unexpected(refuse(Verb::kSubmit));
    auto out = inner_->submit(work, token, context);
    const bool failed = !out && backend::may_pass(backend::class_of(out.error()));
    leave(Verb::kSubmit, failed ? Outcome::kFailed : Outcome::kWorked);
    return out;
  }
  Result<backend::PollStatus> poll(const backend::WorkRef& work, const CallContext& context) override {
    return call(Verb::kPoll, context, [&] { return inner_->poll(work, context); });
  }
  Result<backend::RawResult> fetch(const backend::WorkRef& work, const CallContext& context) override {
    return call(Verb::kFetch, context, [&] { return inner_->fetch(work, context); });
  }
  Result<backend::WorkResult> decode(const backend::RawResult& raw, const backend::Work& work) const override {
    return inner_->decode(raw, work);
  }
  Result<void> cancel(const backend::WorkRef& work, const CallContext& context) override {
    return call(Verb::kCancel, context, [&] { return inner_->cancel(work, context); });
  }
  Result<backend::Reconciled> reconcile(const backend::LostWork& lost, const CallContext& context) override {
    return call(Verb::kReconcile, context, [&] { return inner_->reconcile(lost, context); });
  }
  Result<backend::Availability> availability(const CallContext& context) override {
    return call(Verb::kAvailability, context, [&] { return inner_->availability(context); });
  }
  Result<std::optional<device::Calibration>> calibration(const CallContext& context) override {
    return call(Verb::kCalibration, context, [&] { return inner_->calibration(context); });
  }
  Result<std::optional<device::Target>> target(const CallContext& context) override {
    return call(Verb::kTarget, context, [&] { return inner_->target(context); });
  }
  void forget(const backend::Handle& handle) override { inner_->forget(handle); }

 private:
  Circuit& circuit(Verb verb) { return *circuits_[static_cast<std::size_t>(verb)]; }
  backend::SubmitFailure refuse(Verb verb) {
    meter_.add("tandem_backend_calls_held_back_total", 1, {{"backend", info().id.value}});
    return refusal(verb);
  }
  backend::SubmitFailure refusal(Verb verb) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(circuit(verb).left());
    const std::string next =
        left.count() == 0 ? "a probe is under way" : fmt::format("the next probe is made in {} ms", left.count());
    return {.error = make_error(errors::kCircuitOpen, "{} of {} failed again and again; {}",
                                kVerbs[static_cast<std::size_t>(verb)], info().id.value, next),
            .retry_after = left};
  }
  void leave(Verb verb, Outcome outcome) {
    if (!circuit(verb).leave(outcome)) return;
    log_.write(LogLevel::kWarning, "backend.circuit_open",
               {{"backend", info().id.value}, {"verb", std::string(kVerbs[static_cast<std::size_t>(verb)])}});
  }
  template <typename Call>
  auto call(Verb verb, const CallContext& context, const Call& inner) -> decltype(inner()) {
    if (!circuit(verb).enter()) return tl::unexpected(refuse(verb).error);
    auto out = inner();
    if (out || !backend::may_pass(backend::class_of(out.error())))
      leave(verb, Outcome::kWorked);
    else
      leave(verb, context.stop.stop_requested() ? Outcome::kCutShort : Outcome::kFailed);
    return out;
  }

  std::unique_ptr<backend::Backend> inner_;
  Log& log_;
  Meter& meter_;
  std::array<std::unique_ptr<Circuit>, kVerbs.size()> circuits_;
};

}  // namespace

bool Circuit::enter() {
  const std::lock_guard lock(mutex_);
  if (is_shut()) return false;
  probing_ = open_;
  return true;
}

bool Circuit::holds_back() const {
  const std::lock_guard lock(mutex_);
  return is_shut();
}

bool Circuit::leave(Outcome outcome) {
  const std::lock_guard lock(mutex_);
  if (outcome == Outcome::kCutShort) {
    probing_ = false;
    return false;
  }
  if (outcome == Outcome::kWorked) {
    failures_ = 0;
    open_ = probing_ = false;
    pause_ = std::chrono::milliseconds(0);
    return false;
  }
  if (open_ && !probing_) return false;  // it began before the circuit opened
  if (!open_ && ++failures_ < options_.failures_max) return false;
  const bool opened = !open_;
  open_ = true;
  probing_ = false;
  pause_ = opened ? options_.pause_min : std::min(2 * pause_, options_.pause_max);
  probe_at_ = clock_.monotonic() + pause_;
  return opened;
}

std::chrono::nanoseconds Circuit::left() const {
  const std::lock_guard lock(mutex_);
  return std::max<std::chrono::nanoseconds>(std::chrono::nanoseconds(0), probe_at_ - clock_.monotonic());
}

std::unique_ptr<backend::Backend> guard(std::unique_ptr<backend::Backend> inner, const Clock& clock, Log& log,
                                        Meter& meter, BreakerOptions options) {
  return std::make_unique<GuardedBackend>(std::move(inner), clock, log, meter, options);
}

}  // namespace tandem::resilience

#include "tandem/sim/device.h"

#include <algorithm>
#include <bit>

#include "tandem/base/pause.h"
#include "tandem/middleware/backend/work_codec.h"

namespace tandem::sim {
namespace {

using backend::WorkState;

constexpr Scheduler::Nanos kMilli = 1'000'000;
constexpr std::string_view kResult = "result";

backend::BackendInfo device_info(const Vendor& vendor) {
  return {.id = BackendId(vendor.id()),
          .name = fmt::format("vendor of class {} of the simulation", backend::to_string(vendor.safety)),
          .version = "1",
          .tier = job::Tier::kQpu,
          .access = job::Access::kCloud,
          .emulated = vendor.emulated,
          .metered = true,
          .takes_program = true,
          .safety = vendor.safety,
          .conformance = "L0"};
}

class SimBackend final : public backend::Backend {
 public:
  SimBackend(SimDevice& device, Line line)
      : device_(device), line_(std::move(line)), info_(device_info(device.vendor())) {}

  const backend::BackendInfo& info() const override { return info_; }
  Result<void> validate(const backend::Work& work) const override {
    if (std::holds_alternative<backend::ProgramWork>(work)) return {};
    return fail(errors::kBackendCannot, "only programs");
  }
  Result<backend::Quote> quote(const backend::Work& /*work*/, const backend::CallContext& context) override {
    TANDEM_TRY(ask(context));
    return backend::Quote{.cost = device_.price(), .source = "the simulation"};
  }
  tl::expected<backend::Handle, backend::SubmitFailure> submit(const backend::Work& /*work*/,
                                                               std::string_view token_view,
                                                               const backend::CallContext& context) override {
    const std::string token(token_view);
    auto answer = send(token, context);
    if (resends(line_.options.plant) == info_.safety && !answer && answer.error().ambiguous)
      return send(token, context);
    return answer;
  }
  Result<backend::PollStatus> poll(const backend::WorkRef& work, const backend::CallContext& context) override {
    TANDEM_TRY(ask(context));
    return device_.poll(work);
  }
  Result<backend::RawResult> fetch(const backend::WorkRef& work, const backend::CallContext& context) override {
    TANDEM_TRY(ask(context));
    return device_.fetch(work);
  }
  Result<backend::WorkResult> decode(const backend::RawResult& raw, const backend::Work& /*work*/) const override {
    if (raw.bytes == kResult) return backend::WorkResult(backend::ProgramResult{});
    return fail(errors::kBackendGarbage, "a web page instead of a result");
  }
  Result<void> cancel(const backend::WorkRef& work, const backend::CallContext& context) override {
    TANDEM_TRY(ask(context));
    return device_.cancel(work);
  }
  Result<backend::Reconciled> reconcile(const backend::LostWork& lost, const backend::CallContext& context) override {
    TANDEM_TRY(ask(context));
    const auto handle = device_.find(lost.token);
    if (!handle) return backend::Reconciled{};
    return backend::Reconciled{.kind = backend::Reconciled::Kind::kFound, .handle = *handle};
  }
  Result<backend::Availability> availability(const backend::CallContext& context) override {
    TANDEM_TRY(ask(context));
    if (!device_.closed() && happens(line_.options.window_closed, "window closed"))
      device_.closed_until = line_.scheduler.now() + line_.scheduler.between(1, 1500) * kMilli;
    const bool closed = device_.closed();
    return backend::Availability{.accepts_work = !closed, .detail = closed ? "its window is closed" : ""};
  }
  Result<std::optional<device::Calibration>> calibration(const backend::CallContext& /*context*/) override {
    return std::optional<device::Calibration>();
  }
  Result<std::optional<device::Target>> target(const backend::CallContext& /*context*/) override {
    return std::optional<device::Target>();
  }
  void forget(const backend::Handle& /*handle*/) override {}

 private:
  bool happens(double chance, const char* fault) {
    if (line_.calm() || !line_.scheduler.chance(chance)) return false;
    line_.fault(fault);
    return true;
  }
  /// The way there and back, cut short by the deadline.
  Result<void> ask(const backend::CallContext& context) {
    const Scheduler::Nanos left = context.deadline.at().nanos - 1'000'000'000 - line_.scheduler.now();
    line_.scheduler.sleep(std::clamp<Scheduler::Nanos>(left, 0, travel()));
    if (line_.dead()) return fail(errors::kBackendUnavailable, "this process is dead");
    if (device_.down()) return fail(errors::kBackendUnavailable, "no answer");
    return {};
  }
  Scheduler::Nanos travel() { return line_.scheduler.between(100'000, 3 * kMilli); }

  tl::expected<backend::Handle, backend::SubmitFailure> send(const std::string& token,
                                                             const backend::CallContext& context) {
    const auto unknown = [] {
      return tl::unexpected(
          backend::SubmitFailure{.error = make_error(errors::kConnectionLost, "the line broke"), .ambiguous = true});
    };
    if (!line_.dead()) device_.leaves(token);
    if (auto asked = ask(context); !asked) return tl::unexpected(backend::SubmitFailure{.error = asked.error()});
    if (happens(line_.options.device_refuses, "device refuses"))
      return tl::unexpected(backend::SubmitFailure{.error = make_error(errors::kBackendRefused, "not today")});
    if (happens(line_.options.device_throttles, "device throttles")) {
      const bool says_when = line_.scheduler.chance(0.5);
      return tl::unexpected(backend::SubmitFailure{
          .error = make_error(errors::kBackendRefused, "too many requests"),
          .said = backend::ErrorClass::kThrottled,
          .retry_after =
              says_when ? std::optional(std::chrono::milliseconds(line_.scheduler.between(1, 300))) : std::nullopt});
    }
    if (!line_.calm() && line_.scheduler.now() < device_.loses_until) return unknown();
    if (happens(line_.options.submit_lost, "submission lost")) {
      line_.vendor(info_.safety, "submission lost");
      if (happens(line_.options.submits_lost, "submissions lost for long"))
        device_.loses_until =
            line_.scheduler.now() + line_.scheduler.between(kMilli, 2 * line_.options.settle_window * kMilli);
      return unknown();
    }
    if (happens(line_.options.submit_late, "submission late")) {
      line_.vendor(info_.safety, "submission late");
      const Scheduler::Nanos late = line_.scheduler.between(kMilli, 2 * line_.options.settle_window * kMilli);
      line_.scheduler.after(line_.world, late, [&device = device_, token] { device.accept(token); });
      return unknown();
    }
    const backend::Handle handle = device_.accept(token);
    if (info_.safety == backend::SubmitSafety::kA && happens(line_.options.submit_doubled, "submission doubled"))
      device_.accept(token);
    line_.scheduler.sleep(travel());
    if (line_.dead() || happens(line_.options.submit_reply_lost, "submission's reply lost")) return unknown();
    return handle;
  }

  SimDevice& device_;
  Line line_;
  const backend::BackendInfo info_;
};

class SimTier final : public backend::LocalBackend {
 public:
  SimTier(std::string id, bool solves, const Clock& clock, Executor& executor, Line line)
      : LocalBackend({.id = BackendId(id),
                      .name = id,
                      .version = "1",
                      .tier = job::Tier::kCpu,
                      .takes_solve = solves,
                      .takes_program = !solves,
                      .conformance = "local",
                      .variables_max = solves ? kVariablesMax : 0},
                     clock),
        executor_(executor),
        line_(std::move(line)) {}

  Result<void> validate(const backend::Work& work) const override {
    if (std::holds_alternative<backend::SolveWork>(work) == info().takes_solve) return {};
    return fail(errors::kBackendCannot, "{} does not run such work", info().id.value);
  }
  Result<backend::WorkResult> decode(const backend::RawResult& raw, const backend::Work& work) const override {
    if (!std::holds_alternative<backend::SolveWork>(work)) return backend::WorkResult(backend::ProgramResult{});
    TANDEM_TRY_ASSIGN(backend::SolveResult out, backend::decode_outcome(raw.bytes));
    return backend::WorkResult(std::move(out));
  }

 private:
  static constexpr std::size_t kVariablesMax = 6;

  Result<Bytes> compute(const backend::Work& work, const backend::CallContext& context, std::stop_token stop) override {
    const std::chrono::nanoseconds takes(line_.scheduler.between(100'000, 20 * kMilli));
    if (!pause(executor_, takes, stop)) return fail(errors::kCancelled, "stopped before anything was found");
    if (!line_.calm() && line_.scheduler.chance(line_.options.local_fails)) {
      line_.fault("local work fails");
      return fail(line_.scheduler.chance(0.5) ? errors::kBackendJobFailed : errors::kTooManyOpenFiles,
                  "the simulation wants it to");
    }
    const auto* order = std::get_if<backend::SolveWork>(&work);
    return order == nullptr ? Bytes(kResult) : enumerate(*order, context);
  }

  static Bytes enumerate(const backend::SolveWork& order, const backend::CallContext& context) {
    const solve::Model& model = *order.model;
    const std::size_t n = solve::num_variables(model);
    const std::int8_t low = solve::vartype(model) == problem::Vartype::kSpin ? -1 : 0;
    std::vector<result::Sample> samples;
    for (std::uint32_t bits = 0; bits < (1u << n); ++bits) {
      problem::Assignment values(n);
      for (std::size_t i = 0; i < n; ++i) values[i] = (bits >> i & 1u) != 0 ? std::int8_t{1} : low;
      const double energy = solve::energy(model, values);
      samples.push_back({.values = std::move(values), .energy = energy});
    }
    solve::SolveOutcome out;
    const auto all = result::SampleSet::create(solve::vartype(model), n, std::move(samples));
    const auto best =
        all.samples().first(std::min(all.samples().size(), static_cast<std::size_t>(order.options.candidates_max)));
    out.samples = result::SampleSet::create(solve::vartype(model), n, {best.begin(), best.end()});
    out.proved = true;
    out.work_done = {1u << n};
    out.reason = solve::StopReason::kProved;
    out.unit_name = "assignments";
    if (context.sink) context.sink({.energy = out.samples.best().energy, .units = 1});
    return backend::encode_outcome(out);
  }

  Executor& executor_;
  Line line_;
};

}  // namespace

backend::Handle SimDevice::accept(const std::string& token) {
  if (on_accept) on_accept(token);
  if (const auto known = find(token)) {
    if (vendor_.safety == backend::SubmitSafety::kA) return *known;
    if (on_billed_twice) on_billed_twice(token);
  }
  Entry entry{.token = token, .bill = {scheduler_.between(100, vendor_.price_usd_micros)}};
  entry.accepted_at = scheduler_.now();
  entry.starts_at = scheduler_.now() + scheduler_.between(0, 200 * kMilli);
  entry.ends_at = entry.starts_at + scheduler_.between(kMilli, 400 * kMilli);
  if (happens(options_.device_fails, "device fails"))
    entry.end = scheduler_.chance(0.5) ? WorkState::kFailed : WorkState::kCancelled;
  if (entry.end != WorkState::kSucceeded)
    entry.names_bill = !happens(options_.device_names_no_bill, "device names no bill");
  if (happens(options_.device_garbage, "result damaged")) entry.garbage_left = scheduler_.chance(0.2) ? 1'000'000 : 2;
  entry.result_lost = happens(options_.device_loses_result, "result lost");
  const backend::Handle handle = fmt::format("work-{}", book_.size() + 1);
  book_.emplace(handle, std::move(entry));
  first_.emplace(token, handle);
  return handle;
}

bool SimDevice::happens(double chance, const char* fault) {
  const bool out = scheduler_.chance(chance);
  if (out && on_fault) on_fault(fault);
  return out;
}

std::optional<backend::Handle> SimDevice::find(std::string_view token) const {
  const auto found = first_.find(std::string(token));
  return found == first_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<Scheduler::Nanos> SimDevice::left_at(const std::string& token) const {
  const auto found = left_at_.find(token);
  return found == left_at_.end() ? std::nullopt : std::optional(found->second);
}

Result<SimDevice::Entry*> SimDevice::entry(const backend::WorkRef& work) {
  const auto found = book_.find(work.handle);
  if (found != book_.end() && found->second.token == work.token) return &found->second;
  return fail(errors::kUnknownHandle, "no work '{}' of this submission", work.handle);
}

Result<backend::PollStatus> SimDevice::poll(const backend::WorkRef& work) {
  TANDEM_TRY_ASSIGN(const Entry* found, entry(work));
  const std::chrono::milliseconds again(scheduler_.between(5, 80));
  if (scheduler_.now() < found->starts_at)
    return backend::PollStatus{.state = WorkState::kQueued, .detail = "queued", .poll_again = again};
  if (scheduler_.now() < found->ends_at)
    return backend::PollStatus{.state = WorkState::kRunning, .detail = "running", .poll_again = again};
  return backend::PollStatus{.state = found->end,
                             .detail = "ended",
                             .poll_again = again,
                             .billed = found->names_bill ? std::optional(found->bill) : std::nullopt};
}

Result<backend::RawResult> SimDevice::fetch(const backend::WorkRef& work) {
  TANDEM_TRY_ASSIGN(Entry * found, entry(work));
  if (found->result_lost) return fail(errors::kUnknownHandle, "gone");
  const bool garbage = found->garbage_left > 0 && found->garbage_left-- > 0;
  return backend::RawResult{.bytes = garbage ? fmt::format("<html>{}", found->garbage_left) : Bytes(kResult),
                            .media_type = "text/plain",
                            .billed = found->bill,
                            .calibration_id = "cal_1"};
}

Result<void> SimDevice::cancel(const backend::WorkRef& work) {
  TANDEM_TRY_ASSIGN(Entry * found, entry(work));
  if (scheduler_.now() >= found->ends_at) return {};
  const bool queued = scheduler_.now() < found->starts_at;
  found->end = WorkState::kCancelled;
  found->ends_at = scheduler_.now() + (queued ? 0 : scheduler_.between(0, 20 * kMilli));
  if (queued) found->starts_at = found->ends_at;
  return {};
}

const SimDevice* find_device(const Devices& devices, std::string_view backend) {
  const auto found = std::find_if(devices.begin(), devices.end(),
                                  [&](const SimDevice& device) { return device.vendor().id() == backend; });
  return found == devices.end() ? nullptr : &*found;
}

std::unique_ptr<backend::Backend> make_sim_backend(SimDevice& device, Line line) {
  return std::make_unique<SimBackend>(device, std::move(line));
}

std::unique_ptr<backend::Backend> make_sim_tier(std::string id, bool solves, const Clock& clock, Executor& executor,
                                                Line line) {
  return std::make_unique<SimTier>(std::move(id), solves, clock, executor, std::move(line));
}

}  // namespace tandem::sim

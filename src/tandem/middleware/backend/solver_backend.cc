#include "tandem/middleware/backend/local_backend.h"
#include "tandem/middleware/backend/local_task.h"
#include "tandem/middleware/backend/work_codec.h"

namespace tandem::backend {
namespace {

class SolverBackend final : public LocalBackend {
 public:
  SolverBackend(const solve::Solver& solver, Executor& executor, const Clock& clock)
      : LocalBackend(describe(solver.info()), clock), solver_(solver), executor_(executor) {}

  Result<void> validate(const Work& work) const override {
    const auto* solve = std::get_if<SolveWork>(&work);
    if (solve == nullptr) {
      return fail(errors::kBackendCannot, "{} solves optimisation problems, it runs no circuits", info().id.value);
    }
    return solve::check_accepts(solver_.info(), *solve->model);
  }

  Result<WorkResult> decode(const RawResult& raw, const Work& /*work*/) const override {
    TANDEM_TRY_ASSIGN(SolveResult out, decode_outcome(raw.bytes));
    return WorkResult(std::move(out));
  }

 private:
  static BackendInfo describe(const solve::SolverInfo& info) {
    return {.id = BackendId(fmt::format("cpu.{}", info.name)),
            .name = std::string(info.name),
            .version = std::string(info.version),
            .tier = job::Tier::kCpu,
            .takes_solve = true,
            .conformance = "local",
            .best_for = std::string(info.summary),
            .variables_max = info.variables_max};
  }

  Result<Bytes> compute(const Work& work, const CallContext& context, std::stop_token stop) override {
    const auto& solve = std::get<SolveWork>(work);
    // A solver knows no clock: its time is this timer.
    std::stop_source time_up;
    const std::stop_callback forward(stop, [&] { time_up.request_stop(); });
    std::unique_ptr<Timer> timer;
    if (solve.time_ms > 0) {
      timer = executor_.post_after(std::chrono::milliseconds(solve.time_ms),
                                   [time_up]() mutable { time_up.request_stop(); });
    }
    const solve::SolveContext solver_context{
        .executor = executor_, .stop = time_up.get_token(), .sink = context.sink, .threads = context.threads};
    TANDEM_TRY_ASSIGN(const solve::SolveOutcome outcome, solver_.solve(*solve.model, solve.options, solver_context));
    return encode_outcome(outcome);
  }

  const solve::Solver& solver_;
  Executor& executor_;
};

}  // namespace

std::unique_ptr<Backend> make_solver_backend(const solve::Solver& solver, Executor& executor, const Clock& clock) {
  return std::make_unique<SolverBackend>(solver, executor, clock);
}

}  // namespace tandem::backend

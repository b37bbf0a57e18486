#include "tandem/middleware/backend/local_backend.h"
#include "tandem/middleware/backend/local_task.h"
#include "tandem/middleware/backend/work_codec.h"

namespace tandem::backend {
namespace {

/// What a search holds beside the model that is there already: its integers, each coupling from both of its ends, and what each strand keeps of
/// the variables.
std::uint64_t bytes_of_search(const solve::Model& model, const solve::SolveOptions& options) {
  constexpr std::uint64_t kVariable = 64;
  constexpr std::uint64_t kCoupling = 56;  // two indices and a weight, and twice an index and a weight
  constexpr std::uint64_t kOfStrand = 24;  // a field, a bit, when it moved
  const auto bytes = [&](std::uint64_t variables, std::uint64_t couplings) {
    return variables * (kVariable + kOfStrand * options.strands) + couplings * kCoupling;
  };
  if (const auto* bqm = std::get_if<problem::Bqm>(&model)) return bytes(bqm->num_variables(), bqm->terms().size());
  if (const auto* cqm = std::get_if<problem::Cqm>(&model)) {
    std::uint64_t couplings = cqm->objective().terms().size();
    for (const problem::LinearConstraint& constraint : cqm->constraints()) couplings += constraint.terms.size();
    return bytes(cqm->num_variables(), couplings);
  }
  const auto& polynomial = std::get<problem::Polynomial>(model);
  std::uint64_t places = 0;
  for (const auto& term : polynomial.terms()) places += term.variables.size();
  return bytes(polynomial.num_variables(), places);
}

class SolverBackend final : public LocalBackend {
 public:
  SolverBackend(const solve::Solver& solver, Executor& executor, const Clock& clock, MachineMemory* memory)
      : LocalBackend(describe(solver.info()), clock), solver_(solver), executor_(executor), memory_(memory) {}

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
    MachineMemory::Reservation reservation;
    if (memory_ != nullptr) {
      const std::string what = fmt::format("a search over {} variables", solve::num_variables(*solve.model));
      TANDEM_TRY_ASSIGN(reservation,
                        memory_->reserve(bytes_of_search(*solve.model, solve.options), what, stop, context.aside));
    }
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
  MachineMemory* memory_;
};

}  // namespace

std::unique_ptr<Backend> make_solver_backend(const solve::Solver& solver, Executor& executor, const Clock& clock,
                                             MachineMemory* memory) {
  return std::make_unique<SolverBackend>(solver, executor, clock, memory);
}

}  // namespace tandem::backend

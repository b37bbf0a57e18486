#include "tandem/base/rng.h"
#include "tandem/compute/statevector/plan_cache.h"
#include "tandem/compute/statevector/rounding.h"
#include "tandem/compute/statevector/run.h"
#include "tandem/compute/statevector/run_memory.h"
#include "tandem/compute/statevector/statevector.h"
#include "tandem/middleware/backend/local_backend.h"
#include "tandem/middleware/backend/local_task.h"
#include "tandem/middleware/backend/work_codec.h"

namespace tandem::backend {
namespace {

class StateVectorBackend final : public LocalBackend {
 public:
  StateVectorBackend(Executor& executor, const Clock& clock, std::uint64_t memory_bytes_max, MachineMemory* memory)
      : LocalBackend(describe(memory_bytes_max), clock),
        executor_(executor),
        memory_bytes_max_(memory_bytes_max),
        memory_(memory) {}

  Result<void> validate(const Work& work) const override {
    const auto* program = std::get_if<ProgramWork>(&work);
    if (program == nullptr) {
      return fail(errors::kBackendCannot, "{} runs circuits; a core is encoded as one first", info().id.value);
    }
    for (std::size_t i = 0; i < program->pubs.size(); ++i) {
      const circuit::Pub& pub = program->pubs[i];
      if (pub.circuit.num_qubits() > info().qubits_max) {
        return fail(errors::kTooManyQubits, "the circuit has {} qubits; {} holds {} in {} bytes of memory",
                    pub.circuit.num_qubits(), info().id.value, info().qubits_max, memory_bytes_max_);
      }
      TANDEM_TRY(pub.check());
      TANDEM_TRY(choice_of(program->pubs, i));
    }
    return {};
  }

  Result<WorkResult> decode(const RawResult& raw, const Work& /*work*/) const override {
    TANDEM_TRY_ASSIGN(ProgramResult out, decode_pubs(raw.bytes));
    return WorkResult(std::move(out));
  }

 private:
  static BackendInfo describe(std::uint64_t memory_bytes_max) {
    std::uint32_t qubits = 0;
    while (qubits < statevector::StateVector::kQubitsMax &&
           statevector::StateVector::bytes_needed(qubits + 1) <= memory_bytes_max) {
      ++qubits;
    }
    return {.id = BackendId("simulator.statevector"),
            .name = "state-vector simulator",
            .version = "8",
            .tier = job::Tier::kSimulator,
            .takes_program = true,
            .conformance = "local",
            .best_for = "exact circuits of up to two dozen qubits, and the check before any hardware",
            .qubits_max = qubits,
            .shots_max = circuit::Pub::kShotsMax};
  }

  Result<Bytes> compute(const Work& work, const CallContext& context, std::stop_token stop) override {
    const auto& program = std::get<ProgramWork>(work);
    TANDEM_TRY_ASSIGN(const Need need, need_of(program));
    MachineMemory::Reservation reservation;
    std::uint64_t bytes = memory_bytes_max_;
    if (memory_ != nullptr) {
      TANDEM_TRY_ASSIGN(reservation, memory_->reserve(need.bytes, what_of(program), stop, context.aside));
      // What makes it faster only waits for nobody, is at most 256 MiB, and is given back before long: it is not reserved.
      bytes = std::min(bytes, need.bytes + std::min(need.spare, memory_->room()));
    }
    std::vector<Result<result::PubResult>> results(program.pubs.size());
    const auto one = [&](std::size_t i) {
      const statevector::RunOptions options{.seed = derive_seed(program.seed, i),
                                            .memory_bytes_max = bytes / need.at_once,
                                            .plans = plans_,
                                            .single_plans = single_plans_};
      results[i] = statevector::run(program.pubs[i], options, stop, executor_);
    };
    if (need.at_once > 1) {
      executor_.parallel(program.pubs.size(), need.at_once, one);
    } else {
      for (std::size_t i = 0; i < program.pubs.size() && (i == 0 || results[i - 1]); ++i) one(i);
    }
    std::vector<result::PubResult> out;
    for (auto& result : results) {
      if (!result) return tl::unexpected(std::move(result).error());
      out.push_back(*std::move(result));
    }
    return encode_pubs(out);
  }

  struct Need {
    std::size_t at_once =
        1;  ///< PUBs that are run side by side: small ones, where all of them together need next to no memory
    std::uint64_t bytes = 0;
    std::uint64_t spare = 0;
  };
  Result<Need> need_of(const ProgramWork& program) const {
    statevector::RunMeans means{.threads = std::max<std::size_t>(1, executor_.threads()),
                                .bytes_max = memory_bytes_max_};
    Need out;
    for (std::size_t i = 0; i < program.pubs.size(); ++i) {
      TANDEM_TRY_ASSIGN(const statevector::PrecisionChoice choice, choice_of(program.pubs, i));
      means.precision = choice.precision;
      const statevector::RunMemory memory = statevector::memory_of_run(program.pubs[i], means);
      out.bytes = std::max(out.bytes, memory.all());
      out.spare = std::max(out.spare, memory.spare);
    }
    const std::size_t most = std::min(program.pubs.size(), means.threads);
    if (most > 1 && out.bytes <= std::min(memory_bytes_max_, MachineMemory::kSmallBytes) / most &&
        std::ranges::all_of(program.pubs, [](const circuit::Pub& pub) { return statevector::is_small(pub.circuit); })) {
      out.at_once = most;
      out.bytes *= most;
      out.spare = 0;
    }
    return out;
  }

  /// What the precision of a PUB follows from is planned, and kept for when it is run.
  Result<statevector::PrecisionChoice> choice_of(const std::vector<circuit::Pub>& pubs, std::size_t i) const {
    auto choice = statevector::choose_precision(pubs[i], *single_plans_, *plans_);
    if (!choice && !choice.error().place.empty())
      choice.error().place = fmt::format("/program/pubs/{}{}", i, choice.error().place);
    return choice;
  }

  static std::string what_of(const ProgramWork& program) {
    std::uint32_t qubits = 0;
    for (const circuit::Pub& pub : program.pubs) qubits = std::max(qubits, pub.circuit.num_qubits());
    return fmt::format("a state vector of {} qubits", qubits);
  }

  Executor& executor_;
  std::uint64_t memory_bytes_max_;
  MachineMemory* memory_;
  /// An evaluation loop sends its circuit again and again.
  std::shared_ptr<statevector::PlanCache<double>> plans_ = std::make_shared<statevector::PlanCache<double>>();
  std::shared_ptr<statevector::PlanCache<float>> single_plans_ = std::make_shared<statevector::PlanCache<float>>();
};

}  // namespace

std::unique_ptr<Backend> make_statevector_backend(Executor& executor, const Clock& clock,
                                                  std::uint64_t memory_bytes_max, MachineMemory* memory) {
  return std::make_unique<StateVectorBackend>(executor, clock, memory_bytes_max, memory);
}

}  // namespace tandem::backend

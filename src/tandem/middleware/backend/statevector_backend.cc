#include "tandem/base/rng.h"
#include "tandem/compute/statevector/plan_cache.h"
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
    for (const circuit::Pub& pub : program->pubs) {
      if (pub.circuit.num_qubits() > info().qubits_max) {
        return fail(errors::kTooManyQubits, "the circuit has {} qubits; {} holds {} in {} bytes of memory",
                    pub.circuit.num_qubits(), info().id.value, info().qubits_max, memory_bytes_max_);
      }
      TANDEM_TRY(pub.check());
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
            .version = "5",
            .tier = job::Tier::kSimulator,
            .takes_program = true,
            .conformance = "local",
            .best_for = "exact circuits of up to two dozen qubits, and the check before any hardware",
            .qubits_max = qubits,
            .shots_max = circuit::Pub::kShotsMax};
  }

  Result<Bytes> compute(const Work& work, const CallContext& context, std::stop_token stop) override {
    const auto& program = std::get<ProgramWork>(work);
    MachineMemory::Reservation reservation;
    std::uint64_t bytes = memory_bytes_max_;
    if (memory_ != nullptr) {
      const std::uint64_t reserved = wanted(program);
      TANDEM_TRY_ASSIGN(reservation, memory_->reserve(reserved, what_of(program), stop, context.aside));
      bytes = std::min(bytes, reserved);
    }
    std::vector<result::PubResult> out;
    for (std::size_t i = 0; i < program.pubs.size(); ++i) {
      const statevector::RunOptions options{
          .seed = derive_seed(program.seed, i), .memory_bytes_max = bytes, .plans = plans_};
      TANDEM_TRY_ASSIGN(result::PubResult result, statevector::run(program.pubs[i], options, stop, executor_));
      out.push_back(std::move(result));
    }
    return encode_pubs(out);
  }

  /// What it needs; what makes it faster only where there is room now.
  std::uint64_t wanted(const ProgramWork& program) const {
    std::uint64_t needed = 0;
    std::uint64_t with_spare = 0;
    for (const circuit::Pub& pub : program.pubs) {
      const statevector::RunMemory memory = statevector::memory_of_run(pub, executor_.threads());
      needed = std::max(needed, memory.all());
      with_spare = std::max(with_spare, memory.all() + memory.spare);
    }
    if (with_spare == needed) return needed;
    return std::max(needed, std::min(with_spare, memory_->room()));
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
};

}  // namespace

std::unique_ptr<Backend> make_statevector_backend(Executor& executor, const Clock& clock,
                                                  std::uint64_t memory_bytes_max, MachineMemory* memory) {
  return std::make_unique<StateVectorBackend>(executor, clock, memory_bytes_max, memory);
}

}  // namespace tandem::backend

#include "tandem/compute/statevector/circuit_report.h"

#include <algorithm>
#include <cmath>

#include "tandem/compute/statevector/amplitudes.h"
#include "tandem/compute/statevector/plan_cache.h"
#include "tandem/compute/statevector/run_plan.h"

namespace tandem::statevector {
namespace {

using circuit::Gate;
using circuit::Instruction;

constexpr double kParameterValue = 0.5;
constexpr double kNanosecond = 1e-9;

double seconds_between(Instant begin, Instant end) { return std::chrono::duration<double>(end - begin).count(); }

template <class Real>
const WorkCosts& costs_of(const MachineProfile& profile) {
  return sizeof(Real) == sizeof(float) ? profile.narrow : profile.wide;
}

double threads_of(const MachineProfile& profile) {
  return static_cast<double>(std::max<std::size_t>(1, profile.threads));
}

template <class Real>
StageReport report_stage(const Stage<Real>& stage, std::uint32_t num_bits, const MachineProfile& profile) {
  const double amplitudes = std::ldexp(1.0, static_cast<int>(num_bits));
  const WorkCosts& costs = costs_of<Real>(profile);
  StageReport out{.bits = stage.tile_bits, .gathered = stage.tile_bits.back() + 1 != stage.tile_bits.size()};
  double moved = 0;  // the share of the state
  double work = 0;  // nanoseconds an amplitude of the state
  double fused = 0;  // operations an amplitude
  for (const auto& item : stage.work) {
    if (const auto* const phases = std::get_if<PhaseGroup<Real>>(&item)) {
      ++out.phase_groups;
      fused += phases->fused();
      work += costs.phases;
      moved = 1;
    } else if (const auto* const turns = std::get_if<TurnWork<Real>>(&item)) {
      (turns->on_lanes ? out.lane_turns : out.turns) += turns->turns.size();
      work += static_cast<double>(turns->turns.size()) * (turns->on_lanes ? costs.lane_turn : costs.turn);
      fused += 2 * static_cast<double>(turns->turns.size());
      moved = 1;
    } else if (const auto* const dense = std::get_if<DenseWork<Real>>(&item)) {
      out.dense_gates += dense->size();
      work += static_cast<double>(dense->size()) * costs.dense;
      fused += 16 * static_cast<double>(dense->size());
      moved = 1;
    } else {
      const TileGate<Real>& gate = std::get<GateWork<Real>>(item).gate;
      const double share = gate.share();
      fused += gate.fused();
      ++out.pair_gates;
      work += share * costs.pairs;
      moved = std::max(moved, share);
    }
  }
  if (out.gathered) moved = 1;
  out.moved_bytes = 2 * moved * amplitudes * 2 * sizeof(Real);
  out.fused = fused * amplitudes;
  out.memory_s = out.moved_bytes / profile.memory_bytes * kNanosecond;
  out.work_s = work * amplitudes * kNanosecond / threads_of(profile);
  return out;
}

template <class Real>
Result<void> report(std::span<const Instruction> instructions, std::span<const double> values,
                    const MachineProfile& profile, const ReportOptions& options, Executor& executor, const Clock& clock,
                    CircuitReport& out) {
  const std::uint32_t num_bits = std::max(out.num_qubits, kLaneBits<Real>);
  const std::uint64_t numbers = std::uint64_t{2} << num_bits;
  const simd::Isa isa = simd::best_isa();
  Memory<Real> memory;
  if (options.measuring == Measuring::kRun) {
    TANDEM_TRY(BasicStateVector<Real>::fits(out.num_qubits, options.memory_bytes_max));
    memory = allocate<Real>(numbers);
    if (!memory) {
      return fail(errors::kOutOfMemory, "the machine refused {} bytes for {} qubits; plan only, or use fewer qubits",
                  numbers * sizeof(Real), out.num_qubits);
    }
    constexpr std::uint64_t kBlock = std::uint64_t{2} << kShareBits;
    for_blocks(executor, (numbers + kBlock - 1) / kBlock, [&](std::size_t i) {
      std::fill_n(memory.get() + i * kBlock, std::min(kBlock, numbers - i * kBlock), Real(0));
    });
    memory[0] = 1;
  }
  PlanCache<Real> plans;
  Frame frame(out.num_qubits);
  for (std::size_t first = 0; first < instructions.size(); first += kInstructionsAtOnce) {
    const auto now = instructions.subspan(first, std::min(kInstructionsAtOnce, instructions.size() - first));
    const Instant begin = clock.monotonic();
    const auto compiled = plans.take(now, values, frame, num_bits, isa);
    out.planning_s += seconds_between(begin, clock.monotonic());
    for (Stage<Real>& stage : compiled->plan.stages) {
      out.stages.push_back(report_stage(stage, num_bits, profile));
      if (!memory) continue;
      Plan<Real> one{.row_bits = compiled->plan.row_bits, .bound = true};
      one.stages.push_back(std::move(stage));
      const Instant start = clock.monotonic();
      TANDEM_TRY(run_plan(one, memory.get(), num_bits, isa, executor, {}));
      out.stages.back().measured_s = seconds_between(start, clock.monotonic());
    }
    compiled->advance(frame);
  }
  if (out.state_bytes > kCachedBytes) out.memory_limit_s = out.moved_bytes() / profile.memory_bytes * kNanosecond;
  out.arithmetic_limit_s = out.fused() / costs_of<Real>(profile).fused_peak * kNanosecond / threads_of(profile);
  return {};
}

double sum(const std::vector<StageReport>& stages, const auto& term) {
  double out = 0;
  for (const StageReport& stage : stages) out += term(stage);
  return out;
}

}  // namespace

double CircuitReport::moved_bytes() const {
  return sum(stages, [](const StageReport& stage) { return stage.moved_bytes; });
}
double CircuitReport::fused() const {
  return sum(stages, [](const StageReport& stage) { return stage.fused; });
}
double CircuitReport::predicted_s() const {
  return sum(stages, [](const StageReport& stage) { return stage.predicted_s(); });
}
double CircuitReport::measured_s() const {
  return sum(stages, [](const StageReport& stage) { return stage.measured_s; });
}
double CircuitReport::share_of_limit() const {
  const double measured = measured_s();
  return measured == 0 ? 0 : limit_s() / measured;
}

Result<CircuitReport> report_circuit(const circuit::Circuit& circuit, const MachineProfile& profile,
                                     const ReportOptions& options, Executor& executor, const Clock& clock) {
  if (circuit.num_qubits() > StateVector::kQubitsMax) {
    return fail(errors::kTooManyQubits, "a state vector of {} qubits is above the limit of {}; use fewer qubits",
                circuit.num_qubits(), StateVector::kQubitsMax);
  }
  std::vector<Instruction> instructions;
  for (const Instruction& instruction : circuit.instructions()) {
    if (instruction.gate == Gate::kReset) {
      return fail(errors::kBadCircuit, "a reset takes a run for each shot, which is not explained; remove it");
    }
    if (instruction.gate != Gate::kMeasure && instruction.gate != Gate::kBarrier) instructions.push_back(instruction);
  }
  const std::vector<double> values(circuit.parameters().size(), kParameterValue);
  TANDEM_TRY(check_angles(circuit, values));
  CircuitReport out{.num_qubits = circuit.num_qubits(), .gates = instructions.size()};
  const bool single = options.precision == Precision::kSingle;
  out.state_bytes = single ? StateVectorF32::bytes_needed(out.num_qubits) : StateVector::bytes_needed(out.num_qubits);
  TANDEM_TRY((single ? report<float> : report<double>)(instructions, values, profile, options, executor, clock, out));
  return out;
}

}  // namespace tandem::statevector

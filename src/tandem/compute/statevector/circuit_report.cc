#include "tandem/compute/statevector/circuit_report.h"

#include <algorithm>
#include <cmath>

#include "tandem/compute/statevector/amplitudes.h"
#include "tandem/compute/statevector/ising_layers.h"
#include "tandem/compute/statevector/past_caches.h"
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

/// Of an amplitude: nanoseconds of work, operations that it needs, and bytes.
struct Costs {
  double work = 0;
  double fused = 0;
  double moved = 0;
};

void add_costs(StageReport& out, const Costs& costs, std::uint32_t num_bits, const MachineProfile& profile) {
  const double amplitudes = std::ldexp(1.0, static_cast<int>(num_bits));
  out.moved_bytes = costs.moved * amplitudes;
  out.fused = costs.fused * amplitudes;
  out.memory_s = out.moved_bytes / profile.memory_bytes * kNanosecond;
  out.work_s = costs.work * amplitudes * kNanosecond / threads_of(profile);
}

template <class Real>
StageReport report_stage(const Stage<Real>& stage, std::uint32_t num_bits, const MachineProfile& profile) {
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
  add_costs(out, {.work = work, .fused = fused, .moved = 2 * moved * sizeof(std::complex<Real>)}, num_bits, profile);
  return out;
}

template <class Real>
StageReport report_pass(const IsingRunner<Real>& runner, const IsingPass& pass, std::uint32_t num_bits,
                        const MachineProfile& profile) {
  const TileKind& kind = runner.kind_of(pass);
  const WorkCosts& costs = costs_of<Real>(profile);
  StageReport out{.kind = StageReport::Kind::kIsing, .bits = kind.order.bits, .gathered = !kind.in_a_row};
  constexpr std::uint32_t kNone = IsingWork::kNoLayer;
  const std::size_t lanes = kind.first == 0 ? std::min(kind.last, kLaneBits<Real>) : 0;
  const std::size_t in_leaf = std::min(kind.last, kind.order.leaf_bits) - kind.first;
  for (const IsingWork& work : pass.work) {
    if (work.kind != IsingWork::Kind::kLeaves) {
      out.turns += work.kind == IsingWork::Kind::kMirror ? 1 : kind.last - kind.first - in_leaf;
      continue;
    }
    const std::size_t times = (work.before == kNone ? 0 : 1) + (work.after == kNone ? 0 : 1);
    out.lane_turns += times * lanes;
    out.turns += times * (in_leaf - lanes);
    out.phase_groups += work.phase == kNone ? 0 : 1;
  }
  // Three complex products an amplitude, where groups of a plan take two.
  constexpr double kPhases = 1.5;
  const auto turns = static_cast<double>(out.turns);
  const auto lane_turns = static_cast<double>(out.lane_turns);
  const auto phases = static_cast<double>(out.phase_groups);
  add_costs(out,
            {.work = costs.turn * turns + costs.lane_turn * lane_turns + kPhases * costs.phases * phases,
             .fused = 2 * (turns + lane_turns) + 4 * phases,
             .moved = 2 * sizeof(std::complex<Real>)},
            num_bits, profile);
  return out;
}

/// The machine gives its pages once, before anything is timed.
template <class Real>
void fill_with_zero_state(Real* amplitudes, std::uint64_t numbers, Executor& executor) {
  constexpr std::uint64_t kBlock = std::uint64_t{2} << kShareBits;
  for_blocks(executor, (numbers + kBlock - 1) / kBlock, [&](std::size_t i) {
    std::fill_n(amplitudes + i * kBlock, std::min(kBlock, numbers - i * kBlock), Real(0));
  });
  amplitudes[0] = 1;
}

template <class Real>
class Reporter {
 public:
  Reporter(const MachineProfile& profile, Executor& executor, const Clock& clock, CircuitReport& out)
      : profile_(profile), executor_(executor), clock_(clock), out_(out), frame_(out.num_qubits) {}

  Result<void> take_memory(std::uint64_t memory_bytes_max) {
    TANDEM_TRY(BasicStateVector<Real>::fits(out_.num_qubits, memory_bytes_max));
    const std::uint64_t numbers = std::uint64_t{2} << num_bits_;
    memory_ = allocate<Real>(numbers);
    if (!memory_) {
      return fail(errors::kOutOfMemory, "the machine refused {} bytes for {} qubits; plan only, or use fewer qubits",
                  numbers * sizeof(Real), out_.num_qubits);
    }
    fill_with_zero_state(memory_.get(), numbers, executor_);
    return {};
  }

  /// From |0...0> on.
  Result<void> run(std::span<const Instruction> instructions, std::span<const double> values) {
    const Instant begin = clock_.monotonic();
    const auto found = find_ising_layers<Real>(instructions, values, out_.num_qubits);
    out_.planning_s += seconds_between(begin, clock_.monotonic());
    if (!found) return run_planned(instructions, values);
    TANDEM_TRY(run_layers(*found));
    TANDEM_TRY(run_planned(found->rest, values));
    return run_planned(instructions.subspan(found->num_seen), values);
  }

 private:
  Result<void> run_layers(const IsingLayers& found) {
    const IsingState<Real> state{.num_qubits = out_.num_qubits, .symmetric = found.symmetric, .ket = memory_.get()};
    IsingRunner<Real> runner(state, found.layers, {.isa = isa_, .tile_bits = kTileShape<Real>.most}, executor_, {});
    for (std::size_t pass = 0; pass < runner.passes().size(); ++pass) {
      out_.stages.push_back(report_pass(runner, runner.passes()[pass], state.num_stored(), profile_));
      TANDEM_TRY(time_last([&] { return runner.forward(pass); }));
    }
    if (memory_) frame_.scale = runner.scale();  // without a state it is that of nothing done
    if (!found.symmetric) return {};
    StageReport& mirror = out_.stages.emplace_back(StageReport{.kind = StageReport::Kind::kMirror});
    add_costs(mirror, {.moved = 2 * sizeof(std::complex<Real>)}, state.num_stored(), profile_);
    return time_last([&]() -> Result<void> {
      unfold(memory_.get(), out_.num_qubits, executor_);
      return {};
    });
  }

  Result<void> run_planned(std::span<const Instruction> instructions, std::span<const double> values) {
    for (std::size_t first = 0; first < instructions.size(); first += kInstructionsAtOnce) {
      const auto now = instructions.subspan(first, std::min(kInstructionsAtOnce, instructions.size() - first));
      const Instant begin = clock_.monotonic();
      const auto compiled = plans_.take(now, values, frame_, num_bits_, isa_);
      out_.planning_s += seconds_between(begin, clock_.monotonic());
      for (Stage<Real>& stage : compiled->plan.stages) {
        out_.stages.push_back(report_stage(stage, num_bits_, profile_));
        Plan<Real> one{.row_bits = compiled->plan.row_bits, .bound = true};
        one.stages.push_back(std::move(stage));
        TANDEM_TRY(time_last([&] { return run_plan(one, memory_.get(), num_bits_, isa_, executor_, {}); }));
      }
      compiled->advance(frame_);
    }
    return {};
  }

  /// The last stage, where there is a state to work on.
  template <class Work>
  Result<void> time_last(const Work& work) {
    if (!memory_) return {};
    const Instant start = clock_.monotonic();
    TANDEM_TRY(work());
    out_.stages.back().measured_s = seconds_between(start, clock_.monotonic());
    return {};
  }

  const MachineProfile& profile_;
  Executor& executor_;
  const Clock& clock_;
  CircuitReport& out_;
  Frame frame_;
  const std::uint32_t num_bits_ = std::max(out_.num_qubits, kLaneBits<Real>);
  const simd::Isa isa_ = simd::best_isa();
  Memory<Real> memory_;
  PlanCache<Real> plans_;
};

template <class Real>
Result<void> report(std::span<const Instruction> instructions, std::span<const double> values,
                    const MachineProfile& profile, const ReportOptions& options, Executor& executor, const Clock& clock,
                    CircuitReport& out) {
  Reporter<Real> reporter(profile, executor, clock, out);
  if (options.measuring == Measuring::kRun) TANDEM_TRY(reporter.take_memory(options.memory_bytes_max));
  TANDEM_TRY(reporter.run(instructions, values));
  if (out.state_bytes > kCachedBytes) out.memory_limit_s = out.moved_bytes() / profile.memory_bytes * kNanosecond;
  out.arithmetic_limit_s = out.fused() / costs_of<Real>(profile).fused_peak * kNanosecond / threads_of(profile);
  return {};
}

template <class Real>
double rounding_of(std::span<const Instruction> instructions, std::span<const double> values,
                   std::uint32_t num_qubits) {
  PlanCache<Real> plans;
  Rounding<Real> out(num_qubits, plans);
  out.add(instructions, values);
  return out.of_draws();
}

double sum(const std::vector<StageReport>& stages, const auto& term) {
  double out = 0;
  for (const StageReport& stage : stages) out += term(stage);
  return out;
}

}  // namespace

std::string_view to_string(StageReport::Kind kind) {
  constexpr std::string_view kNames[] = {"plan", "ising", "mirror"};
  return kNames[static_cast<std::size_t>(kind)];
}

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
    if (instruction.gate == Gate::kReset || instruction.condition.exists()) {
      return fail(errors::kBadCircuit, "{} takes a run for each outcome before, which is not explained; remove it",
                  instruction.condition.exists() ? "a condition" : "a reset");
    }
    if (instruction.gate != Gate::kMeasure) instructions.push_back(instruction);  // as a run does
  }
  const std::vector<double> values(circuit.parameters().size(), kParameterValue);
  TANDEM_TRY(check_angles(circuit, values));
  const auto barriers = std::ranges::count(instructions, Gate::kBarrier, &Instruction::gate);
  CircuitReport out{.num_qubits = circuit.num_qubits(),
                    .gates = instructions.size() - static_cast<std::size_t>(barriers)};
  out.single_rounding = rounding_of<float>(instructions, values, out.num_qubits);
  out.double_rounding = rounding_of<double>(instructions, values, out.num_qubits);
  out.precision = options.precision;
  if (options.tolerance != 0) {
    if (!(options.tolerance >= out.double_rounding)) return beyond_double(options.tolerance, out.double_rounding);
    out.precision = out.single_rounding <= options.tolerance ? Precision::kSingle : Precision::kDouble;
  }
  const bool single = out.precision == Precision::kSingle;
  out.state_bytes = single ? StateVectorF32::bytes_needed(out.num_qubits) : StateVector::bytes_needed(out.num_qubits);
  TANDEM_TRY((single ? report<float> : report<double>)(instructions, values, profile, options, executor, clock, out));
  return out;
}

}  // namespace tandem::statevector

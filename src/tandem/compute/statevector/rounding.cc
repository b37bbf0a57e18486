#include "tandem/compute/statevector/rounding.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "tandem/compute/statevector/amplitudes.h"
#include "tandem/compute/statevector/ising_layers.h"
#include "tandem/compute/statevector/pauli_basis.h"
#include "tandem/compute/statevector/plan_cache.h"
#include "tandem/compute/statevector/prepared_gate.h"
#include "tandem/compute/statevector/run_plan.h"

namespace tandem::statevector {
namespace {

using circuit::Gate;
using circuit::Instruction;
using circuit::Pub;

/// Half the distance between 1 and the next number: what one operation may lose, beside its result.
template <class Real>
constexpr double kUnit = static_cast<double>(std::numeric_limits<Real>::epsilon()) / 2;

// What one operation on the whole state may lose, in units, beside the norm of the state. All are sums of what its steps may lose: a
// coefficient that is stored 1, a product of complex numbers by fused operations 2, a sum of k products k times the norm of the
// absolute values of the coefficients.
/// A product and a sum a number, and its ratio r, beside the root of 1 + r^2.
constexpr double kTurn = 3;
/// Three that are alike share sums of four numbers (turn_alike): 15 together, and the ratio of each.
constexpr double kAlikeTurn = 6;
/// Three stored factors and their two products in a table, one beside it with its product, and the product with the amplitude.
constexpr double kPhases = 12;
/// Two complex products, absolute values of norm 2 as real matrices; coefficients.
constexpr double kPairs = 10;
/// Four, of norm root 8; coefficients.
constexpr double kDense = 26;

// Numbers of steps are calculated in double whatever the state has: sines, powers of them, and products of matrices.
/// Of a step, and of what an instruction does to the factor of the whole state.
constexpr double kStep = 32;
constexpr double kInstruction = 4;
/// Of an instruction that belongs to a layer: a few factors, each of which the walk over the bits multiplies once.
constexpr double kInLayer = 64;

double units_of(const auto& work) {
  using Work = std::decay_t<decltype(work)>;
  if constexpr (requires { work.gate; })
    return kPairs;
  else if constexpr (requires { work.turns; })
    return kTurn * static_cast<double>(work.turns.size());
  else if constexpr (std::is_same_v<Work, DenseWork<float>> || std::is_same_v<Work, DenseWork<double>>)
    return kDense * static_cast<double>(work.size());
  else if constexpr (std::is_same_v<Work, PhaseGroup<float>> || std::is_same_v<Work, PhaseGroup<double>>)
    return kPhases;
  else
    return 0;  // readings, which no plan of gates has
}

double weight_of(std::span<const observable::PauliTerm> terms) {
  double out = 0;
  for (const observable::PauliTerm& term : terms) out += std::abs(term.coefficient);
  return out;
}

std::vector<Instruction> unitary_part(const circuit::Circuit& circuit) {
  std::vector<Instruction> out;
  std::ranges::copy_if(circuit.instructions(), std::back_inserter(out), circuit::is_unitary);
  return out;
}

/// Of everything that `pub` asks for.
template <class Real>
double rounding_of(const Pub& pub, PlanCache<Real>& plans) {
  Rounding<Real> all(pub.circuit.num_qubits(), plans);
  all.add(unitary_part(pub.circuit), pub.binding(0));
  if (pub.observables.empty()) return all.of_draws();
  const bool exact = pub.shots == 0 && pub.precision == 0;
  double most = 0;
  for (const observable::PauliSum& observable : pub.observables) {
    double sum = 0;
    if (exact) {
      sum = all.of_expectation(weight_of(observable.terms()), observable.terms().size());
    } else {
      // Each string is read as the difference of two probabilities, which add up to 1.
      for (const PauliBasis& basis : group_qubit_wise(observable).bases) {
        Rounding<Real> turned = all;
        turned.add(basis_change(basis), {});
        sum += 2 * weight_of(basis.terms) * turned.of_draws();
      }
    }
    most = std::max(most, sum);
  }
  return most;
}

}  // namespace

std::string_view to_string(Precision precision) { return precision == Precision::kSingle ? "f32" : "f64"; }

template <class Real>
void Rounding<Real>::add(std::span<const Instruction> instructions, std::span<const double> parameter_values) {
  const auto num_qubits = static_cast<std::uint32_t>(frame_.bit_of.size());
  const bool was_zero = std::exchange(is_zero_, is_zero_ && instructions.empty());
  const auto found = was_zero ? find_ising_layers<Real>(instructions, parameter_values, num_qubits) : std::nullopt;
  if (!found) return add_plan(instructions, parameter_values);
  relative_ += kUnit<Real> * static_cast<double>(found->layers.size()) * (kAlikeTurn * num_qubits + kPhases) +
               kUnit<double> * kInLayer * static_cast<double>(found->num_seen);
  add_plan(found->rest, parameter_values);
  add_plan(instructions.subspan(found->num_seen), parameter_values);
}

template <class Real>
void Rounding<Real>::add_plan(std::span<const Instruction> instructions, std::span<const double> parameter_values) {
  const std::uint32_t num_bits = std::max(static_cast<std::uint32_t>(frame_.bit_of.size()), kLaneBits<Real>);
  for (std::size_t first = 0; first < instructions.size(); first += kInstructionsAtOnce) {
    const auto now = instructions.subspan(first, std::min(kInstructionsAtOnce, instructions.size() - first));
    auto compiled = plans_->take(now, parameter_values, frame_, num_bits, simd::best_isa());
    double units = kPhases;  // angles decide whether the factor of the whole state goes into the amplitudes
    for (const Stage<Real>& stage : compiled->plan.stages)
      for (const auto& work : stage.work) units += std::visit([](const auto& one) { return units_of(one); }, work);
    relative_ += kUnit<Real> * units + kUnit<double> * (kStep * static_cast<double>(compiled->steps.steps.size()) +
                                                        kInstruction * static_cast<double>(now.size()));
    compiled->advance(frame_);
    plans_->give(std::move(compiled));
  }
}

template <class Real>
double Rounding<Real>::of_state() const {
  // (1 + e1) (1 + e2) ... - 1 is at most s / (1 - s), s being their sum.
  return relative_ < 0.5 ? relative_ / (1 - relative_) : std::numeric_limits<double>::infinity();
}

/// Of sums over a state in double, by rows and shares: each is added to as many others at most.
template <class Real>
double Rounding<Real>::of_sums() const {
  constexpr double kInShare = 1024;
  const double shares = std::ldexp(1.0, static_cast<int>(frame_.bit_of.size()) - static_cast<int>(kShareBits));
  return kUnit<double> * (kInShare + shares);
}

template <class Real>
double Rounding<Real>::of_draws() const {
  // A state's distance from a line bounds the sine of its angle to it, and that bounds what any measurement tells the two apart by.
  return of_state() + of_sums();
}

template <class Real>
double Rounding<Real>::of_expectation(double weight, std::size_t num_terms) const {
  constexpr double kOverlap = 2;  // a product and a fused operation, in the state's own precision
  const double state = of_state();
  return weight *
         ((2 + state) * state + kUnit<Real> * kOverlap + of_sums() + kUnit<double> * static_cast<double>(num_terms));
}

tl::unexpected<Error> beyond_double(double tolerance, double rounding) {
  return fail_at(
      "/tolerance", errors::kValueOutOfRange,
      "rounding in double precision may move the answer by {:.2g}, and {:.2g} are tolerated; tolerate more, or "
      "leave the tolerance out for double precision without a promise",
      rounding, tolerance);
}

Result<PrecisionChoice> choose_precision(const Pub& pub, PlanCache<float>& narrow, PlanCache<double>& wide) {
  const bool measures_on_the_way = pub.observables.empty()
                                       ? !pub.circuit.measurements_are_terminal()
                                       : !std::ranges::all_of(pub.circuit.instructions(), circuit::is_unitary);
  if (pub.tolerance == 0 || measures_on_the_way) return PrecisionChoice{};
  TANDEM_TRY(check_angles(pub.circuit, pub.binding(0)));
  try {
    if (const double single = rounding_of(pub, narrow); single <= pub.tolerance)
      return PrecisionChoice{.precision = Precision::kSingle, .rounding = single};
    const double rounding = rounding_of(pub, wide);
    if (rounding <= pub.tolerance) return PrecisionChoice{.rounding = rounding};
    return beyond_double(pub.tolerance, rounding);
  } catch (const std::bad_alloc&) {
    return fail(errors::kOutOfMemory,
                "the machine refused memory for a plan of {} gates; apply fewer gates, or end other programs",
                pub.circuit.instructions().size());
  }
}

template class Rounding<float>;
template class Rounding<double>;

}  // namespace tandem::statevector

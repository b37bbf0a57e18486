// tandem/compute/statevector/ising_work.h - the numbers of one pass of Ising layers: turns, phases, weights of sums.
//
// Room: compute; for ising_runner.cc only, which carries them out.
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>
#include <span>
#include <vector>

#include "tandem/base/trig.h"
#include "tandem/compute/simd/aligned.h"
#include "tandem/compute/statevector/amplitudes.h"
#include "tandem/compute/statevector/ising_form.h"
#include "tandem/compute/statevector/ising_kernels.h"
#include "tandem/compute/statevector/ising_runner.h"
#include "tandem/compute/statevector/ising_schedule.h"

namespace tandem::statevector {

inline constexpr std::uint32_t kNoLayer = IsingWork::kNoLayer;

template <class Real>
struct TurnAndFactor {
  Turn<Real> turn;
  double left_out = 1;
  bool turns = false;
};
/// exp(-i angle X).
template <class Real>
TurnAndFactor<Real> turn_by(std::uint32_t bit, const SinCos& parts) {
  const bool large = std::abs(parts.sin) > std::abs(parts.cos);
  return {.turn = {.bit = bit,
                   .about_x = true,
                   .large = large,
                   .ratio = static_cast<Real>(large ? parts.cos / parts.sin : parts.sin / parts.cos)},
          .left_out = large ? parts.sin : parts.cos,
          .turns = parts.sin != 0};
}

/// Turns about x of different bits above the lanes, ascending.
template <class Real>
class Turns {
 public:
  void add(const TurnAndFactor<Real>& now) {
    if (!now.turns) {
      unturned_ *= now.left_out;
      return;
    }
    if (turns_.empty()) one_ = now.left_out;
    alike_ = alike_ && now.left_out == one_ &&
             (turns_.empty() || (now.turn.large == turns_[0].large && now.turn.ratio == turns_[0].ratio));
    all_ *= now.left_out;
    turns_.push_back(now.turn);
  }
  /// Of the state afterwards: what they leave out.
  double scale() const {
    if (!alike_) return unturned_ * all_;
    double out = unturned_;
    for (std::size_t count = turns_.size(); count > 0; count -= alike_at_once(count))
      if (alike_at_once(count) != 2) out *= one_;
    return out;
  }
  /// For BesidePhases, of the lowest bits; null unless all of them turn, and alike.
  const Turn<Real>* all_alike() const { return alike_ && turns_.size() == kLowestBits ? turns_.data() : nullptr; }
  void apply(Real* tile, std::uint64_t num_blocks, const TileKernels<Real>& any,
             const IsingKernels<Real>& ising) const {
    (alike_ ? ising.turn_alike : any.turn)(tile, num_blocks, turns_.data(), turns_.size());
  }

 private:
  std::vector<Turn<Real>> turns_;
  bool alike_ = true;
  double one_ = 1;  ///< what the first leaves out
  double all_ = 1;
  double unturned_ = 1;
};

/// Turns of the bits that a kind of tiles mixes, of one layer.
template <class Real>
struct Mix {
  std::vector<Turn<Real>> lanes;
  Turns<Real> lowest;  ///< the kLowestBits above them
  Turns<Real> near;  ///< above those, in a leaf
  Turns<Real> inner;  ///< above a leaf, in a part
  Turns<Real> above;
  std::vector<std::uint32_t> near_bits;  ///< with the lowest, also where nothing turns
  std::vector<std::uint32_t> inner_bits;
  std::vector<std::uint32_t> above_bits;
  std::size_t num_lanes = 0;
  /// Of what each turned bit adds to a slope, in the order of the bits; empty: 1 each.
  std::vector<double> lane_weights;
  std::vector<double> near_weights;
  std::vector<double> inner_weights;
  std::vector<double> above_weights;
  std::vector<Turn<Real>> mirror;
  double mirror_scale = 1;
  double leaf_scale = 1;  ///< of the state afterwards: turns leave a factor out
};

/// The layer's turn of every qubit that the kind mixes, undone where the way leads back; `mirror`: of the one that is not stored.
template <class Real>
Mix<Real> make_mix(const TileKind& kind, const IsingLayer& layer, bool back) {
  Mix<Real> out;
  const auto turn_of = [&](std::size_t qubit) {
    const SinCos& turn = layer.turns[qubit];
    return back ? SinCos{.sin = -turn.sin, .cos = turn.cos} : turn;
  };
  const TurnAndFactor<Real> mirror = turn_by<Real>(0, turn_of(layer.turns.size() - 1));
  if (mirror.turns) out.mirror.push_back(mirror.turn);
  out.mirror_scale = mirror.left_out;
  for (std::uint32_t bit = kind.first; bit < kind.last; ++bit) {
    const std::uint32_t qubit = kind.order.bits[bit];
    const TurnAndFactor<Real> now = turn_by<Real>(bit, turn_of(qubit));
    const double* const slope = layer.turn_slopes.empty() ? nullptr : &layer.turn_slopes[qubit];
    if (bit < kLaneBits<Real>) {
      ++out.num_lanes;
      out.leaf_scale *= now.left_out;
      if (now.turns) out.lanes.push_back(now.turn);
      if (slope != nullptr) out.lane_weights.push_back(*slope);
      continue;
    }
    const auto add = [&](Turns<Real>& turns, std::vector<std::uint32_t>& bits, std::vector<double>& weights) {
      turns.add(now);
      bits.push_back(bit);
      if (slope != nullptr) weights.push_back(*slope);
    };
    if (bit < kind.order.leaf_bits)
      add(bit < kLaneBits<Real> + kLowestBits ? out.lowest : out.near, out.near_bits, out.near_weights);
    else if (bit < kind.order.part_bits)
      add(out.inner, out.inner_bits, out.inner_weights);
    else
      add(out.above, out.above_bits, out.above_weights);
  }
  out.leaf_scale *= out.lowest.scale() * out.near.scale();
  return out;
}

/// A sum of Z with weights that is read for the slope by a layer's beta.
struct AxisReading {
  std::uint32_t layer = kNoLayer;
  EnergyForm form;
};
inline AxisReading axis_reading(std::uint32_t layer, std::span<const double> weights) {
  AxisReading out{.layer = layer, .form = {.num_bits = static_cast<std::uint32_t>(weights.size())}};
  out.form.pairs.resize(weights.size() * weights.size());
  for (const double weight : weights) {
    out.form.whole += weight;  // Z is 1 where the bit is 0
    out.form.linear.push_back(-2 * weight);
  }
  return out;
}

/// One work of a pass with its numbers. Going back, layers are undone, before and after have changed places, and sums are taken.
template <class Real>
struct Prepared {
  IsingWork work;
  Mix<Real> before;
  Mix<Real> after;
  PhaseForm form;
  simd::AlignedVector<Real> pairs;
  std::vector<AxisReading> axis_readings;  ///< beside phases, on the way back
  EnergyPhase<Real> by_energy;  ///< where energies are a table
  bool back = false;
  bool begins = false;  ///< with what the phase makes of the uniform state
  bool reads = false;  ///< the energy at the end; going on to gradients, the bra begins here
  /// Of sums: the square of the scale where they are taken.
  double inner_before_weight = 0;
  double before_weight = 0;
  double phase_weight = 0;
  double after_weight = 0;
  double inner_after_weight = 0;
  double reading_weight = 0;
};

/// Places of sums.
struct Slots {
  std::size_t num_layers;
  std::size_t energy() const { return 0; }
  std::size_t gamma(std::size_t layer) const { return 1 + layer; }
  std::size_t beta(std::size_t layer) const { return 1 + num_layers + layer; }
  std::size_t count() const { return 1 + 2 * num_layers; }
};

/// e^(i gamma E), with a factor.
template <class Real>
EnergyPhase<Real> energy_phase(double gamma, std::complex<double> factor) {
  constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1;
  constexpr double kRest = -0x1.6b01ec5417056p-55;  // 2/pi is the sum of the two
  const double turns = gamma * kTwoOverPi;
  const auto high = static_cast<Real>(turns);
  return {.high = high,
          .low = static_cast<Real>((turns - static_cast<double>(high)) +
                                   (std::fma(gamma, kTwoOverPi, -turns) + gamma * kRest)),
          .re = static_cast<Real>(factor.real()),
          .im = static_cast<Real>(factor.imag())};
}

/// Those of pairs within a leaf, in blocks as amplitudes are.
template <class Real>
simd::AlignedVector<Real> phase_pairs(const PhaseForm& form, const TileOrder& order) {
  const std::vector<std::complex<double>> pairs = leaf_pairs(form, order);
  simd::AlignedVector<Real> out(2 * pairs.size());
  for (std::size_t at = 0; at < pairs.size(); ++at) {
    out[re_at<Real>(at)] = static_cast<Real>(pairs[at].real());
    out[re_at<Real>(at) + kLanes<Real>] = static_cast<Real>(pairs[at].imag());
  }
  return out;
}

}  // namespace tandem::statevector

#include "tandem/compute/statevector/ising_layers.h"

#include <algorithm>
#include <complex>

#include "tandem/base/trig.h"
#include "tandem/compute/statevector/factor.h"

namespace tandem::statevector {
namespace {

using circuit::Gate;
using circuit::Instruction;
using Complex = std::complex<double>;

/// Bound what is held: a layer has 16 bytes for each pair of qubits, an instruction as many.
constexpr std::size_t kLayersAtOnce = 1024;
constexpr std::size_t kSeenMax = 1 << 20;

Complex turned_by(double angle) {
  const SinCos parts = sin_cos(angle);
  return {parts.cos, parts.sin};
}

/// Phases of some layer: whole * prod (one bit is 1: linear) * prod (two bits are 1: pairs).
class Phases {
 public:
  explicit Phases(std::uint32_t num_qubits)
      : form_{.num_bits = num_qubits,
              .whole = 1,
              .linear = std::vector<Complex>(num_qubits, 1),
              .pairs = std::vector<Complex>(std::size_t{num_qubits} * num_qubits, 1)} {}

  /// e^(-i angle/2) where the qubits are 0 or both 1, e^(i angle/2) elsewhere; u == v: one qubit.
  void turn(std::uint32_t u, std::uint32_t v, double angle) {
    const Complex half = turned_by(angle / 2);
    const Complex full = times(half, half);
    multiply(form_.whole, std::conj(half));
    multiply(form_.linear[u], full);
    if (u == v) {
      has_fields_ = true;
      return;
    }
    multiply(form_.linear[v], full);
    couple(u, v, std::conj(times(full, full)));
  }
  /// A factor of all places.
  void whole(Complex factor) { multiply(form_.whole, factor); }
  /// `factor` where the qubits are 1.
  void where_one(std::uint32_t u, std::uint32_t v, Complex factor) {
    has_fields_ = true;
    if (u == v)
      multiply(form_.linear[u], factor);
    else
      couple(u, v, factor);
  }

  bool has_fields() const { return has_fields_; }
  /// Where the qubits from number `n` on are 0.
  PhaseForm first(std::uint32_t n) const {
    PhaseForm out{
        .num_bits = n, .whole = form_.whole, .linear = {form_.linear.begin(), form_.linear.begin() + n}, .pairs = {}};
    for (std::uint32_t u = 0; u < n; ++u)
      out.pairs.insert(out.pairs.end(), form_.pairs.begin() + u * form_.num_bits,
                       form_.pairs.begin() + u * form_.num_bits + n);
    return out;
  }

 private:
  static void multiply(Complex& to, Complex factor) { to = times(to, factor); }
  void couple(std::uint32_t u, std::uint32_t v, Complex factor) {
    multiply(form_.pairs[u * form_.num_bits + v], factor);
    multiply(form_.pairs[v * form_.num_bits + u], factor);
  }

  PhaseForm form_;
  bool has_fields_ = false;
};

struct Layer {
  Phases phases;
  std::vector<SinCos> turns;
};

class Finder {
 public:
  Finder(std::span<const Instruction> instructions, std::span<const double> values, std::uint32_t num_qubits)
      : instructions_(instructions), values_(values), num_qubits_(num_qubits), mixed_(num_qubits, kNotYet) {}

  /// False: nothing to gain.
  bool find() {
    while (num_seen_ < std::min(instructions_.size(), kSeenMax)) {
      const std::size_t taken = take(instructions_.subspan(num_seen_));
      if (taken == 0) break;
      num_seen_ += taken;
    }
    return num_layers() > 0;
  }
  /// That are complete.
  std::size_t num_layers() const {
    const std::uint32_t least = *std::ranges::min_element(mixed_, {}, [](std::uint32_t n) { return n + 1; });
    return least == kNotYet ? 0 : least;
  }
  std::size_t num_seen() const { return num_seen_; }
  const Layer& layer(std::size_t l) const { return layers_[l]; }

  std::vector<Instruction> rest() const {
    std::vector<Instruction> out;
    for (const auto& [number, layer] : at_)
      if (layer >= num_layers()) out.push_back(instructions_[number]);
    return out;
  }

 private:
  static constexpr std::uint32_t kNotYet = UINT32_MAX;  // no H; + 1 is 0

  double angle(const Instruction& instruction) const { return instruction.angles[0].value(values_); }

  /// How many of them belong to layers, beginning with the first: one, or three that are one phase. 0: that one does not.
  std::size_t take(std::span<const Instruction> now) {
    const Instruction& first = now.front();
    const std::uint32_t u = first.qubits[0];
    const std::uint32_t v = first.qubits[1];
    switch (first.gate) {
      case Gate::kI:
      case Gate::kBarrier:
        return 1;
      case Gate::kH:
        if (mixed_[u] != kNotYet) return 0;
        mixed_[u] = 0;
        return 1;
      case Gate::kRx:
        return mix(u, angle(first) / 2);
      case Gate::kRz:
        return phase(u, u, 1, [&](Phases& to) { to.turn(u, u, angle(first)); });
      case Gate::kRzz:
        return phase(u, v, 1, [&](Phases& to) { to.turn(u, v, angle(first)); });
      case Gate::kP:
        return phase(u, u, 1, [&](Phases& to) { to.where_one(u, u, turned_by(angle(first))); });
      case Gate::kZ:
        return phase(u, u, 1, [&](Phases& to) { to.where_one(u, u, -1); });
      case Gate::kCp:
        return phase(u, v, 1, [&](Phases& to) { to.where_one(u, v, turned_by(angle(first))); });
      case Gate::kCz:
        return phase(u, v, 1, [&](Phases& to) { to.where_one(u, v, -1); });
      case Gate::kCx:
        return take_between(now);
      default:
        return 0;
    }
  }

  /// CX(u, v), RZ(v) or P(v), CX(u, v).
  std::size_t take_between(std::span<const Instruction> now) {
    if (now.size() < 3 || now[2] != now[0] || now[1].qubits[0] != now[0].qubits[1]) return 0;
    const std::uint32_t u = now[0].qubits[0];
    const std::uint32_t v = now[0].qubits[1];
    const double turned = angle(now[1]);
    if (now[1].gate != Gate::kRz && now[1].gate != Gate::kP) return 0;
    return phase(u, v, 3, [&](Phases& to) {
      to.turn(u, v, turned);
      if (now[1].gate == Gate::kP) to.whole(turned_by(turned / 2));
    });
  }

  template <class Body>
  std::size_t phase(std::uint32_t u, std::uint32_t v, std::size_t count, const Body& body) {
    if (mixed_[u] != mixed_[v] || !open(u)) return 0;
    body(layers_[mixed_[u]].phases);
    note(count, mixed_[u]);
    return count;
  }
  std::size_t mix(std::uint32_t u, double beta) {
    if (!open(u)) return 0;
    layers_[mixed_[u]].turns[u] = sin_cos(beta);
    note(1, mixed_[u]);
    ++mixed_[u];
    return 1;
  }
  /// Whether there is room for what comes next on the qubit.
  bool open(std::uint32_t qubit) {
    if (mixed_[qubit] == kNotYet || mixed_[qubit] == kLayersAtOnce) return false;
    if (mixed_[qubit] == layers_.size())
      layers_.push_back({.phases = Phases(num_qubits_), .turns = std::vector<SinCos>(num_qubits_)});
    return true;
  }
  void note(std::size_t count, std::uint32_t layer) {
    for (std::size_t i = 0; i < count; ++i) at_.emplace_back(num_seen_ + i, layer);
  }

  std::span<const Instruction> instructions_;
  std::span<const double> values_;
  std::uint32_t num_qubits_;
  std::vector<std::uint32_t> mixed_;  ///< layers that each qubit has behind it
  std::vector<Layer> layers_;
  std::vector<std::pair<std::size_t, std::uint32_t>> at_;  ///< number of an instruction and its layer
  std::size_t num_seen_ = 0;
};

}  // namespace

template <class Real>
std::optional<IsingLayers> find_ising_layers(std::span<const Instruction> instructions,
                                             std::span<const double> parameter_values, std::uint32_t num_qubits) {
  if (num_qubits < kIsingQubitsMin) return std::nullopt;
  Finder finder(instructions, parameter_values, num_qubits);
  if (!finder.find()) return std::nullopt;
  IsingLayers out{
      .layers = {}, .symmetric = can_be_halved<Real>(num_qubits), .num_seen = finder.num_seen(), .rest = finder.rest()};
  for (std::size_t l = 0; l < finder.num_layers(); ++l)
    out.symmetric = out.symmetric && !finder.layer(l).phases.has_fields();
  for (std::size_t l = 0; l < finder.num_layers(); ++l)
    out.layers.push_back(
        {.phases = finder.layer(l).phases.first(num_qubits - (out.symmetric ? 1 : 0)), .turns = finder.layer(l).turns});
  return out;
}

template <class Real>
Result<double> run_ising_layers(const IsingLayers& layers, Real* amplitudes, std::uint32_t num_qubits, simd::Isa isa,
                                Executor& executor, const std::stop_token& stop) {
  IsingRunner<Real> runner({.num_qubits = num_qubits, .symmetric = layers.symmetric, .ket = amplitudes}, layers.layers,
                           {.isa = isa, .tile_bits = kTileShape<Real>.most}, executor, stop);
  TANDEM_TRY(runner.forward());
  if (layers.symmetric) unfold(amplitudes, num_qubits, executor);
  return runner.scale();
}

template std::optional<IsingLayers> find_ising_layers<float>(std::span<const Instruction>, std::span<const double>,
                                                             std::uint32_t);
template std::optional<IsingLayers> find_ising_layers<double>(std::span<const Instruction>, std::span<const double>,
                                                              std::uint32_t);
template Result<double> run_ising_layers<float>(const IsingLayers&, float*, std::uint32_t, simd::Isa, Executor&,
                                                const std::stop_token&);
template Result<double> run_ising_layers<double>(const IsingLayers&, double*, std::uint32_t, simd::Isa, Executor&,
                                                 const std::stop_token&);

}  // namespace tandem::statevector

#include "tandem/compute/statevector/fuse.h"

#include <bit>
#include <cmath>

#include "tandem/base/assert.h"
#include "tandem/compute/statevector/factor.h"

namespace tandem::statevector {
namespace {

using Numbers = std::vector<std::uint32_t>;

constexpr std::uint32_t kNone = UINT32_MAX;

// Of the pieces, in turns above the lanes, as measured in tiles.
constexpr double kTurnCost = 1;
constexpr double kLaneTurnCost = 1.7;
constexpr double kPhasesCost = 0.3;  // a group is one for all pairs of a tile
constexpr double kGateCost = 1.2;  // for each bit that it mixes
constexpr double kLaneGateCost = 3;

/// Steps on a pair of bits with none between them that touches either.
struct Run {
  std::uint64_t bits = 0;
  std::uint32_t place =
      0;  ///< of the first step on both: before it none outside touches what comes before, and after it what comes after
  Numbers members;
  double cost = 0;
  bool in_phases = false;  ///< the last one was a phase
};

class Fusing {
 public:
  Fusing(const Steps& steps, std::uint32_t num_bits, std::uint32_t lane_bits, const FuseCosts& costs)
      : steps_(steps), lane_bits_(lane_bits), costs_(costs), waiting_(num_bits), open_(num_bits, kNone) {
    bound_ = std::ldexp(costs.bound, -static_cast<int>(num_bits));
  }

  FusedSteps run() {
    for (std::uint32_t number = 0; number < steps_.steps.size(); ++number) add(number);
    return fused();
  }

 private:
  void add(std::uint32_t number) {
    const Step& step = steps_.steps[number];
    const int count = std::popcount(step.touched);
    if (is_read(step) || count > 2) return close(step.touched);
    const auto a = static_cast<std::size_t>(std::countr_zero(step.touched));
    if (count == 1) {
      if (open_[a] == kNone)
        waiting_[a].push_back(number);
      else
        put(runs_[open_[a]], number);
      return;
    }
    const auto b = static_cast<std::size_t>(std::countr_zero(step.touched & (step.touched - 1)));
    if (open_[a] == kNone || open_[a] != open_[b]) {
      Run fresh{.bits = step.touched, .place = number};
      for (const std::size_t bit : {a, b}) {
        for (const std::uint32_t before : waiting_[bit]) put(fresh, before);
        waiting_[bit].clear();
        open_[bit] = static_cast<std::uint32_t>(runs_.size());
      }
      runs_.push_back(std::move(fresh));
    }
    put(runs_[open_[a]], number);
  }

  void close(std::uint64_t bits) {
    for (; bits != 0; bits &= bits - 1) {
      const auto bit = static_cast<std::size_t>(std::countr_zero(bits));
      waiting_[bit].clear();
      open_[bit] = kNone;
    }
  }

  void put(Run& run, std::uint32_t number) const {
    run.members.push_back(number);
    const Step& step = steps_.steps[number];
    const bool phase = step.kind == Step::Kind::kPhase;
    const bool on_lanes = (step.mixing & ones(lane_bits_)) != 0;
    if (step.kind == Step::Kind::kGate)
      run.cost += std::popcount(step.mixing) * (on_lanes ? kLaneGateCost : kGateCost);
    else if (!phase)
      run.cost += on_lanes ? kLaneTurnCost : kTurnCost;
    else if (!run.in_phases)
      run.cost += kPhasesCost;
    run.in_phases = phase;
  }

  FusedSteps fused() {
    const std::size_t count = steps_.steps.size();
    std::vector<std::uint32_t> run_of(count, kNone);
    for (std::uint32_t i = 0; i < runs_.size(); ++i) {
      const Run& run = runs_[i];
      if (run.members.size() < 2 || run.cost <= costs_.dense + bound_ * static_cast<double>(run.members.size()))
        continue;
      for (const std::uint32_t number : run.members) run_of[number] = i;
    }
    FusedSteps out;
    out.steps.reserve(count);
    out.numbers.reserve(count);
    for (std::uint32_t number = 0; number < count; ++number) {
      if (run_of[number] == kNone) {
        out.steps.push_back(steps_.steps[number]);
        out.numbers.push_back(number);
        continue;
      }
      Run& run = runs_[run_of[number]];
      if (run.place != number) continue;
      out.steps.push_back({.kind = Step::Kind::kDense,
                           .gate = static_cast<std::uint32_t>(out.members.size()),
                           .touched = run.bits,
                           .mixing = run.bits});
      out.numbers.push_back(run.members.front());
      out.members.push_back(std::move(run.members));
    }
    return out;
  }

  const Steps& steps_;
  std::uint32_t lane_bits_;
  const FuseCosts& costs_;
  double bound_;  ///< FuseCosts::bound, for an amplitude
  std::vector<Numbers> waiting_;  ///< of each bit: steps on it alone that no run has
  std::vector<std::uint32_t> open_;  ///< of each bit: the run that it is in
  std::vector<Run> runs_;
};

/// The product, and the bits that its indices are.
class Multiplying {
 public:
  explicit Multiplying(std::span<const std::uint64_t> bits) : size_(std::size_t{1} << bits.size()) {
    for (std::size_t i = 0; i < size_; ++i) {
      for (std::size_t k = 0; k < bits.size(); ++k)
        if ((i >> k & 1) != 0) pattern_[i] |= bits[k];
      m_[i * size_ + i] = 1;
    }
  }

  void multiply(const Step& step) {
    if (step.kind == Step::Kind::kPhase) return scale(step.touched, step.touched, step.factor);
    TANDEM_ASSERT(step.kind == Step::Kind::kTurn);
    mix(step.touched, 0, step.touched, {step.cosine, -step.sine, step.sine, step.cosine});
  }
  void multiply(const PreparedGate& gate) {
    for (const Phase& phase : std::span(gate.phases).first(gate.num_phases))
      scale(gate.operands, phase.pattern, phase.factor);
    for (const Pair& pair : std::span(gate.pairs).first(gate.num_pairs))
      mix(gate.operands, pair.a, pair.b, pair.matrix);
  }
  const Product& product() const { return m_; }

 private:
  /// Rows where `bits` are `pattern`.
  void scale(std::uint64_t bits, std::uint64_t pattern, std::complex<double> factor) {
    for (std::size_t row = 0; row < size_; ++row) {
      if ((pattern_[row] & bits) != pattern) continue;
      for (std::size_t column = 0; column < size_; ++column)
        m_[row * size_ + column] = times(factor, m_[row * size_ + column]);
    }
  }

  /// Rows where `bits` are `a` with those where they are `b`.
  void mix(std::uint64_t bits, std::uint64_t a, std::uint64_t b, const std::array<std::complex<double>, 4>& matrix) {
    for (std::size_t row = 0; row < size_; ++row) {
      if ((pattern_[row] & bits) != a) continue;
      std::size_t other = 0;
      while (pattern_[other] != (pattern_[row] ^ a ^ b)) ++other;
      for (std::size_t column = 0; column < size_; ++column) {
        const std::complex<double> x = m_[row * size_ + column];
        const std::complex<double> y = m_[other * size_ + column];
        m_[row * size_ + column] = times(matrix[0], x) + times(matrix[1], y);
        m_[other * size_ + column] = times(matrix[2], x) + times(matrix[3], y);
      }
    }
  }

  std::size_t size_;
  std::array<std::uint64_t, 4> pattern_{};  ///< of each index
  Product m_{};
};

}  // namespace

FusedSteps fuse(const Steps& steps, std::uint32_t num_bits, std::uint32_t lane_bits, const FuseCosts& costs) {
  return Fusing(steps, num_bits, lane_bits, costs).run();
}

Product product_of(const Steps& steps, std::span<const std::uint32_t> numbers, std::span<const std::uint64_t> bits) {
  Multiplying out(bits);
  for (const std::uint32_t number : numbers) {
    const Step& step = steps.steps[number];
    if (step.kind == Step::Kind::kGate)
      out.multiply(steps.gates[step.gate]);
    else
      out.multiply(step);
  }
  return out.product();
}

}  // namespace tandem::statevector

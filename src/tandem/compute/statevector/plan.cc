#include "tandem/compute/statevector/plan.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <optional>

namespace tandem::statevector {
namespace {

using Numbers = std::vector<std::uint32_t>;  // of steps, ascending

std::uint64_t ones(std::uint32_t bits) { return bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1; }

/// What steps that wait keep others from. Steps commute when neither touches what the other mixes, and so do readings.
class Waiting {
 public:
  bool blocks(const Step& step) const {
    if (step.kind == Step::Kind::kReading)
      return (step.mixing & touched_by_changes_) != 0 || (step.touched & mixed_by_changes_) != 0;
    return (step.mixing & touched_) != 0 || (step.touched & mixed_) != 0;
  }
  void add(const Step& step) {
    touched_ |= step.touched;
    mixed_ |= step.mixing;
    if (step.kind == Step::Kind::kReading) return;
    touched_by_changes_ |= step.touched;
    mixed_by_changes_ |= step.mixing;
  }
  /// True when no step on these bits can pass any more.
  bool all_of(std::uint64_t bits) const { return (mixed_by_changes_ & bits) == bits; }

 private:
  std::uint64_t touched_ = 0;
  std::uint64_t mixed_ = 0;
  std::uint64_t touched_by_changes_ = 0;
  std::uint64_t mixed_by_changes_ = 0;
};

/// Those of `left` that can be done while the bits of `tile` are together; in `mixing` how many of them mix.
void doable(const std::vector<Step>& steps, const Numbers& left, std::uint64_t tile, std::uint64_t all,
            std::size_t& mixing, Numbers* out) {
  Waiting waiting;
  mixing = 0;
  for (const std::uint32_t number : left) {
    const Step& step = steps[number];
    if ((step.mixing & ~tile) != 0 || waiting.blocks(step)) {
      waiting.add(step);
      if (waiting.all_of(all)) return;
      continue;
    }
    mixing += step.mixing != 0 ? 1 : 0;
    if (out != nullptr) out->push_back(number);
  }
}

/// The tile that most can be done in: its rows, and what is added one by one, then exchanged while that helps.
std::uint64_t choose_tile(const std::vector<Step>& steps, const Numbers& left, std::uint32_t num_bits,
                          const TileShape& shape) {
  if (num_bits <= shape.most) return ones(num_bits);
  constexpr std::size_t kAheadMax = 4096;
  const Numbers ahead(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(std::min(left.size(), kAheadMax)));
  const auto worth = [&](std::uint64_t tile) {
    std::size_t mixing = 0;
    doable(steps, ahead, tile, ones(num_bits), mixing, nullptr);
    return mixing;
  };
  // What waits first has to come in, or nothing would be done.
  const auto first = std::ranges::find_if(ahead, [&](std::uint32_t number) { return steps[number].mixing != 0; });
  std::uint64_t tile = ones(shape.row) | (first == ahead.end() ? 0 : steps[*first].mixing);
  for (auto count = static_cast<std::uint32_t>(std::popcount(tile)); count < shape.most; ++count) {
    std::uint64_t best = 0;
    std::size_t most = 0;
    for (std::uint32_t bit = shape.row; bit < num_bits; ++bit) {
      const std::uint64_t mask = std::uint64_t{1} << bit;
      if ((tile & mask) != 0) continue;
      const std::size_t found = worth(tile | mask);
      if (best != 0 && found <= most) continue;
      best = mask;
      most = found;
    }
    tile |= best;
  }
  std::size_t now = worth(tile);
  for (bool better = true; better;) {
    better = false;
    for (std::uint32_t out = shape.row; out < num_bits && !better; ++out) {
      if ((tile >> out & 1) == 0) continue;
      for (std::uint32_t in = shape.row; in < num_bits && !better; ++in) {
        if ((tile >> in & 1) != 0) continue;
        const std::uint64_t other = (tile ^ std::uint64_t{1} << out) | std::uint64_t{1} << in;
        const std::size_t found = worth(other);
        better = found > now;
        if (!better) continue;
        tile = other;
        now = found;
      }
    }
  }
  return tile;
}

/// The bits of `tile` that `now` mixes, and as many of the lowest ones as a tile has at least.
std::uint64_t shrunk(std::uint64_t tile, const std::vector<Step>& steps, const Numbers& now, std::uint32_t num_bits,
                     const TileShape& shape) {
  std::uint64_t out = ones(std::min(num_bits, shape.row));
  for (const std::uint32_t number : now) out |= steps[number].mixing;
  const auto least = static_cast<int>(std::min(num_bits, shape.least));
  for (std::uint64_t rest = ones(num_bits) & ~out; std::popcount(out) < least; rest &= rest - 1)
    out |= rest & (0 - rest);
  // In a row it needs no gathering.
  const std::uint64_t in_a_row = ones(static_cast<std::uint32_t>(std::bit_width(out)));
  return (in_a_row & ~tile) == 0 ? in_a_row : out;
}

/// Turns are without their cosine or sine; it gathers here and goes into the next phases, before numbers get too large or small.
/// Measurements gather the inverse, and steps that are no phases would let it grow without end.
constexpr double kScaleLeast = 0x1p-30;
constexpr double kScaleMost = 0x1p30;

template <class Real>
class StageBuilder {
 public:
  StageBuilder(const Steps& steps, std::uint64_t tile, std::uint32_t num_bits, double& scale)
      : steps_(steps), num_bits_(num_bits), scale_(scale), position_(num_bits, kOutside) {
    for (std::uint32_t bit = 0; bit < num_bits; ++bit) {
      if ((tile >> bit & 1) == 0) continue;
      position_[bit] = static_cast<std::uint32_t>(stage_.tile_bits.size());
      stage_.tile_bits.push_back(bit);
    }
  }

  Stage<Real> build(Numbers left) {
    for (const std::uint32_t number : left) touched_ |= steps_.steps[number].touched;
    while (!left.empty()) {
      phases(left);
      mixing(left);
    }
    return std::move(stage_);
  }

 private:
  void phases(Numbers& left) {
    Waiting waiting;
    PhaseGroup<Real> group(num_bits_);
    bool any = false;
    take(left, waiting, [&](std::uint32_t number) {
      const Step& step = steps_.steps[number];
      if (step.kind != Step::Kind::kPhase || waiting.blocks(step)) {
        waiting.add(step);
        return false;
      }
      group.add(step.touched, step.factor);
      any = true;
      return true;
    });
    if (any) close(std::move(group));
  }

  /// Takes out what `takes` says, until nothing can pass what waits: so that a layer costs what it holds, not what is left.
  template <class Takes>
  void take(Numbers& left, const Waiting& waiting, Takes takes) {
    auto kept = left.begin();
    auto at = left.begin();
    for (; at != left.end() && !waiting.all_of(touched_); ++at)
      if (!takes(*at)) *kept++ = *at;
    left.erase(kept, at);
  }

  void close(PhaseGroup<Real> group) {
    group.scale(scale_);
    scale_ = 1;
    group.prepare(stage_.tile_bits);
    stage_.work.emplace_back(std::move(group));
  }

  void mixing(Numbers& left) {
    Waiting waiting;
    std::vector<std::uint32_t> gates;
    std::vector<Reading> readings;
    const std::size_t first_slot = stage_.readings.size();
    TurnWork<Real> lanes;
    lanes.on_lanes = true;
    std::array<TurnWork<Real>, 2> above;  // about y, about x
    take(left, waiting, [&](std::uint32_t number) {
      const Step& step = steps_.steps[number];
      const bool waits = step.kind == Step::Kind::kPhase || waiting.blocks(step);
      waiting.add(step);  // what is done now comes before the others too
      if (waits) return false;
      if (step.kind == Step::Kind::kGate) {
        gates.push_back(step.gate);
      } else if (step.kind == Step::Kind::kReading) {
        readings.push_back(steps_.readings[step.gate]);
        stage_.readings.push_back(step.gate);
      } else if (const std::optional<Turn<Real>> turn = turn_of(step)) {
        (turn->bit < kLaneBits<Real> ? lanes : above[turn->about_x ? 1 : 0]).turns.push_back(*turn);
      }
      return true;
    });
    if (!lanes.turns.empty()) stage_.work.emplace_back(std::move(lanes));
    for (TurnWork<Real>& turns : above) {
      std::ranges::sort(turns.turns, {}, &Turn<Real>::bit);
      if (!turns.turns.empty()) stage_.work.emplace_back(std::move(turns));
    }
    for (const std::uint32_t gate : gates) stage_.work.emplace_back(TileGate<Real>(steps_.gates[gate], position_));
    if (!readings.empty())
      stage_.work.emplace_back(TileReadings<Real>(readings, position_, scale_ * scale_, first_slot));
    const double size = std::abs(scale_);
    if (size < kScaleLeast || size > kScaleMost) close(PhaseGroup<Real>(num_bits_));
  }

  /// Without its factor, which is gathered; empty where it is nothing but that.
  std::optional<Turn<Real>> turn_of(const Step& step) {
    const double cosine = step.cosine;
    const double sine = step.sine;
    const bool large = std::abs(sine) > std::abs(cosine);
    scale_ *= large ? sine : cosine;
    if (sine == 0) return std::nullopt;
    const auto bit = static_cast<std::uint32_t>(std::countr_zero(step.mixing));
    return Turn<Real>{.bit = position_[bit],
                      .about_x = step.kind == Step::Kind::kTurnX,
                      .large = large,
                      .ratio = static_cast<Real>(large ? cosine / sine : sine / cosine)};
  }

  const Steps& steps_;
  std::uint32_t num_bits_;
  double& scale_;
  std::uint64_t touched_ = 0;  ///< by any step
  std::vector<std::uint32_t> position_;  ///< of a bit of the place in the tile
  Stage<Real> stage_;
};

}  // namespace

template <class Real>
Plan<Real> make_plan(const Steps& steps, std::uint32_t num_bits, double scale, const TileShape& shape) {
  Plan<Real> plan;
  plan.row_bits = shape.row;
  Numbers left(steps.steps.size());
  for (std::uint32_t i = 0; i < left.size(); ++i) left[i] = i;
  while (!left.empty()) {
    std::uint64_t tile = choose_tile(steps.steps, left, num_bits, shape);
    Numbers now;
    std::size_t mixing = 0;
    doable(steps.steps, left, tile, ones(num_bits), mixing, &now);
    tile = shrunk(tile, steps.steps, now, num_bits, shape);
    Numbers later;
    std::ranges::set_difference(left, now, std::back_inserter(later));
    plan.stages.push_back(StageBuilder<Real>(steps, tile, num_bits, scale).build(std::move(now)));
    left = std::move(later);
  }
  plan.scale = scale;
  return plan;
}

template Plan<float> make_plan<float>(const Steps& steps, std::uint32_t num_bits, double scale, const TileShape& shape);
template Plan<double> make_plan<double>(const Steps& steps, std::uint32_t num_bits, double scale,
                                        const TileShape& shape);

}  // namespace tandem::statevector

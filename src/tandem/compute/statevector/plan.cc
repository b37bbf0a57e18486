#include "tandem/compute/statevector/plan.h"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <optional>
#include <utility>

#include "tandem/compute/statevector/bound_turn.h"

namespace tandem::statevector {
namespace {

using Numbers = std::vector<std::uint32_t>;  // of steps, ascending

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
  const std::uint32_t most_bits = shape.most_of(num_bits);
  if (num_bits <= most_bits) return ones(num_bits);
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
  for (auto count = static_cast<std::uint32_t>(std::popcount(tile)); count < most_bits; ++count) {
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

/// Turns are without their cosine or sine, whichever is larger and so at least the root of a half. It is gathered and goes into the next
/// phases, here after that many turns at the latest and those of one layer: so numbers stay in the range of `float`.
constexpr std::size_t kTurnsOwedMax = 32;

template <class Real>
class StageBuilder {
 public:
  /// `fused`: made of `steps`. `owed`: turns whose factor waits for a group of phases.
  StageBuilder(const Steps& steps, const FusedSteps& fused, std::uint64_t tile, std::uint32_t num_bits,
               std::size_t& owed)
      : steps_(steps), fused_(fused), num_bits_(num_bits), owed_(owed), position_(num_bits, kOutside) {
    for (std::uint32_t bit = 0; bit < num_bits; ++bit) {
      if ((tile >> bit & 1) == 0) continue;
      position_[bit] = static_cast<std::uint32_t>(stage_.tile_bits.size());
      stage_.tile_bits.push_back(bit);
    }
  }

  /// What costs most by the piece comes last, so that most is in it: gates cost the same whenever they are done, turns share a reading of the
  /// tile, and a group of phases costs as much as four turns. `takes_scale`: begin with a group, that of a scale. With `rest` the stage may
  /// end where it does most for what it costs; the others go there.
  Stage<Real> build(Numbers left, bool takes_scale, Numbers* rest) {
    for (const std::uint32_t number : left) touched_ |= step_of(number).touched;
    if (takes_scale) phases(left);
    End best;
    while (!left.empty()) {
      if (gates(left) || dense(left) || turns(left) || read_turns(left) || readings(left)) continue;
      phases(left);
      if (rest != nullptr) consider(best, left);
    }
    if (rest == nullptr || !stage_.readings.empty()) return std::move(stage_);
    consider(best, left);
    stage_.work.erase(stage_.work.begin() + static_cast<std::ptrdiff_t>(best.size), stage_.work.end());
    owed_ = best.owed;
    *rest = std::move(best.left);
    return std::move(stage_);
  }

 private:
  /// Where a stage may end. A tile's last layers often hold a turn or two, of which another tile, that of a later stage, holds more: there
  /// they share phases and readings.
  struct End {
    double worth = -1;  ///< turns for what they cost
    std::size_t size = 0;  ///< of its work
    std::size_t owed = 0;
    Numbers left;
  };

  /// In turns of a bit above the lanes, as measured in single precision on Zen 3. Not by the machine: it decides how numbers are rounded.
  void count(const PhaseGroup<Real>&) { cost_ += 4; }
  void count(const TurnWork<Real>& work) {
    constexpr double kNearReading = 2, kFarReading = 3, kLane = 3;
    constexpr std::size_t kTurnsAtOnce = 3;
    const std::size_t number = work.turns.size();
    const auto readings = static_cast<double>((number + kTurnsAtOnce - 1) / kTurnsAtOnce);
    const auto turns = static_cast<double>(number);
    cost_ += work.on_lanes ? kLane * turns : turns + readings * (work.is_near() ? kNearReading : kFarReading);
    turns_ += turns;
  }
  template <class Other>
  void count(const Other&) {
    cost_ += 8;
    turns_ += 4;
  }
  void consider(End& best, const Numbers& left) {
    for (; counted_ < stage_.work.size(); ++counted_)
      std::visit([&](const auto& work) { count(work); }, stage_.work[counted_]);
    const double worth = turns_ / cost_;
    if (worth >= best.worth) best = {.worth = worth, .size = counted_, .owed = owed_, .left = left};
  }

  /// Takes out what `takes` says, until nothing can pass what waits: so that a layer costs what it holds, not what is left.
  template <class Takes>
  bool take(Numbers& left, Takes takes) {
    Waiting waiting;
    auto kept = left.begin();
    auto at = left.begin();
    for (; at != left.end() && !waiting.all_of(touched_); ++at)
      if (!takes(*at, waiting)) *kept++ = *at;
    const bool any = kept != at;
    left.erase(kept, at);
    return any;
  }

  /// One after the other.
  bool gates(Numbers& left) {
    return take(left, [&](std::uint32_t number, Waiting& waiting) {
      const Step& step = step_of(number);
      const bool parity = step.kind == Step::Kind::kParity;
      if ((step.kind != Step::Kind::kGate && !parity) || waiting.blocks(step)) {
        waiting.add(step);
        return false;
      }
      TileGate<Real> gate = parity ? TileGate<Real>::of_parity(step.touched, position_)
                                   : TileGate<Real>(steps_.gates[step.gate], position_);
      stage_.work.emplace_back(GateWork<Real>{.gate = std::move(gate), .steps = {fused_.numbers[number]}});
      return true;
    });
  }

  /// One of each bit. Those within a run and the others come first in turns, so that those of two layers stand together.
  bool dense(Numbers& left) {
    DenseWork<Real> near, far;
    const bool any = take(left, [&](std::uint32_t number, Waiting& waiting) {
      const Step& step = step_of(number);
      const bool waits = step.kind != Step::Kind::kDense || waiting.blocks(step);
      waiting.add(step);
      if (waits) return false;
      const std::uint64_t low = step.touched & (0 - step.touched);
      const std::uint64_t high = step.touched ^ low;
      const auto position = [&](std::uint64_t bit) {
        return position_[static_cast<std::size_t>(std::countr_zero(bit))];
      };
      const DensePair pair{.low = position(low), .high = position(high)};
      (pair.high < kRunBits<Real> ? near : far).add(pair, {low, high}, fused_.members[step.gate]);
      return true;
    });
    for (DenseWork<Real>* const work : {far_first_ ? &far : &near, far_first_ ? &near : &far})
      if (work->size() > 0) stage_.work.emplace_back(std::move(*work));
    if (any) far_first_ = !far_first_;
    return any;
  }

  /// One of each bit.
  bool turns(Numbers& left) {
    Numbers lanes;
    Numbers near, far;  // above them; near ones join the phases before them
    const bool any = take(left, [&](std::uint32_t number, Waiting& waiting) {
      const Step& step = step_of(number);
      const bool waits = step.kind != Step::Kind::kTurn || waiting.blocks(step);
      waiting.add(step);  // what is done now comes before the others too
      if (waits) return false;
      const std::uint32_t position = position_of(number);
      (position < kLaneBits<Real> ? lanes : position < kRunBits<Real> ? near : far).push_back(number);
      return true;
    });
    for (Numbers* const numbers : {&lanes, &near, &far}) {
      std::ranges::sort(*numbers, {}, [&](std::uint32_t number) { return position_of(number); });
      add_turns(*numbers, numbers == &lanes);
    }
    if (owed_ > kTurnsOwedMax) close(PhaseGroup<Real>(num_bits_));
    return any;
  }

  /// The same of those that are read as they are done.
  bool read_turns(Numbers& left) {
    BothTurns<Real> work;
    const bool any = take(left, [&](std::uint32_t number, Waiting& waiting) {
      const Step& step = step_of(number);
      const bool waits = step.kind != Step::Kind::kReadTurn || waiting.blocks(step);
      waiting.add(step);
      if (waits) return false;
      work.add(position_of(number), fused_.numbers[number], static_cast<std::uint32_t>(stage_.readings.size()));
      stage_.readings.push_back(step.gate);
      return true;
    });
    if (!any) return false;
    owed_ += work.size();
    work.arrange();
    stage_.work.emplace_back(std::move(work));
    if (owed_ > kTurnsOwedMax) close(PhaseGroup<Real>(num_bits_));
    return true;
  }

  bool readings(Numbers& left) {
    const std::size_t first_slot = stage_.readings.size();
    std::vector<Reading> now;
    const bool any = take(left, [&](std::uint32_t number, Waiting& waiting) {
      const Step& step = step_of(number);
      if (step.kind != Step::Kind::kReading || waiting.blocks(step)) {
        waiting.add(step);
        return false;
      }
      now.push_back(steps_.readings[step.gate]);
      stage_.readings.push_back(step.gate);
      return true;
    });
    if (any) stage_.work.emplace_back(TileReadings<Real>(now, position_, first_slot));
    return any;
  }

  void phases(Numbers& left) {
    PhaseGroup<Real> group(num_bits_);
    take(left, [&](std::uint32_t number, Waiting& waiting) {
      const Step& step = step_of(number);
      if (step.kind != Step::Kind::kPhase || waiting.blocks(step)) {
        waiting.add(step);
        return false;
      }
      group.add(step.touched, fused_.numbers[number]);
      return true;
    });
    close(std::move(group));
  }

  void close(PhaseGroup<Real> group) {
    owed_ = 0;
    group.arrange(stage_.tile_bits);
    stage_.work.emplace_back(std::move(group));
  }

  const Step& step_of(std::uint32_t number) const { return fused_.steps[number]; }
  /// In the tile, of the bit that a turn mixes.
  std::uint32_t position_of(std::uint32_t number) const {
    return position_[static_cast<std::size_t>(std::countr_zero(step_of(number).mixing))];
  }

  void add_turns(const Numbers& numbers, bool on_lanes) {
    if (numbers.empty()) return;
    TurnWork<Real> work{.on_lanes = on_lanes};
    for (const std::uint32_t number : numbers) {
      work.turns.push_back({.bit = position_of(number)});
      work.steps.push_back(fused_.numbers[number]);
    }
    owed_ += numbers.size();
    stage_.work.emplace_back(std::move(work));
  }

  const Steps& steps_;
  const FusedSteps& fused_;
  std::uint32_t num_bits_;
  std::size_t& owed_;
  std::uint64_t touched_ = 0;  ///< by any step
  bool far_first_ = false;  ///< of the next dense gates
  std::size_t counted_ = 0;  ///< pieces of work, in the next two
  double turns_ = 0;
  double cost_ = 20;  ///< of a pass alone, with rows gathered and put back
  std::vector<std::uint32_t> position_;  ///< of a bit of the place in the tile
  Stage<Real> stage_;
};

/// On one bit: (a, b) -> matrix (a, b).
PreparedGate pair_of(std::uint64_t bit, const Product& matrix) {
  PreparedGate out{.operands = bit, .mixing = bit, .num_pairs = 1};
  out.pairs[0] = {.a = 0, .b = bit, .matrix = {matrix[0], matrix[1], matrix[2], matrix[3]}};
  return out;
}

/// A gate alone shares its pass with nothing, so it costs what memory does if it is one piece of work that needs no gathering: steps that
/// all touch one bit, or one gate of pairs. Empty where there is more to do.
template <class Real>
std::optional<Stage<Real>> gate_alone(const Steps& steps, const FusedSteps& fused, const Numbers& now,
                                      std::uint32_t num_bits, const TileShape& shape) {
  const Step& first = fused.steps[now.front()];
  const bool one_bit = std::ranges::all_of(now, [&](std::uint32_t number) {
    return fused.steps[number].touched == first.touched && std::has_single_bit(first.touched);
  });
  const bool turns = std::ranges::any_of(now, [&](std::uint32_t number) { return fused.steps[number].mixing != 0; });
  const bool merged = one_bit && turns;
  if (std::ranges::any_of(now, [&](std::uint32_t number) { return is_read(fused.steps[number]); })) return std::nullopt;
  if (!merged && (now.size() > 1 || first.kind != Step::Kind::kGate)) return std::nullopt;
  std::vector<std::uint32_t> position(num_bits);
  std::iota(position.begin(), position.end(), 0u);
  const std::uint32_t tile_bits = std::min(num_bits, shape.least);
  Stage<Real> out{.beside = first.touched & ~ones(tile_bits)};
  out.tile_bits.assign(position.begin(), position.begin() + tile_bits);
  const PreparedGate gate = merged ? pair_of(first.touched, {}) : steps.gates[first.gate];
  GateWork<Real> work{.gate = {gate, position}, .merged = merged ? first.touched : 0};
  for (const std::uint32_t number : now) work.steps.push_back(fused.numbers[number]);
  out.work.emplace_back(std::move(work));
  return out;
}

}  // namespace

template <class Real>
Plan<Real> make_plan(const Steps& steps, std::uint32_t num_bits, const PlanOptions<Real>& options) {
  Plan<Real> plan;
  plan.row_bits = options.shape.row;
  plan.takes_scale = options.takes_scale;
  const FusedSteps fused = fuse(steps, num_bits, kLaneBits<Real>, options.fuse);
  std::size_t owed = 0;
  Numbers left(fused.steps.size());
  for (std::uint32_t i = 0; i < left.size(); ++i) left[i] = i;
  while (!left.empty()) {
    std::uint64_t tile = choose_tile(fused.steps, left, num_bits, options.shape);
    Numbers now;
    std::size_t mixing = 0;
    doable(fused.steps, left, tile, ones(num_bits), mixing, &now);
    tile = shrunk(tile, fused.steps, now, num_bits, options.shape);
    Numbers later;
    Numbers rest;
    std::ranges::set_difference(left, now, std::back_inserter(later));
    const bool takes_scale = options.takes_scale && plan.stages.empty();
    auto alone = gate_alone<Real>(steps, fused, now, num_bits, options.shape);
    if (alone && !takes_scale)
      plan.stages.push_back(*std::move(alone));
    else
      plan.stages.push_back(StageBuilder<Real>(steps, fused, tile, num_bits, owed)
                                .build(std::move(now), takes_scale, later.empty() ? nullptr : &rest));
    left.clear();
    std::ranges::merge(later, rest, std::back_inserter(left));
  }
  return plan;
}

template <class Real>
void bind(Plan<Real>& plan, const Steps& steps, double scale, const TileKernels<Real>& kernels) {
  plan.scale = plan.takes_scale ? scale : 1;
  for (Stage<Real>& stage : plan.stages) {
    for (auto& work : stage.work) {
      if (auto* const phases = std::get_if<PhaseGroup<Real>>(&work)) {
        phases->bind(steps.steps, std::exchange(plan.scale, 1), kernels);
      } else if (auto* const turns = std::get_if<TurnWork<Real>>(&work)) {
        for (std::size_t i = 0; i < turns->turns.size(); ++i)
          bind_turn(turns->turns[i], steps.steps[turns->steps[i]], plan.scale);
      } else if (auto* const readings = std::get_if<TileReadings<Real>>(&work)) {
        readings->bind(plan.scale * plan.scale);
      } else if (auto* const dense = std::get_if<DenseWork<Real>>(&work)) {
        dense->bind(steps);
      } else if (auto* const both = std::get_if<BothTurns<Real>>(&work)) {
        both->bind(steps.steps, plan.scale);
      } else {
        auto& [gate, numbers, merged] = std::get<GateWork<Real>>(work);
        const Step& step = steps.steps[numbers.front()];
        if (merged != 0)
          gate.bind(pair_of(merged, product_of(steps, numbers, std::array{merged})));
        else if (step.kind == Step::Kind::kParity)
          gate.bind_parity(step.factor);
        else if (!plan.bound || !step.fixed)
          gate.bind(steps.gates[step.gate]);
      }
    }
  }
  plan.bound = true;
}

template <class Real>
std::size_t Plan<Real>::bytes() const {
  std::size_t out = sizeof(Plan);
  for (const Stage<Real>& stage : stages) {
    out += sizeof(Stage<Real>) + stage.tile_bits.size() * sizeof(std::uint32_t);
    for (const auto& work : stage.work) {
      if (const auto* const phases = std::get_if<PhaseGroup<Real>>(&work))
        out += phases->bytes();
      else if (const auto* const turns = std::get_if<TurnWork<Real>>(&work))
        out += sizeof(work) + turns->turns.size() * (sizeof(Turn<Real>) + sizeof(std::uint32_t));
      else if (const auto* const gate = std::get_if<GateWork<Real>>(&work))
        out += sizeof(work) + gate->gate.bytes();
      else if (const auto* const dense = std::get_if<DenseWork<Real>>(&work))
        out += sizeof(work) + dense->bytes();
      else if (const auto* const both = std::get_if<BothTurns<Real>>(&work))
        out += both->bytes();
      else
        out += sizeof(work) + std::get<TileReadings<Real>>(work).bytes();
    }
  }
  return out;
}

template struct Plan<float>;
template struct Plan<double>;
template Plan<float> make_plan<float>(const Steps&, std::uint32_t, const PlanOptions<float>&);
template Plan<double> make_plan<double>(const Steps&, std::uint32_t, const PlanOptions<double>&);
template void bind<float>(Plan<float>&, const Steps&, double, const TileKernels<float>&);
template void bind<double>(Plan<double>&, const Steps&, double, const TileKernels<double>&);

}  // namespace tandem::statevector

#include "tandem/compute/solve/width_search.h"

#include <algorithm>
#include <queue>
#include <utility>

#include "tandem/base/stopped.h"

namespace tandem::solve {

namespace {

constexpr std::size_t kWidth = 14;  // measured on tori of 5,000 and 7,000 spins: 12 finds less in the same time
constexpr std::size_t kPlans = 8;
constexpr std::size_t kRuns = 2;  // of a round: the second mends what the cuts of the first one left
constexpr std::size_t kRegionMax = std::size_t{1} << 15;  // a plan of 10 ms
constexpr std::size_t kWholeMax = 100'000;  // variables: planning them takes 0.1 s
constexpr std::uint64_t kTableBytesMax = std::uint64_t{128} << 20;
constexpr std::uint64_t kPlanEvery = 7;  // planning has one of so many units
constexpr std::uint64_t kTurnUnitsPerVariable = 20'000;  // of the incumbent or a scout, before the other's turn
constexpr std::uint64_t kTurnGrowth = 10;  // each pair of turns is longer by one of so many parts
// Layers of a ring, 0: no rings. On a torus of 5,000 spins rings of 7 cover 0.875 of it where a region without them covers 0.859, at 105
// table entries a spin, not 323, and are planned in a third of the time. Rings of 9 cover 0.894 at 657, and find less in the same time;
// straight strips, eliminated by least degree, cover 0.85.
constexpr std::array<std::uint32_t, 4> kRings{0, 3, 5, 7};
constexpr int kSeedDraws = 8;  // of which a region begins at the variable planned least often
constexpr std::size_t kOffersMax = 4;  // waiting
// Units of what is not in tables, by its time.
constexpr std::uint64_t kUnitsOfVisit = 2;
constexpr std::uint64_t kUnitsOfChoice = 40;
constexpr std::uint64_t kUnitsOfPlanning = 250;
constexpr std::uint64_t kUnitsOfStep = 12;
constexpr std::uint64_t kUnitsOfTrace = 10;
constexpr std::size_t kVariablesPerLook = 64;  // while it is made; those of dense rows take the longest
constexpr std::size_t kTouchedPerLook = 1 << 12;  // where all variables may have been touched
constexpr std::uint64_t kStopEvery = 1 << 14;  // units between two looks at the stop token: some 100 us

/// Of a value in a plan of `width`; the plan decides for itself, this is for the room of its tables.
std::uint64_t value_bytes(const SearchModel& model, std::size_t width, const std::stop_token& stop) {
  double reach_max = 1;
  for (std::size_t i = 0; i < model.size(); ++i) {
    if (i % kVariablesPerLook == 0) throw_if(stop);
    double reach = 0;
    for_each_coupling(model, i, [&](std::size_t, std::int64_t w) { reach += std::abs(static_cast<double>(w)); });
    reach_max = std::max(reach_max, reach);
  }
  const double bound = reach_max * static_cast<double>(width + 4) + 2;
  return bound < 0x1p7 ? 1 : bound < 0x1p15 ? 2 : bound < 0x1p31 ? 4 : 8;
}

/// Of such width or less, perhaps.
bool may_be_whole(const SearchModel& model) {
  return model.size() <= kWholeMax && model.num_entries() <= 2 * WidthSearch::kWholeWidth * model.size();
}

/// As many as tables have room for, most being much smaller than the largest. Where most variables have more neighbours than fit, a
/// region is one bag.
std::size_t region_size(const SearchModel& model, const std::stop_token& stop) {
  const std::uint64_t degree = model.num_entries() / model.size();
  const std::uint64_t room = kTableBytesMax / (value_bytes(model, kWidth, stop) << (kWidth - 2));
  return std::min<std::uint64_t>({model.size(), degree > 2 * kWidth ? kWidth + 1 : kRegionMax, room});
}

bool is_symmetric(const SearchModel& model, const std::stop_token& stop) {
  for (std::size_t i = 0; i < model.size(); ++i) {
    if (i % kVariablesPerLook == 0) throw_if(stop);
    std::int64_t both = model.linear()[i] * 2;
    for_each_coupling(model, i, [&](std::size_t, std::int64_t weight) { both += weight; });
    if (both != 0) return false;
  }
  return true;
}

std::int8_t other(std::int8_t bit) { return static_cast<std::int8_t>(1 - bit); }

}  // namespace

WidthSearch::WidthSearch(const SearchModel& model, WidthOptions options)
    : model_(&model),
      options_(std::move(options)),
      rng_(options_.seed),
      region_max_(region_size(model, options_.stop)),
      whole_limits_{.width = kWholeWidth,
                    .entries_max = kTableBytesMax / value_bytes(model, kWholeWidth, options_.stop),
                    .whole = true},
      limits_{.width = kWidth, .entries_max = kTableBytesMax / value_bytes(model, kWidth, options_.stop)},
      symmetric_(is_symmetric(model, options_.stop)),
      phase_(options_.whole && may_be_whole(model) ? Phase::kWhole : Phase::kDescent),
      planner_(model),
      tables_(model),
      planned_(model.size()),
      fields_(model.linear().begin(), model.linear().end()),
      bits_(model.size()),
      incumbent_(model.size()),
      mark_(model.size()),
      turn_units_(kTurnUnitsPerVariable * model.size()),
      turn_end_(turn_units_),
      archive_(options_.candidates_max) {
  std::ranges::stable_sort(options_.starts, {}, [&](const auto& bits) { return model.energy(bits); });
  for (std::size_t i = 0; i < model.size(); ++i) {
    if (i % kVariablesPerLook == 0) throw_if(options_.stop);
    const bool high = options_.starts.empty() ? rng_() >> 63 != 0 : options_.starts[0][i] != 0;
    if (high) flip(i);
  }
  accept_all();
  for (std::size_t k = 1; k < options_.starts.size(); ++k) offered_.push_back(std::move(options_.starts[k]));
}

std::uint64_t WidthSearch::bytes(const SearchModel& model, std::size_t candidates_max, const std::stop_token& stop) {
  const std::uint64_t n = model.size();
  const bool whole = may_be_whole(model);
  const std::size_t width = whole ? kWholeWidth : kWidth;
  const std::uint64_t tables = n * ((value_bytes(model, width, stop) << width) + kWidthBlock);
  return n * (sizeof(std::int64_t) + 2 * sizeof(std::uint32_t) + 8 + kOffersMax + candidates_max) +
         WidthPlanner::bytes(model, whole ? n : region_size(model, stop), width, kPlans) +
         std::min(tables, kTableBytesMax);
}

void WidthSearch::offer(problem::AssignmentView bits) {
  if (offered_.size() >= kOffersMax) offered_.erase(offered_.begin());
  offered_.emplace_back(bits.begin(), bits.end());
}

void WidthSearch::advance(std::uint64_t units_end, const Watch& watch) {
  if (watch.stopped()) return;
  std::uint64_t look = units_ + kStopEvery;
  while (units_ < units_end && !reached_target_ && !proved_) {
    switch (phase_) {
      case Phase::kWhole:
        begin_whole();
        break;
      case Phase::kDescent:
        units_ += kUnitsOfVisit;
        descend();
        break;
      case Phase::kRound:
        ++units_;
        if (begin_round(watch)) break;
        --units_;
        return;
      case Phase::kPlan:
        units_ += kUnitsOfPlanning;
        planned_units_ += kUnitsOfPlanning;
        if (!planner_.step()) phase_ = Phase::kPlanned;
        break;
      case Phase::kPlanned:
        if (!end_plan(watch)) return;
        ++units_;
        break;
      case Phase::kRun:
        if (tables_.done()) {
          end_run(watch);
        } else {
          units_ += kUnitsOfStep + tables_.step();
        }
        break;
    }
    if (units_ < look) continue;
    if (watch.stopped()) return;
    look = units_ + kStopEvery;
  }
}

void WidthSearch::begin_whole() {
  std::vector<std::uint32_t> all(model_->size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint32_t>(i);
  planner_.begin(all, whole_limits_, rng_());
  units_ += kUnitsOfChoice * all.size();
  phase_ = Phase::kPlan;
}

/// One visit: until none of all variables lowers the energy, from a start that nothing was done to.
void WidthSearch::descend() {
  if (falls(visited_)) {
    flip(visited_);
    fell_ = true;
  }
  if (++visited_ < bits_.size()) return;
  visited_ = 0;
  accept_all();
  if (std::exchange(fell_, false)) return;
  phase_ = Phase::kRound;
}

bool WidthSearch::begin_round(const Watch& watch) {
  if (units_ >= turn_end_) {
    if (!change_turns(watch)) return false;
  } else if (!offered_.empty() && !scouting_) {
    const problem::Assignment bits = std::move(offered_.back());
    offered_.pop_back();
    if (!merge(bits, watch)) return false;
  } else if (plans_.size() < 2 || planned_variables_ < model_->size() || planned_units_ < units_ / kPlanEvery) {
    begin_plan();
  } else {
    runs_left_ = kRuns;
    running_ = rng_.below(plans_.size());
    kick();
    begin_run(running_);
  }
  return true;
}

// ---- plans and their runs ------------------------------------------------------------------------------------------

/// A variable that was planned seldom.
std::uint32_t WidthSearch::choose_seed() {
  std::size_t out = rng_.below(model_->size());
  for (int draw = 1; draw < kSeedDraws; ++draw) {
    const std::size_t drawn = rng_.below(model_->size());
    if (planned_[drawn] < planned_[out]) out = drawn;
  }
  return static_cast<std::uint32_t>(out);
}

/// Grows along the strongest couplings.
std::vector<std::uint32_t> WidthSearch::choose_region() {
  struct Link {
    std::int64_t weight = 0;
    std::uint64_t draw = 0;
    std::uint32_t variable = 0;
    bool operator<(const Link& link) const { return std::pair(weight, draw) < std::pair(link.weight, link.draw); }
  };
  std::size_t next = choose_seed();
  std::priority_queue<Link> open;
  std::vector<std::uint32_t> region;
  while (region.size() < region_max_) {
    if (!open.empty()) {
      next = open.top().variable;
      open.pop();
      if (mark_[next] != 0) continue;
    } else {  // a new component
      while (mark_[next] != 0) next = next + 1 == mark_.size() ? 0 : next + 1;
    }
    mark_[next] = 1;
    ++planned_[next];
    region.push_back(static_cast<std::uint32_t>(next));
    for_each_coupling(*model_, next, [&](std::size_t j, std::int64_t weight) {
      if (mark_[j] == 0) open.push({std::abs(weight), rng_(), static_cast<std::uint32_t>(j)});
    });
  }
  for (const std::uint32_t i : region) mark_[i] = 0;
  return region;
}

/// Grows layer by layer; one layer behind each ring stays out, from a random one on.
std::vector<std::uint32_t> WidthSearch::choose_rings(std::uint32_t thickness) {
  std::vector<std::uint32_t> grown;
  std::vector<std::uint32_t> rings;
  std::size_t next = choose_seed();
  const auto take = [&](std::size_t i) {
    mark_[i] = 1;
    ++planned_[i];
    grown.push_back(static_cast<std::uint32_t>(i));
  };
  std::uint64_t layer = rng_.below(thickness + 1);
  for (std::size_t begin = 0; begin < region_max_; ++layer) {
    if (begin == grown.size()) {  // a new component
      while (mark_[next] != 0) next = next + 1 == mark_.size() ? 0 : next + 1;
      take(next);
    }
    const std::size_t end = grown.size();
    auto& part = layer % (thickness + 1) == thickness ? between_ : rings;
    part.insert(part.end(), grown.begin() + static_cast<std::ptrdiff_t>(begin), grown.end());
    for (; begin < end; ++begin) {
      for_each_coupling(*model_, grown[begin], [&](std::size_t j, std::int64_t) {
        if (mark_[j] == 0 && grown.size() < region_max_) take(j);
      });
    }
  }
  for (const std::uint32_t i : grown) mark_[i] = 0;
  return rings;
}

void WidthSearch::begin_plan() {
  const auto untried = std::ranges::find(covered_, 0.0);
  const auto chosen =
      untried != covered_.end() && region_max_ > kWidth + 1 ? untried : std::ranges::max_element(covered_);
  cut_ = static_cast<std::size_t>(chosen - covered_.begin());
  between_.clear();
  const std::vector<std::uint32_t> region = kRings[cut_] == 0 ? choose_region() : choose_rings(kRings[cut_]);
  planner_.begin(region, limits_, rng_());
  const std::size_t size = region.size() + between_.size();
  planned_variables_ += size;
  units_ += kUnitsOfChoice * size;
  planned_units_ += kUnitsOfChoice * size;
  phase_ = Phase::kPlan;
}

bool WidthSearch::end_plan(const Watch& watch) {
  if (planner_.failed()) {  // too wide as a whole
    planned_units_ = 0;
    phase_ = Phase::kDescent;
    return true;
  }
  std::optional<WidthPlan> taken = planner_.take([&] { return watch.stopped(); });
  if (!taken) return false;
  if (plans_.size() < kPlans) plans_.emplace_back();
  plans_[next_plan_] = std::make_unique<WidthPlan>(*std::move(taken));
  WidthPlan& plan = *plans_[next_plan_];
  plan.fixed.insert(plan.fixed.end(), between_.begin(), between_.end());
  covered_[cut_] = static_cast<double>(plan.size()) / static_cast<double>(plan.size() + plan.fixed.size());
  runs_left_ = 1;
  begin_run(next_plan_);
  next_plan_ = (next_plan_ + 1) % kPlans;
  return true;
}

void WidthSearch::begin_run(std::size_t plan) {
  running_ = plan;
  tables_.begin(*plans_[plan], fields_, bits_);
  phase_ = Phase::kRun;
}

void WidthSearch::end_run(const Watch& watch) {
  const WidthPlan& plan = *plans_[running_];
  tables_.trace(rng_, flips_);
  for (const std::uint32_t i : flips_) flip(i);
  for (const std::uint32_t i : plan.fixed) {
    if (falls(i)) flip(i);
  }
  units_ += kUnitsOfTrace * (plan.size() + plan.fixed.size()) + 1;
  proved_ = plan.size() == model_->size();
  if (--runs_left_ > 0 && !proved_) {
    begin_run(rng_.below(plans_.size()));
  } else {
    settle(watch, [] { return false; });
    phase_ = Phase::kRound;
  }
}

// ---- assignments ---------------------------------------------------------------------------------------------------

void WidthSearch::flip(std::size_t i) {
  const bool down = bits_[i] != 0;
  energy_ += down ? -fields_[i] : fields_[i];
  bits_[i] = other(bits_[i]);
  for_each_coupling(*model_, i, [&](std::size_t j, std::int64_t weight) { fields_[j] += down ? -weight : weight; });
  if (mark_[i] != 0) return;
  mark_[i] = 1;
  touched_.push_back(static_cast<std::uint32_t>(i));
}

/// Flips balls of variables until a share of those that the plan covers has changed; one time in four few and small ones, for models
/// in which much that changes hangs together.
void WidthSearch::kick() {
  struct Kind {
    std::uint64_t one_of;
    std::uint64_t size_max;
  };
  const Kind kind = rng_.below(4) != 0 ? Kind{5, 60} : Kind{20, 12};
  const WidthPlan& plan = *plans_[running_];
  std::vector<std::uint32_t> ball;
  for (std::size_t goal = plan.size() / kind.one_of + 1; goal > 0;) {
    const std::size_t size = std::min(goal, 1 + rng_.below(kind.size_max));
    goal -= size;
    ball.assign(1, plan.steps[rng_.below(plan.size())].variable);
    for (std::size_t k = 0; k < ball.size() && ball.size() < size; ++k) {
      for_each_coupling(*model_, ball[k], [&](std::size_t j, std::int64_t) {
        if (ball.size() < size && mark_[j] == 0) {
          flip(j);
          ball.push_back(static_cast<std::uint32_t>(j));
        }
      });
    }
    if (mark_[ball[0]] == 0) flip(ball[0]);
  }
}

/// False where `stop` says so before the end; what was touched until then is of no use.
bool WidthSearch::settle(const Watch& watch, const std::function<bool()>& stop) {
  std::vector<std::uint32_t> cluster;
  std::size_t looks = 0;
  for (std::size_t t = 0; t < touched_.size(); ++t) {
    if (++looks % kTouchedPerLook == 0 && stop()) return false;
    if (mark_[touched_[t]] != 1 || bits_[touched_[t]] == incumbent_[touched_[t]]) continue;
    cluster.assign(1, touched_[t]);
    mark_[touched_[t]] = 2;
    std::int64_t back = 0;  // what flipping all of it back adds
    for (std::size_t k = 0; k < cluster.size(); ++k) {
      if (++looks % kTouchedPerLook == 0 && stop()) return false;
      const std::uint32_t i = cluster[k];
      back += bits_[i] != 0 ? -fields_[i] : fields_[i];
      for_each_coupling(*model_, i, [&](std::size_t j, std::int64_t weight) {
        if (bits_[j] == incumbent_[j]) return;
        if (i < j) back += bits_[i] == bits_[j] ? weight : -weight;
        if (mark_[j] != 1) return;
        mark_[j] = 2;
        cluster.push_back(static_cast<std::uint32_t>(j));
      });
    }
    if (back > 0 || (back == 0 && rng_() >> 63 != 0)) continue;
    for (const std::uint32_t i : cluster) flip(i);
  }
  accept_all();
  if (energy_ >= best_energy_) return true;
  best_energy_ = energy_;
  archive_.offer(energy_, bits_);
  reached_target_ = watch.found(energy_, units_);
  return true;
}

void WidthSearch::accept_all() {
  for (const std::uint32_t i : touched_) {
    incumbent_[i] = bits_[i];
    mark_[i] = 0;
  }
  touched_.clear();
  incumbent_energy_ = energy_;
}

/// Where nothing tells an assignment from its opposite, that of the two which is nearer.
bool WidthSearch::merge(problem::AssignmentView bits, const Watch& watch) {
  std::size_t apart = 0;
  for (std::size_t i = 0; i < bits.size(); ++i) apart += bits[i] != bits_[i] ? 1 : 0;
  const bool opposite = symmetric_ && 2 * apart > bits.size();
  for (std::size_t i = 0; i < bits.size(); ++i) {
    if (i % kTouchedPerLook == 0 && watch.stopped()) return false;
    if ((bits[i] != bits_[i]) != opposite) flip(i);
  }
  units_ += kUnitsOfTrace * bits.size();
  if (settle(watch, [&] { return watch.stopped(); })) return true;
  units_ -= kUnitsOfTrace * bits.size();
  return false;
}

bool WidthSearch::change_turns(const Watch& watch) {
  scouting_ = !scouting_;
  problem::Assignment next = std::exchange(parked_, bits_);
  if (scouting_) {
    next.resize(bits_.size());
    for (std::int8_t& bit : next) bit = static_cast<std::int8_t>(rng_() >> 63);
  } else {
    offered_.push_back(bits_);
    turn_units_ += turn_units_ / kTurnGrowth;
  }
  for (std::size_t i = 0; i < next.size(); ++i) {
    if (i % kTouchedPerLook == 0 && watch.stopped()) return false;
    if (next[i] != bits_[i]) flip(i);
  }
  accept_all();
  if (scouting_) phase_ = Phase::kDescent;
  units_ += kUnitsOfTrace * next.size();
  turn_end_ = units_ + turn_units_;
  return true;
}

void WidthSearch::collect(Archive& into) const {
  into.offer(archive_);
  if (units_ > 0) into.offer(incumbent_energy_, incumbent_);
}

}  // namespace tandem::solve

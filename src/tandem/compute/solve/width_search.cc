#include "tandem/compute/solve/width_search.h"

#include <algorithm>
#include <cstdlib>
#include <queue>

namespace tandem::solve {

namespace {

double knob(const char* name, double value) {
  const char* text = std::getenv(name);
  return text ? std::atof(text) : value;
}

constexpr std::size_t kPlans = 8;
constexpr std::size_t kRegionMax = std::size_t{1} << 15;
constexpr std::size_t kWholeMax = 100'000;
constexpr std::uint64_t kTableBytesMax = std::uint64_t{128} << 20;
constexpr std::uint64_t kUnitsOfPlanStep = 160;
constexpr std::uint64_t kUnitsOfStep = 12;
constexpr std::uint64_t kUnitsOfTrace = 12;  // for each step
constexpr std::uint64_t kStopEvery = 1 << 14;  // units between two looks at the stop token: some 100 us

}  // namespace

WidthSearch::WidthSearch(const SearchModel& model, WidthOptions options)
    : model_(&model),
      options_(std::move(options)),
      rng_(options_.seed),
      planner_(model),
      tables_(model),
      fields_(model.linear().begin(), model.linear().end()),
      bits_(model.size()),
      mark_(model.size()),
      covered_(model.size()),
      archive_(options_.candidates_max) {
  std::int64_t reach_max = 1;
  for (std::size_t i = 0; i < model.size(); ++i) {
    std::int64_t reach = 0;
    for_each_coupling(model, i, [&](std::size_t, std::int64_t weight) { reach += std::abs(weight); });
    reach_max = std::max(reach_max, reach);
  }
  const std::size_t width = knob("W", 12);
  const auto bound = static_cast<double>(reach_max) * static_cast<double>(width + 4);
  value_bytes_ = bound < 128 ? 1 : bound < 32768 ? 2 : bound < 2147483648.0 ? 4 : 8;
  region_max_ = std::min<std::size_t>(model.size(), kRegionMax);
  const std::uint64_t degree = model.num_entries() / std::max<std::size_t>(1, model.size());
  if (degree > 2 * width) region_max_ = std::min(region_max_, width + 1);
  const problem::Assignment* start = options_.starts.empty() ? nullptr : &options_.starts.front();
  for (std::size_t i = 0; i < model.size(); ++i) {
    if (start != nullptr ? (*start)[i] != 0 : rng_() >> 63 != 0) flip(i);
  }
  for (const std::uint32_t i : touched_) mark_[i] = 0;
  touched_.clear();
  incumbent_ = bits_;
  incumbent_energy_ = energy_;
  phase_ = options_.whole && model.size() <= kWholeMax ? Phase::kWhole : Phase::kRound;
}

std::uint64_t WidthSearch::bytes(const SearchModel& model, std::size_t candidates_max) {
  return model.size() * (16 + 8 + candidates_max) +
         WidthPlanner::bytes(model, std::min(model.size(), kRegionMax), 12, kPlans) + kTableBytesMax;
}

void WidthSearch::flip(std::size_t i) {
  const bool down = bits_[i] != 0;
  energy_ += down ? -fields_[i] : fields_[i];
  bits_[i] = static_cast<std::int8_t>(down ? 0 : 1);
  for_each_coupling(*model_, i, [&](std::size_t j, std::int64_t weight) { fields_[j] += down ? -weight : weight; });
  if (mark_[i] == 0) {
    mark_[i] = 1;
    touched_.push_back(static_cast<std::uint32_t>(i));
  }
}

void WidthSearch::advance(std::uint64_t units_end, const Watch& watch) {
  if (watch.stopped()) return;
  std::uint64_t look = units_ + kStopEvery;
  while (units_ < units_end && !reached_target_ && !proved_) {
    switch (phase_) {
      case Phase::kWhole: {
        std::vector<std::uint32_t> all(model_->size());
        for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint32_t>(i);
        planner_.begin(all, {.width = kWholeWidth, .entries_max = kTableBytesMax / value_bytes_, .whole = true}, rng_());
        phase_ = Phase::kPlan;
        units_ += all.size();
        break;
      }
      case Phase::kPlan:
        units_ += kUnitsOfPlanStep;
        planned_units_ += kUnitsOfPlanStep;
        if (planner_.step()) break;
        if (planner_.failed()) {
          phase_ = Phase::kRound;
          break;
        }
        if (plans_.size() < kPlans) plans_.push_back(nullptr);
        plans_[next_plan_] = std::make_unique<WidthPlan>(planner_.take());
        fresh_ = true;
        runs_left_ = 1;
        begin_run(next_plan_);
        next_plan_ = (next_plan_ + 1) % kPlans;
        break;
      case Phase::kRun:
        if (tables_.done()) {
          end_run(watch);
        } else {
          units_ += kUnitsOfStep + tables_.step();
        }
        break;
      case Phase::kRound:
        ++units_;
        begin_round(watch);
        break;
    }
    if (units_ >= look) {
      if (watch.stopped()) return;
      look = units_ + kStopEvery;
    }
  }
}

void WidthSearch::begin_round(const Watch& watch) {
  static const double share = knob("PLANSHARE", 0.15);
  static const double scout = knob("SCOUT", 0) * 1e6;
  if (scout > 0) {
    if (switch_at_ == 0) { switch_at_ = units_ + scout; len_ = scout; }
    if (units_ > switch_at_) {
      if (!scouting_) {
        parked_ = {incumbent_energy_, incumbent_};
        for (std::size_t i = 0; i < bits_.size(); ++i) {
          if (rng_() >> 63) flip(i);
        }
        for (auto i : touched_) { mark_[i] = 0; incumbent_[i] = bits_[i]; }
        touched_.clear();
        incumbent_energy_ = energy_;
        scouting_ = true;
      } else {
        static bool v = getenv("V");
        if (v) printf("   scout %ld main %ld ", incumbent_energy_, parked_.energy);
        offered_ = Candidate{incumbent_energy_, incumbent_};
        for (std::size_t i = 0; i < bits_.size(); ++i) {
          if (bits_[i] != parked_.bits[i]) flip(i);
        }
        for (auto i : touched_) { mark_[i] = 0; incumbent_[i] = bits_[i]; }
        touched_.clear();
        incumbent_energy_ = energy_;
        scouting_ = false;
        len_ *= knob("GROW", 1.1);
      }
      switch_at_ = units_ + len_;
    }
  }
  if (offered_) {
    for (int side = 0; side < 2; ++side) {
      for (std::size_t i = 0; i < bits_.size(); ++i) {
        if (bits_[i] != (offered_->bits[i] ^ side)) flip(i);
      }
      settle(watch);
    }
        static bool v = getenv("V");
        if (v) printf(" -> %ld\n", incumbent_energy_);
    offered_.reset();
    return;
  }
  if (plans_.size() < 2 || planned_units_ < share * units_) {
    begin_plan();
    return;
  }
  runs_left_ = knob("RUNS", 2);
  current_ = rng_.below(plans_.size());
  kick();
  begin_run(current_);
}

std::vector<std::uint32_t> WidthSearch::choose_region(std::size_t size) {
  std::size_t seed = rng_.below(model_->size());
  for (int draw = 1; draw < 8; ++draw) {
    const std::size_t other = rng_.below(model_->size());
    if (covered_[other] < covered_[seed]) seed = other;
  }
  struct Link {
    std::int64_t weight;
    std::uint64_t tie;
    std::uint32_t variable;
    bool operator<(const Link& other) const {
      return weight != other.weight ? weight < other.weight : tie < other.tie;
    }
  };
  std::priority_queue<Link> open;
  std::vector<std::uint32_t> region;
  std::vector<std::uint8_t> in(model_->size());
  while (region.size() < size) {
    std::size_t next = seed;
    if (open.empty()) {
      while (in[next] != 0) next = next + 1 == in.size() ? 0 : next + 1;
    } else {
      next = open.top().variable;
      open.pop();
      if (in[next] != 0) continue;
    }
    in[next] = 1;
    region.push_back(static_cast<std::uint32_t>(next));
    for_each_coupling(*model_, next, [&](std::size_t j, std::int64_t weight) {
      if (in[j] == 0) open.push({std::abs(weight), rng_(), static_cast<std::uint32_t>(j)});
    });
  }
  return region;
}

void WidthSearch::begin_plan() {
  const std::size_t width = knob("W", 12);
  const std::vector<std::uint32_t> region = choose_region(region_max_);
  planner_.begin(region, {.width = width, .entries_max = kTableBytesMax / value_bytes_}, rng_());
  for (const std::uint32_t i : region) ++covered_[i];
  units_ += region.size() * 20;
  planned_units_ += region.size() * 20;
  phase_ = Phase::kPlan;
}

void WidthSearch::begin_run(std::size_t plan) {
  current_ = plan;
  tables_.begin(*plans_[plan], fields_, bits_);
  phase_ = Phase::kRun;
}

void WidthSearch::end_run(const Watch& watch) {
  const WidthPlan& plan = *plans_[current_];
  tables_.trace(rng_, flips_);
  for (const std::uint32_t i : flips_) flip(i);
  units_ += kUnitsOfTrace * plan.size() + 1;
  if (plan.size() == model_->size()) {
    settle(watch);
    proved_ = true;
    return;
  }
  if (--runs_left_ > 0) {
    begin_run(rng_.below(plans_.size()));
  } else {
    settle(watch);
    phase_ = Phase::kRound;
  }
}

void WidthSearch::kick() {
  static const int rnd = knob("RND", 0);
  double share = knob("KICK", 0.2);
  double ball = knob("BALL", 60);
  if (rnd) { share = 0.05 * (1 << rng_.below(4)); ball = 4 << rng_.below(rnd == 1 ? 6 : 8); }
  const WidthPlan& plan = *plans_[current_];
  const std::size_t n = plan.size();
  const auto goal = static_cast<std::size_t>(share * n);
  std::size_t flipped = 0;
  std::vector<std::uint32_t> queue;
  std::vector<std::uint32_t> marks;
  static std::vector<std::uint8_t> in; in.assign(model_->size(), 0);
  while (flipped < goal) {
    const std::size_t size = 1 + rng_.below(static_cast<std::uint64_t>(ball));
    queue.assign(1, plan.steps[rng_.below(n)].variable);
    if (in[queue[0]]) { ++flipped; continue; }
    in[queue[0]] = 1;
    for (std::size_t h = 0; h < queue.size() && h < size; ++h) {
      for_each_coupling(*model_, queue[h], [&](std::size_t j, std::int64_t) {
        if (queue.size() < size && !in[j]) { in[j] = 1; queue.push_back(static_cast<std::uint32_t>(j)); }
      });
    }
    for (const std::uint32_t i : queue) flip(i);
    flipped += queue.size();
  }
}

/// Clusters of changed variables that are not coupled with each other count apart.
void WidthSearch::settle(const Watch& watch) {
  std::vector<std::uint32_t> cluster;
  for (const std::uint32_t first : touched_) {
    if (mark_[first] != 1) continue;
    mark_[first] = 2;
    if (bits_[first] == incumbent_[first]) continue;
    cluster.assign(1, first);
    std::int64_t back = 0;  // what flipping the cluster back would add, times two
    for (std::size_t k = 0; k < cluster.size(); ++k) {
      const std::uint32_t i = cluster[k];
      back += 2 * (bits_[i] != 0 ? -fields_[i] : fields_[i]);
      for_each_coupling(*model_, i, [&](std::size_t j, std::int64_t weight) {
        if (bits_[j] == incumbent_[j]) return;
        back += bits_[i] == bits_[j] ? weight : -weight;
        if (mark_[j] != 1) return;
        mark_[j] = 2;
        cluster.push_back(static_cast<std::uint32_t>(j));
      });
    }
    if (back < 0 || (back == 0 && rng_() >> 63 != 0)) {
      for (const std::uint32_t i : cluster) flip(i);
    } else {
      for (const std::uint32_t i : cluster) incumbent_[i] = bits_[i];
    }
  }
  for (const std::uint32_t i : touched_) mark_[i] = 0;
  touched_.clear();
  incumbent_energy_ = energy_;
  if (energy_ >= best_energy_) return;
  best_energy_ = energy_;
  archive_.offer(energy_, bits_);
  if (watch.found(energy_, units_)) reached_target_ = true;
}

void WidthSearch::collect(Archive& into) const {
  into.offer(archive_);
  if (units_ > 0) into.offer(incumbent_energy_, incumbent_);
}

}  // namespace tandem::solve

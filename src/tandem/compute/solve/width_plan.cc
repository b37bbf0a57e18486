#include "tandem/compute/solve/width_plan.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "tandem/base/assert.h"
#include "tandem/compute/solve/width_kernels.h"

namespace tandem::solve {

namespace {

constexpr std::size_t kDegreesApart = 256;  // those of a higher degree share a bucket
constexpr std::size_t kDegreeMax = 1024;  // a step costs as much as its neighbours have neighbours
constexpr int kCrowdedDraws = 4;
constexpr std::size_t kStepsPerLook = 1024;  // at a stop, while a plan is written: half a millisecond

template <class Value>
constexpr bool holds(std::uint64_t bound) {
  return bound <= static_cast<std::uint64_t>(std::numeric_limits<Value>::max());
}

}  // namespace

std::uint64_t WidthPlanner::bytes(const SearchModel& model, std::size_t variables, std::size_t width,
                                  std::size_t plans) {
  const std::uint64_t region = std::min(variables, model.size());
  const std::uint64_t degree = model.num_entries() / std::max<std::size_t>(1, model.size()) + 1;
  const std::uint64_t of_plan =
      sizeof(WidthPlan::Step) + 4 * width + degree * sizeof(WidthPlan::Edge) / 2 + sizeof(WidthPlan::Child);
  const std::uint64_t of_planner = 2 * (sizeof(std::vector<std::uint32_t>) + 8 * (degree + 2 * width) + 32);
  return model.size() * sizeof(std::uint32_t) + region * (of_planner + plans * of_plan);
}

void WidthPlanner::begin(std::span<const std::uint32_t> region, const WidthLimits& limits, std::uint64_t seed) {
  for (const std::uint32_t i : region_) place_[i] = kNowhere;
  limits_ = limits;
  rng_ = Xoshiro256(seed);
  failed_ = false;
  region_.assign(region.begin(), region.end());
  remaining_ = region_.size();
  order_.clear();
  left_out_.clear();
  entries_ = 0;
  least_ = 0;
  if (links_.size() < region_.size()) links_.resize(region_.size());
  slot_.resize(region_.size());
  degree_.resize(region_.size());
  buckets_.resize(kDegreesApart + 1);
  for (auto& bucket : buckets_) bucket.clear();
  for (std::size_t v = 0; v < region_.size(); ++v) place_[region_[v]] = static_cast<std::uint32_t>(v);
  for (std::size_t v = 0; v < region_.size(); ++v) {
    links_[v].clear();
    for_each_coupling(*model_, region_[v], [&](std::size_t j, std::int64_t) {
      if (place_[j] != kNowhere) links_[v].push_back(place_[j]);
    });
    std::ranges::sort(links_[v]);
    put(static_cast<std::uint32_t>(v));
  }
  for (std::uint32_t v = 0; v < region_.size(); ++v) {
    if (links_[v].size() <= kDegreeMax) continue;
    failed_ = failed_ || limits_.whole;
    leave_out(v);
    --remaining_;
  }
}

bool WidthPlanner::step() {
  if (remaining_ == 0 || failed_) return false;
  while (buckets_[least_].empty()) ++least_;
  const std::vector<std::uint32_t>& bucket = buckets_[least_];
  const std::uint64_t entries = least_ < kWidthBits ? std::max(kWidthBlock, std::size_t{1} << least_) : UINT64_MAX / 2;
  if (least_ <= limits_.width && entries_ + entries <= limits_.entries_max) {
    entries_ += entries;
    eliminate(bucket[rng_.below(bucket.size())]);
  } else if (limits_.whole) {
    failed_ = true;
    return false;
  } else {
    leave_out(crowded());
  }
  return --remaining_ > 0;
}

void WidthPlanner::put(std::uint32_t v) {
  degree_[v] = static_cast<std::uint32_t>(std::min(links_[v].size(), kDegreesApart));
  least_ = std::min<std::size_t>(least_, degree_[v]);
  slot_[v] = static_cast<std::uint32_t>(buckets_[degree_[v]].size());
  buckets_[degree_[v]].push_back(v);
}

void WidthPlanner::remove(std::uint32_t v) {
  auto& bucket = buckets_[degree_[v]];
  const std::uint32_t last = bucket.back();
  bucket[slot_[v]] = last;
  slot_[last] = slot_[v];
  bucket.pop_back();
}

/// Its neighbours become neighbours of each other.
void WidthPlanner::eliminate(std::uint32_t v) {
  remove(v);
  order_.push_back(v);
  const std::vector<std::uint32_t>& bag = links_[v];
  for (const std::uint32_t u : bag) {
    remove(u);
    merged_.clear();
    auto mine = links_[u].begin();
    auto other = bag.begin();
    while (mine != links_[u].end() || other != bag.end()) {
      const bool from_mine = other == bag.end() || (mine != links_[u].end() && *mine <= *other);
      const std::uint32_t next = from_mine ? *mine : *other;
      if (mine != links_[u].end() && *mine == next) ++mine;
      if (other != bag.end() && *other == next) ++other;
      if (next != u && next != v) merged_.push_back(next);
    }
    links_[u].assign(merged_.begin(), merged_.end());
    put(u);
  }
}

/// What went before it may have it in its bag still: see take().
void WidthPlanner::leave_out(std::uint32_t v) {
  remove(v);
  left_out_.push_back(v);
  for (const std::uint32_t u : links_[v]) {
    remove(u);
    links_[u].erase(std::ranges::lower_bound(links_[u], v));
    put(u);
  }
}

/// Of many neighbours, and rather late in the region.
std::uint32_t WidthPlanner::crowded() {
  std::size_t most = kDegreesApart;
  while (buckets_[most].empty()) --most;
  const auto& bucket = buckets_[most];
  std::uint32_t last = bucket[rng_.below(bucket.size())];
  for (int draw = 1; draw < kCrowdedDraws; ++draw) last = std::max(last, bucket[rng_.below(bucket.size())]);
  return last;
}

/// Places so that each comes right after the last of its children: a table is used while it is still near.
std::vector<std::uint32_t> WidthPlanner::post_order() const {
  const std::size_t n = region_.size();
  std::vector<std::uint32_t> rank(n, kNowhere);
  for (std::size_t r = 0; r < order_.size(); ++r) rank[order_[r]] = static_cast<std::uint32_t>(r);
  std::vector<std::uint32_t> first(n, kNowhere);
  std::vector<std::uint32_t> next(n, kNowhere);
  std::vector<std::uint32_t> stack;
  for (const std::uint32_t v : order_) {
    if (links_[v].empty()) {
      stack.push_back(v);
      continue;
    }
    const std::uint32_t parent = *std::ranges::min_element(links_[v], {}, [&](std::uint32_t u) { return rank[u]; });
    next[v] = std::exchange(first[parent], v);
  }
  std::vector<std::uint32_t> out;  // parents first, then turned round
  while (!stack.empty()) {
    const std::uint32_t v = stack.back();
    stack.pop_back();
    out.push_back(v);
    for (std::uint32_t child = first[v]; child != kNowhere; child = next[child]) stack.push_back(child);
  }
  std::ranges::reverse(out);
  return out;
}

std::optional<WidthPlan> WidthPlanner::take(const std::function<bool()>& stop) {
  TANDEM_ASSERT(remaining_ == 0 && !failed_);
  WidthPlan plan;
  std::ranges::sort(left_out_);
  for (const std::uint32_t v : order_) {
    std::erase_if(links_[v], [&](std::uint32_t u) { return std::ranges::binary_search(left_out_, u); });
  }
  const std::vector<std::uint32_t> order = post_order();
  std::vector<std::uint32_t> rank(region_.size(), kNowhere);
  for (std::size_t r = 0; r < order.size(); ++r) rank[order[r]] = static_cast<std::uint32_t>(r);
  std::vector<std::uint32_t> first(order.size(), kNowhere);
  std::vector<std::uint32_t> next(order.size(), kNowhere);
  std::vector<std::uint32_t> bag;
  plan.steps.reserve(order.size() + 1);
  for (std::size_t r = 0; r < order.size(); ++r) {
    if (r % kStepsPerLook == 0 && stop()) return std::nullopt;
    const std::uint32_t v = order[r];
    WidthPlan::Step step{.variable = region_[v],
                         .bits = static_cast<std::uint32_t>(links_[v].size()),
                         .bag = static_cast<std::uint32_t>(plan.bags.size()),
                         .edges = static_cast<std::uint32_t>(plan.edges.size()),
                         .children = static_cast<std::uint32_t>(plan.children.size())};
    bag.clear();
    for (const std::uint32_t u : links_[v]) bag.push_back(rank[u]);
    std::ranges::sort(bag, std::greater{});
    plan.bags.insert(plan.bags.end(), bag.begin(), bag.end());
    if (!bag.empty()) next[r] = std::exchange(first[bag.back()], static_cast<std::uint32_t>(r));
    for_each_coupling(*model_, step.variable, [&](std::size_t j, std::int64_t weight) {
      if (place_[j] == kNowhere || rank[place_[j]] == kNowhere) return;
      step.reach += std::abs(weight);
      const std::uint32_t other = rank[place_[j]];
      if (other < r) return;
      const auto at = std::ranges::lower_bound(bag, other, std::greater{});
      plan.edges.push_back({static_cast<std::uint32_t>(at - bag.begin()), other, weight});
    });
    for (std::uint32_t child = first[r]; child != kNowhere; child = next[child]) {
      const WidthPlan::Step& below = plan.steps[child];
      std::uint32_t mask = 0;
      std::size_t at = 0;
      for (std::uint32_t p = 0; p + 1 < below.bits; ++p) {
        while (bag[at] != plan.bags[below.bag + p]) ++at;
        mask |= std::uint32_t{1} << at;
      }
      plan.children.push_back({child, mask});
    }
    plan.steps.push_back(step);
  }
  plan.steps.push_back({.edges = static_cast<std::uint32_t>(plan.edges.size()),
                        .children = static_cast<std::uint32_t>(plan.children.size())});
  for (const std::uint32_t v : left_out_) plan.fixed.push_back(region_[v]);
  measure(plan);
  return plan;
}

/// A table is zero where all of its variables stay, and each |coupling| between it and what went before moves it by that much at most.
/// A step adds to those of its children its field, which is cut at its reach, and takes away the least at zero.
void WidthPlanner::measure(WidthPlan& plan) {
  std::vector<std::uint64_t> span(plan.size());
  std::uint64_t bound = 0;
  for (std::size_t r = 0; r < plan.size(); ++r) {
    const WidthPlan::Step& step = plan.steps[r];
    std::uint64_t below = 0;
    for (std::uint32_t c = step.children; c < plan.steps[r + 1].children; ++c) below += span[plan.children[c].step];
    std::uint64_t ahead = 0;
    for (std::uint32_t e = step.edges; e < plan.steps[r + 1].edges; ++e) {
      ahead += static_cast<std::uint64_t>(std::abs(plan.edges[e].weight));
    }
    const auto reach = static_cast<std::uint64_t>(step.reach);
    span[r] = below + ahead - (reach - ahead);
    bound = std::max(bound, below + ahead + 2 * (reach + 1) + (reach - ahead));
    plan.bits_max = std::max(plan.bits_max, step.bits);
    plan.children_max = std::max(plan.children_max, plan.steps[r + 1].children - step.children);
  }
  plan.value_bytes = holds<std::int8_t>(bound)    ? 1
                     : holds<std::int16_t>(bound) ? 2
                     : holds<std::int32_t>(bound) ? 4
                                                  : 8;
  for (std::size_t r = 0; r < plan.size(); ++r) {
    plan.steps[r].table = plan.table_bytes;
    plan.table_bytes += std::max<std::uint64_t>(std::uint64_t{plan.value_bytes} << plan.steps[r].bits, kWidthBlock);
  }
}

}  // namespace tandem::solve

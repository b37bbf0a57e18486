#include "tandem/compute/solve/coloring_search.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace tandem::solve {
namespace {

constexpr std::uint64_t kMovesANode = 16;  // of the first runs
constexpr std::uint64_t kRunMax = std::uint64_t{1} << 24;
constexpr std::uint64_t kCycle = 10;  // generations
constexpr std::uint64_t kTenureDraw = 10;
constexpr std::uint64_t kLooks = 16;  // moves between two looks at the stop token
constexpr std::uint64_t kFieldsAUnit = 8;

constexpr simd::KernelTables<ColoringKernels> kTables = {&portable::kColoringKernels, &avx2::kColoringKernels,
                                                         &avx512::kColoringKernels};

std::size_t padded(std::size_t colors) { return (colors + kColorBlock - 1) / kColorBlock * kColorBlock; }

}  // namespace

std::uint64_t ColoringSearch::bytes(const ColoringForm& form) {
  const std::uint64_t nodes = form.graph().size();
  return nodes * padded(form.num_colors()) * 8 + nodes * 64 + ConflictGraph::bytes(nodes, form.graph().num_edges());
}

ColoringSearch::ColoringSearch(const ColoringForm& form, std::uint64_t seed, std::vector<std::uint32_t> start,
                               simd::Isa isa)
    : form_(form), kernels_(simd::kernels_for(kTables, isa)), rng_(seed) {
  offer(std::move(start));
}

void ColoringSearch::offer(std::vector<std::uint32_t> colors) {
  const bool begun = settle(std::move(colors));
  if (begun || done()) return;
  for (std::size_t k = 0; k < parents_[0].colors.size(); ++k) parents_[0].colors[k] = best_[core_->nodes()[k]];
}

bool ColoringSearch::settle(Colors whole) {
  // Without the colours that nobody has.
  std::vector<std::uint32_t> names(form_.num_colors(), UINT32_MAX);
  std::uint32_t used = 0;
  for (std::uint32_t& color : whole) {
    std::uint32_t& name = names[color];
    if (name == UINT32_MAX) name = used++;
    color = name;
  }
  std::size_t conflicts = 0;
  for (const auto& [u, v] : form_.edges()) conflicts += whole[u] == whole[v] ? 1 : 0;
  const bool goes_on = !best_.empty() && conflicts > 0;  // the same question with a better answer
  // Never none, or a repetition of so many units would end before it.
  units_ += (whole.size() + form_.edges().size()) / kFieldsAUnit + 1;
  best_energy_ = form_.energy(conflicts, used);
  best_ = std::move(whole);
  if (done() || goes_on) return false;
  num_colors_ = conflicts > 0 ? static_cast<std::uint32_t>(form_.num_colors()) : used - 1;
  core_.emplace(form_.graph(), num_colors_);
  run_length_ = std::min(kRunMax, std::max<std::uint64_t>(1, kMovesANode * core_->graph().size()));
  begin();
  return true;
}

void ColoringSearch::begin() {
  const std::size_t n = core_->graph().size();
  stride_ = padded(num_colors_);
  generation_ = 0;
  elite_ = elite_before_ = Individual();
  for (Individual& one : parents_) {
    one.colors.assign(n, UINT32_MAX);
    one.conflicts = INT64_MAX;
  }
  // One goes on from the best, whose colours beyond those that there are now are taken back; the other is new.
  std::vector<std::size_t> sizes(std::ranges::max(best_) + std::size_t{1});
  for (const std::uint32_t node : core_->nodes()) ++sizes[best_[node]];
  std::vector<std::uint32_t> names(sizes.size());
  std::iota(names.begin(), names.end(), 0u);
  std::ranges::stable_sort(names, std::greater<>(), [&](std::uint32_t color) { return sizes[color]; });
  std::vector<std::uint32_t> rank(names.size());
  for (std::uint32_t k = 0; k < names.size(); ++k) rank[names[k]] = k;
  std::vector<std::uint32_t> without;
  for (std::uint32_t k = 0; k < n; ++k) {
    const std::uint32_t color = rank[best_[core_->nodes()[k]]];
    if (color < num_colors_)
      parents_[0].colors[k] = color;
    else
      without.push_back(k);
  }
  give_least(parents_[0].colors, without);
  without.resize(n);
  std::iota(without.begin(), without.end(), 0u);
  give_least(parents_[1].colors, without);
  turn_ = 0;
  begin_run(parents_[0].colors);
}

void ColoringSearch::give_least(Colors& colors, std::vector<std::uint32_t>& nodes) {
  for (std::size_t k = nodes.size(); k > 1; --k) std::swap(nodes[k - 1], nodes[rng_.below(k)]);
  std::vector<std::uint32_t> there(num_colors_);
  for (const std::uint32_t node : nodes) {
    std::ranges::fill(there, 0u);
    for (const std::uint32_t other : core_->graph().neighbours(node))
      if (colors[other] != UINT32_MAX) ++there[colors[other]];
    const std::uint32_t least = std::ranges::min(there);
    std::uint64_t pick = rng_.below(static_cast<std::uint64_t>(std::ranges::count(there, least)));
    for (std::uint32_t color = 0; color < num_colors_; ++color) {
      if (there[color] != least || pick-- > 0) continue;
      colors[node] = color;
      break;
    }
  }
  units_ += nodes.size() * num_colors_ / kFieldsAUnit;
}

void ColoringSearch::begin_run(Colors colors) {
  const ConflictGraph& graph = core_->graph();
  const std::size_t n = graph.size();
  colors_ = std::move(colors);
  counts_.assign(n * stride_, 0);
  until_.assign(n * stride_, 0);
  place_.assign(n, UINT32_MAX);
  least_.resize(n);
  in_conflict_.clear();
  conflicts_ = 0;
  moves_ = 0;
  for (std::uint32_t node = 0; node < n; ++node) {
    std::int32_t* const row = counts_.data() + node * stride_;
    for (const std::uint32_t other : graph.neighbours(node)) ++row[colors_[other]];
    std::int32_t* const until = until_.data() + node * stride_;
    std::fill(until + num_colors_, until + stride_, kColorNever);
    until[colors_[node]] = kColorNever;
    conflicts_ += row[colors_[node]];
    if (row[colors_[node]] > 0) enter(node);
  }
  conflicts_ /= 2;
  best_of_run_ = {.colors = colors_, .conflicts = conflicts_};
  units_ += (n * stride_ + 2 * graph.num_edges()) / kFieldsAUnit + 1;
}

void ColoringSearch::enter(std::uint32_t node) {
  place_[node] = static_cast<std::uint32_t>(in_conflict_.size());
  in_conflict_.push_back(node);
}

void ColoringSearch::leave(std::uint32_t node) {
  const std::uint32_t last = in_conflict_.back();
  in_conflict_[place_[node]] = last;
  place_[last] = place_[node];
  place_[node] = UINT32_MAX;
  in_conflict_.pop_back();
}

void ColoringSearch::advance(std::uint64_t units_end, const Watch& watch) {
  for (std::uint64_t steps = 0; units_ < units_end; ++steps) {
    if (steps % kLooks == 0 && watch.stopped()) return;
    if (conflicts_ > 0 && moves_ < run_length_) move();
    const std::int64_t known = best_energy_;
    if (conflicts_ == 0 || (!form_.counts() && conflicts_ < known)) {
      settle(core_->lift(colors_));
    } else if (moves_ >= run_length_) {
      end_run();
    }
    if (best_energy_ == known) continue;
    reached_target_ = watch.found(best_energy_, units_);
    if (reached_target_ || done()) return;
  }
}

void ColoringSearch::move() {
  ++moves_;
  const auto now = static_cast<std::int32_t>(moves_);
  const LeastChange change = kernels_.scan({.counts = counts_.data(),
                                            .until = until_.data(),
                                            .stride = stride_,
                                            .nodes = in_conflict_.data(),
                                            .num_nodes = in_conflict_.size(),
                                            .colors = colors_.data(),
                                            .now = now,
                                            .least = least_.data()});
  units_ += in_conflict_.size() * stride_ / kFieldsAUnit + 1;
  // What leads to fewer conflicts than the run has seen may be tabu.
  const bool aspires = change.any < change.free && conflicts_ + change.any < best_of_run_.conflicts;
  const std::int32_t wanted = aspires ? change.any : change.free;
  if (wanted == kNoMove) return;
  std::uint32_t node = UINT32_MAX;
  std::uint32_t color = 0;
  std::uint64_t ties = 0;
  for (std::size_t k = 0; k < in_conflict_.size(); ++k) {
    if (!aspires && least_[k] != wanted) continue;
    const std::uint32_t one = in_conflict_[k];
    const std::int32_t* const row = counts_.data() + one * stride_;
    const std::int32_t* const until = until_.data() + one * stride_;
    const std::int32_t count = row[colors_[one]] + wanted;
    for (std::uint32_t c = 0; c < num_colors_; ++c) {
      if (row[c] != count || (aspires ? until[c] == kColorNever : until[c] > now)) continue;
      if (rng_.below(++ties) != 0) continue;
      node = one;
      color = c;
    }
  }
  recolor(node, color);
  if (conflicts_ < best_of_run_.conflicts) best_of_run_ = {.colors = colors_, .conflicts = conflicts_};
}

void ColoringSearch::recolor(std::uint32_t node, std::uint32_t color) {
  const std::uint32_t old = colors_[node];
  std::int32_t* const own = counts_.data() + node * stride_;
  conflicts_ += own[color] - own[old];
  const auto neighbours = core_->graph().neighbours(node);
  for (const std::uint32_t other : neighbours) {
    std::int32_t* const row = counts_.data() + other * stride_;
    const std::int32_t left = --row[old];
    const std::int32_t there = ++row[color];
    const std::uint32_t its = colors_[other];
    if (its == old && left == 0) leave(other);
    if (its == color && there == 1) enter(other);
  }
  colors_[node] = color;
  if (own[color] == 0) leave(node);
  const std::uint64_t tenure = in_conflict_.size() * 3 / 5 + rng_.below(kTenureDraw) + 1;
  std::int32_t* const until = until_.data() + node * stride_;
  until[old] = static_cast<std::int32_t>(moves_ + tenure);
  until[color] = kColorNever;
  units_ += neighbours.size();
}

void ColoringSearch::end_run() {
  children_[turn_] = std::move(best_of_run_);
  if (turn_ == 0 && generation_ == 0) {
    turn_ = 1;
    begin_run(parents_[1].colors);
    return;
  }
  if (turn_ == 0) {
    turn_ = 1;
    begin_run(cross(parents_[1].colors, parents_[0].colors));
    return;
  }
  std::swap(parents_, children_);
  for (const Individual& one : parents_)
    if (one.conflicts < elite_.conflicts) elite_ = one;
  ++generation_;
  if (generation_ % kCycle == 0) {
    if (!elite_before_.colors.empty()) parents_[0] = elite_before_;
    elite_before_ = std::exchange(elite_, Individual());
  }
  if (same(parents_[0].colors, parents_[1].colors)) {
    run_length_ = std::min(kRunMax, 2 * run_length_);
    begin();
    return;
  }
  turn_ = 0;
  begin_run(cross(parents_[0].colors, parents_[1].colors));
}

ColoringSearch::Colors ColoringSearch::cross(const Colors& a, const Colors& b) {
  const std::size_t n = a.size();
  const Colors* const from[2] = {&a, &b};
  std::vector<std::vector<std::uint32_t>> classes[2];
  std::vector<std::size_t> sizes[2];
  for (std::size_t p = 0; p < 2; ++p) {
    classes[p].resize(num_colors_);
    for (std::uint32_t node = 0; node < n; ++node) classes[p][(*from[p])[node]].push_back(node);
    for (const auto& one : classes[p]) sizes[p].push_back(one.size());
  }
  // In turns the class of most nodes that are left; nodes that no class takes are given the least conflicts.
  Colors out(n, UINT32_MAX);
  for (std::uint32_t color = 0; color < num_colors_; ++color) {
    const std::size_t p = color % 2;
    const auto largest = std::ranges::max_element(sizes[p]) - sizes[p].begin();
    for (const std::uint32_t node : classes[p][static_cast<std::size_t>(largest)]) {
      if (out[node] != UINT32_MAX) continue;
      out[node] = color;
      --sizes[0][a[node]];
      --sizes[1][b[node]];
    }
  }
  std::vector<std::uint32_t> without;
  for (std::uint32_t node = 0; node < n; ++node)
    if (out[node] == UINT32_MAX) without.push_back(node);
  units_ += n + num_colors_ * num_colors_ / kFieldsAUnit;
  give_least(out, without);
  return out;
}

bool ColoringSearch::same(const Colors& a, const Colors& b) const {
  std::vector<std::uint32_t> other(num_colors_, UINT32_MAX);
  std::vector<char> taken(num_colors_);
  for (std::size_t node = 0; node < a.size(); ++node) {
    std::uint32_t& name = other[a[node]];
    if (name == UINT32_MAX) {
      if (taken[b[node]] != 0) return false;
      taken[b[node]] = 1;
      name = b[node];
    }
    if (name != b[node]) return false;
  }
  return true;
}

}  // namespace tandem::solve

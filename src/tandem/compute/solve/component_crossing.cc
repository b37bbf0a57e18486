#include "tandem/compute/solve/component_crossing.h"

#include <algorithm>

namespace tandem::solve {

namespace {

constexpr std::size_t kStopEvery = 1 << 14;  // variables between two looks at the watch: some 300 us

/// Calls `use(neighbour, weight)` for the couplings of `i`.
template <class Rows>
void for_row(const Rows& rows, std::size_t i, std::size_t n, const auto& use) {
  if constexpr (requires { rows.entries; }) {
    for (const auto& [column, weight] : rows.row(i)) use(column, static_cast<std::int64_t>(weight));
  } else {
    const auto* row = rows.row(i);
    for (std::uint32_t j = 0; j < n; ++j) {
      if (row[j] != 0) use(j, std::int64_t{rows.field(row[j])});
    }
  }
}

}  // namespace

std::optional<std::int64_t> ComponentCrossing::improve(problem::Assignment& child, problem::AssignmentView other,
                                                       bool symmetric, const Watch& watch) {
  const auto gain = cross(child, other, 1, watch);
  if (!gain || !symmetric) return gain;
  const auto more = cross(child, other, 0, watch);
  return more ? std::optional(*gain + *more) : std::nullopt;
}

std::optional<std::int64_t> ComponentCrossing::cross(problem::Assignment& child, problem::AssignmentView other,
                                                     std::int8_t difference, const Watch& watch) {
  const std::size_t n = model_->size();
  const auto differs = [&](std::uint32_t i) { return (child[i] ^ other[i]) == difference; };
  std::ranges::fill(seen_, std::int8_t{0});
  std::int64_t twice = 0;
  std::size_t looks = 0;
  bool stopped = false;
  const auto gather_and_weigh = [&](const auto& rows) {
    // Neighbours outside the component have one value in both assignments, those inside the sum of both, which is 1.
    for (std::size_t next = 0; next < component_.size() && !stopped; ++next) {
      if (++looks % kStopEvery == 0) stopped = watch.stopped();
      const std::uint32_t u = component_[next];
      std::int64_t field = 2 * model_->linear()[u];
      for_row(rows, u, n, [&](std::uint32_t v, std::int64_t weight) {
        if (!differs(v)) {
          field += 2 * child[v] * weight;
          return;
        }
        field += weight;
        if (seen_[v] != 0) return;
        seen_[v] = 1;
        component_.push_back(v);
      });
      twice += child[u] != 0 ? -field : field;
    }
  };
  std::int64_t gain = 0;
  for (std::uint32_t first = 0; first < n; ++first) {
    if (seen_[first] != 0 || !differs(first)) continue;
    component_.assign(1, first);
    seen_[first] = 1;
    twice = 0;
    std::visit(gather_and_weigh, model_->rows());
    if (stopped) return std::nullopt;
    if (twice > 0) continue;
    gain += twice / 2;
    for (const std::uint32_t u : component_) child[u] ^= 1;
  }
  return gain;
}

}  // namespace tandem::solve

#include "tandem/compute/solve/replica_model.h"

#include <algorithm>
#include <limits>

#include "tandem/base/assert.h"
#include "tandem/base/rng.h"
#include "tandem/base/stopped.h"
#include "tandem/compute/solve/exponential.h"

namespace tandem::solve {

namespace {

constexpr std::uint64_t kExponentialSeed = 20261127;
constexpr std::uint64_t kSumsPerLook = 1 << 14;
constexpr std::size_t kVariablesPerLook = 1 << 10;
constexpr std::uint64_t kVisitSums = 8;      // what a visit costs beside its sums, in sums
constexpr std::uint64_t kSumsPerVisit = 12;  // in the time of a visit of scalar annealing

struct Coupling {
  std::int32_t weight = 0;
  std::uint32_t neighbour = 0;
};

void couplings_of(const auto& rows, std::size_t i, std::size_t n, std::vector<Coupling>& out) {
  out.clear();
  if constexpr (requires { rows.entries; }) {
    for (const auto& [column, weight] : rows.row(i)) out.push_back({static_cast<std::int32_t>(weight), column});
  } else {
    const auto* row = rows.row(i);
    for (std::uint32_t j = 0; j < n; ++j) {
      if (row[j] != 0) out.push_back({static_cast<std::int32_t>(rows.field(row[j])), j});
    }
  }
}

}  // namespace

bool ReplicaModel::fits(const SearchModel& model) {
  return std::visit([](const auto& rows) { return sizeof(typename std::decay_t<decltype(rows)>::Field) <= 4; },
                    model.rows());
}

std::uint64_t ReplicaModel::bytes(const SearchModel& model) {
  // Runs are counted as they come: a vector that grows may hold twice as many, and the half of that which it leaves.
  return kExponentials * sizeof(float) + model.size() * sizeof(ReplicaRow) +
         model.num_entries() * (3 * sizeof(ReplicaRun) + sizeof(std::uint32_t));
}

ReplicaModel::ReplicaModel(const SearchModel& model, const std::stop_token& stop) : model_(&model) {
  TANDEM_ASSERT(fits(model));
  const std::size_t n = model.size();
  rows_.reserve(n);
  neighbours_.reserve(model.num_entries());
  std::vector<Coupling> couplings;
  for (std::size_t i = 0; i < n; ++i) {
    if (i % kVariablesPerLook == 0) throw_if(stop);
    std::visit([&](const auto& rows) { couplings_of(rows, i, n, couplings); }, model.rows());
    std::ranges::stable_sort(couplings, {}, &Coupling::weight);
    const std::int64_t linear = model.linear()[i];
    std::int64_t least = linear;
    std::int64_t greatest = linear;
    const std::size_t first = runs_.size();
    for (const auto& [weight, neighbour] : couplings) {
      const bool more =
          runs_.size() > first && runs_.back().weight == weight && runs_.back().count < ReplicaRun::kCountMax;
      if (!more) runs_.push_back({weight, 0});
      ++runs_.back().count;
      neighbours_.push_back(neighbour);
      (weight < 0 ? least : greatest) += weight;
    }
    rows_.push_back({static_cast<std::int32_t>(linear), static_cast<std::uint32_t>(runs_.size() - first)});
    symmetric_ = symmetric_ && least + greatest == 0;
    narrow_ = narrow_ && std::max(-least, greatest) <= std::numeric_limits<std::int16_t>::max();
  }
  runs_.shrink_to_fit();
  Xoshiro256 rng(kExponentialSeed);
  exponentials_.resize(kExponentials);
  for (float& value : exponentials_) value = static_cast<float>(exponential(rng()));
  const std::uint64_t sums = n == 0 ? 1 : kVisitSums + (model.num_entries() + 2 * runs_.size()) / n;
  variables_per_look_ = std::max<std::uint64_t>(1, kSumsPerLook / sums);
  visit_cost_ = (sums + kSumsPerVisit - 1) / kSumsPerVisit;
}

}  // namespace tandem::solve

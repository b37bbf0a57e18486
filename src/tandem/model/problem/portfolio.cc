#include "tandem/model/problem/portfolio.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "tandem/base/text.h"
#include "tandem/model/problem/cqm.h"
#include "tandem/model/problem/term_document.h"

namespace tandem::problem {
namespace {

/// The first row at which a Cholesky factorisation of the shifted matrix breaks down, and the pivot there.
struct Breakdown {
  std::size_t row = 0;
  double pivot = 0;
};

std::optional<Breakdown> factorise(std::vector<double> matrix, std::size_t n, double shift) {
  for (std::size_t j = 0; j < n; ++j) {
    double* const row = &matrix[j * n];
    const double pivot = row[j] + shift;
    if (!(pivot > 0)) return Breakdown{.row = j, .pivot = pivot - shift};
    // The upper triangle of what is left, row by row: the inner loop runs along memory.
    for (std::size_t i = j + 1; i < n; ++i) {
      const double factor = row[i] / pivot;
      if (factor == 0) continue;
      for (std::size_t k = i; k < n; ++k) matrix[i * n + k] -= factor * row[k];
    }
  }
  return std::nullopt;
}

}  // namespace

Result<void> check_covariance(PortfolioData& data, const std::string& place) {
  const std::size_t n = data.assets.size();
  double largest = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double variance = data.covariance_of(i, i);
    if (variance < 0 || variance > PortfolioData::kVarianceMax) {
      return fail_at(fmt::format("{}/{}/{}", place, i, i), errors::kValueOutOfRange,
                     "the variance {} of {} is outside the limits; use a number from 0 to {}", variance,
                     quote(data.assets[i].name), PortfolioData::kVarianceMax);
    }
    largest = std::max(largest, variance);
  }
  const double tolerance = PortfolioData::kSemidefiniteTolerance * std::sqrt(static_cast<double>(n)) * largest;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i + 1; j < n; ++j) {
      double& upper = data.covariance[i * n + j];
      double& lower = data.covariance[j * n + i];
      if (std::abs(upper - lower) > PortfolioData::kSymmetryTolerance * std::max(std::abs(upper), std::abs(lower))) {
        return fail_at(fmt::format("{}/{}/{}", place, j, i), errors::kValueOutOfRange,
                       "the matrix is not symmetric: {} with {} is {}, but {} with {} is {}; make the two equal",
                       quote(data.assets[i].name), quote(data.assets[j].name), upper, quote(data.assets[j].name),
                       quote(data.assets[i].name), lower);
      }
      if (upper != lower) upper = lower = upper / 2 + lower / 2;
      const double bound = std::sqrt(data.covariance_of(i, i) * data.covariance_of(j, j));
      if (std::abs(upper) > bound + tolerance) {
        return fail_at(fmt::format("{}/{}/{}", place, i, j), errors::kValueOutOfRange,
                       "the covariance {} of {} and {} is beyond {}, where their correlation would be 1; correct it",
                       upper, quote(data.assets[i].name), quote(data.assets[j].name), bound);
      }
    }
  }
  if (largest == 0) return {};  // no risk at all: every covariance is 0 as well
  if (const auto broken = factorise(data.covariance, n, tolerance)) {
    return fail_at(
        place, errors::kValueOutOfRange,
        "the matrix is not positive semidefinite: some mix of the first {} assets, up to {}, would have a negative "
        "variance (pivot {:.3g}, limit {:.3g}); give more digits or make the covariances smaller",
        broken->row + 1, quote(data.assets[broken->row].name), broken->pivot, -tolerance);
  }
  return {};
}

std::optional<double> cheapest_choice(const PortfolioData& data) {
  std::vector<std::size_t> order(data.assets.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return data.assets[a].cost < data.assets[b].cost; });
  std::map<std::string, std::size_t> room = data.sector_limits;
  std::size_t chosen = 0;
  double cost = 0;
  for (const std::size_t i : order) {
    if (chosen == data.choose) break;
    if (const auto limit = room.find(data.assets[i].sector); limit != room.end()) {
      if (limit->second == 0) continue;
      --limit->second;
    }
    ++chosen;
    cost += data.assets[i].cost;
  }
  return chosen == data.choose ? std::optional(cost) : std::nullopt;
}

Result<void> check_feasible(const PortfolioData& data, const std::string& pointer) {
  if (data.choose > data.assets.size()) {
    return fail_at(pointer + "/choose", errors::kInfeasibleProblem,
                   "there are {} assets, but {} are to be chosen; choose at most {}", data.assets.size(), data.choose,
                   data.assets.size());
  }
  const std::optional<double> cheapest = cheapest_choice(data);
  if (!cheapest) {
    PortfolioData all = data;
    while (all.choose > 0 && !cheapest_choice(all)) --all.choose;
    return fail_at(pointer + "/sector_limits", errors::kInfeasibleProblem,
                   "the sector limits allow {} assets together, but {} are to be chosen; raise a limit or choose fewer",
                   all.choose, data.choose);
  }
  if (data.budget && *cheapest - *data.budget > kFeasibilityTolerance * std::max(1.0, *data.budget)) {
    return fail_at(
        pointer + "/budget", errors::kInfeasibleProblem,
        "the cheapest {} assets within the sector limits cost {}, the budget is {}; raise the budget or choose "
        "fewer",
        data.choose, plain_number(*cheapest), plain_number(*data.budget));
  }
  return {};
}

}  // namespace tandem::problem

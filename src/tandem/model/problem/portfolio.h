// tandem/model/problem/portfolio.h - the data of a portfolio choice, and what must hold before anybody searches.
//
// Room: model. For type_portfolio.cc and its tests. Choose K of N assets, each with weight 1/K: maximise
// expected return - risk_aversion x variance (Markowitz, Journal of Finance 7 (1952)) within a budget and limits a sector.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tandem/base/result.h"

namespace tandem::problem {

struct Asset {
  std::string name;
  double expected_return = 0;  ///< a period, as a fraction: 0.08 is 8 %
  double cost = 0;  ///< of holding it, in the currency of the budget
  std::string sector;  ///< empty: none
  friend bool operator==(const Asset&, const Asset&) = default;
};

/// Shapes: covariance is assets.size() squared, row by row.
struct PortfolioData {
  static constexpr std::size_t kAssetsMax = 2'000;  ///< the check of the covariance takes about a second there
  static constexpr double kReturnMax = 1e6;  ///< of |expected_return|; a fraction of 1 is already a doubling
  static constexpr double kVarianceMax = 1e12;  ///< its root is kReturnMax
  static constexpr double kRiskAversionMax = 1e12;
  static constexpr double kMoneyMax = 1e15;  ///< of costs and budget: sums stay exact to a cent
  static constexpr double kSymmetryTolerance = 1e-9;  ///< relative difference of the two halves of the covariance
  /// Eigenvalues down to -kSemidefiniteTolerance x sqrt(n) x the largest variance pass: rounding a singular matrix to six
  /// digits moves its eigenvalues by up to 0.6 of that (Wigner's semicircle).
  static constexpr double kSemidefiniteTolerance = 1e-6;

  std::vector<Asset> assets;
  std::vector<double> covariance;
  std::size_t choose = 1;
  std::optional<double> budget;
  std::map<std::string, std::size_t> sector_limits;  ///< sector -> assets at most
  double risk_aversion = 1;

  double covariance_of(std::size_t i, std::size_t j) const { return covariance[i * assets.size() + j]; }
};

/// Checks the covariance and makes it exactly symmetric. `place` is that of the matrix in the document.
///
/// Errors: 1023 value_out_of_range - not symmetric, a negative variance, a correlation beyond 1, or not positive semidefinite.
/// Cost: O(n^3 / 6).
Result<void> check_covariance(PortfolioData& data, const std::string& place);

/// The least that `choose` assets within the sector limits cost; empty when the limits leave too few assets.
/// Exact: the sets of assets that the limits allow are the independent sets of a matroid, so greedy by cost is optimal.
std::optional<double> cheapest_choice(const PortfolioData& data);

/// Proves that at least one choice satisfies all constraints.
///
/// Errors: 1107 infeasible_problem - at the key of the constraint, with figures. `pointer` is that of the document.
Result<void> check_feasible(const PortfolioData& data, const std::string& pointer);

}  // namespace tandem::problem

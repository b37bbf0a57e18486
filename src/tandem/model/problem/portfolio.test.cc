#include "tandem/model/problem/portfolio.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "tandem/base/rng.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/model/problem/problem.h"
#include "tandem/model/problem/testing/random_models.h"

namespace tandem::problem {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Four assets whose figures are easy by hand.
Json sample() {
  return parse_json(R"({
    "type": "portfolio",
    "assets": [
      {"name": "A", "expected_return": 0.10, "cost": 1000, "sector": "tech"},
      {"name": "B", "expected_return": 0.20, "cost": 2500, "sector": "tech"},
      {"name": "C", "expected_return": 0.06, "cost": 1500, "sector": "energy"},
      {"name": "D", "expected_return": 0.04, "cost": 500}],
    "covariance": [[0.04, 0.02, 0, 0], [0.02, 0.16, 0, 0], [0, 0, 0.01, 0], [0, 0, 0, 0]],
    "choose": 2,
    "risk_aversion": 0.5,
    "budget": 3000,
    "sector_limits": {"tech": 1}})",
                    "sample")
      .value();
}

Result<ProblemPtr> parse(const Json& document) {
  return ProblemRegistry::with_builtin_types().parse(document, "/problem");
}

TEST(Portfolio, figures_by_hand) {
  const ProblemPtr problem = parse(sample()).value();
  // B and D: return (0.20 + 0.04) / 2 = 0.12, variance 0.16 / 4 = 0.04, objective 0.12 - 0.5 x 0.04 = 0.10.
  const Score score = problem->score(Assignment{0, 1, 0, 1});
  EXPECT_NEAR(score.objective, 0.10, 1e-15);
  EXPECT_TRUE(score.feasible);
  const Json answer = problem->answer(Assignment{0, 1, 0, 1});
  EXPECT_EQ(answer["assets"], Json({"B", "D"}));
  EXPECT_NEAR(answer["expected_return"].get<double>(), 0.12, 1e-15);
  EXPECT_NEAR(answer["volatility"].get<double>(), 0.2, 1e-15);
  EXPECT_EQ(answer["cost"], 3000);
  EXPECT_EQ(answer["budget"], 3000);
  EXPECT_EQ(answer["sectors"], (Json{{"tech", {{"count", 1}, {"limit", 1}}}}));
  EXPECT_THAT(problem->explain(Assignment{0, 1, 0, 1}),
              ElementsAre("Hold 2 of 4 assets in equal parts: B, D.",
                          "Expected return 12.00 %, volatility 20.00 %; return less 0.5 x variance is 0.100000.",
                          "Cost 3,000 of a budget of 3,000 (100.0 %).", "Sectors: tech 1 of at most 1."));
}

TEST(Portfolio, violations_are_in_business_words_with_figures) {
  const ProblemPtr problem = parse(sample()).value();
  // A and B: variance (0.04 + 0.16 + 2 x 0.02) / 4 = 0.06, objective 0.15 - 0.03.
  const Score score = problem->score(Assignment{1, 1, 0, 0});
  EXPECT_NEAR(score.objective, 0.12, 1e-15);
  EXPECT_FALSE(score.feasible);
  EXPECT_THAT(score.violations, ElementsAre("cost 3,500 exceeds the budget of 3,000 by 500",
                                            "chose 2 assets of sector 'tech', at most 1 allowed"));
  EXPECT_THAT(problem->score(Assignment{1, 0, 1, 1}).violations, ElementsAre("chose 3 assets, must be exactly 2"));
  EXPECT_THAT(problem->explain(Assignment{0, 0, 0, 0}),
              testing::Contains("Not allowed: chose 0 assets, must be exactly 2."));
}

TEST(Portfolio, volatilities_with_correlation_are_the_same_problem_as_their_covariance) {
  Json document = sample();
  document.erase("covariance");
  const std::vector<double> volatilities{0.2, 0.4, 0.1, 0};
  for (std::size_t i = 0; i < 4; ++i) document["assets"][i]["volatility"] = volatilities[i];
  // 0.02 / (0.2 x 0.4) = 0.25.
  document["correlation"] = {{1, 0.25, 0, 0}, {0.25, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}};
  const ProblemPtr problem = parse(document).value();
  const ProblemPtr other = parse(sample()).value();
  for_each_assignment(Vartype::kBinary, 4, [&](const Assignment& values) {
    EXPECT_NEAR(problem->score(values).objective, other->score(values).objective, 1e-15);
  });
  EXPECT_EQ(parse(problem->document()).value()->hash(), problem->hash());
}

TEST(Portfolio, bad_documents_are_refused_at_their_place) {
  struct Case {
    std::string_view patch;  // RFC 7386 merge patch of the sample
    std::string_view place;
    ErrorNumber number;
    std::string_view words;
  };
  const std::vector<Case> cases{
      {R"({"assets": []})", "/problem/assets", errors::kValueOutOfRange, "0 assets"},
      {R"({"assets": [{"name": "A"}]})", "/problem/assets/0", errors::kMissingKey, "expected_return"},
      {R"({"assets": [{"name": "", "expected_return": 0}]})", "/problem/assets/0/name", errors::kValueOutOfRange,
       "empty"},
      {R"({"assets": [{"name": "A", "expected_return": 0}, {"name": "A", "expected_return": 0}]})",
       "/problem/assets/1/name", errors::kValueOutOfRange, "twice"},
      {R"({"assets": [{"name": "A", "expected_return": 0, "cost": -1}]})", "/problem/assets/0/cost",
       errors::kValueOutOfRange, "-1"},
      {R"({"assets": [{"name": "A", "expected_return": 1e7}]})", "/problem/assets/0/expected_return",
       errors::kValueOutOfRange, "1000000"},
      {R"({"assets": [{"name": "A", "expected_return": 0, "vol": 1}]})", "/problem/assets/0/vol", errors::kUnknownKey,
       "vol"},
      {R"({"covariance": null})", "/problem", errors::kMissingKey, "'correlation' and a 'volatility'"},
      {R"({"correlation": [[1]]})", "/problem/correlation", errors::kBadJob, "both"},
      {R"({"covariance": [[1]]})", "/problem/covariance", errors::kSizeMismatch, "1 rows for 4 assets"},
      {R"({"covariance": [[0,0,0,0],[0,0,0,0],[0,0,0],[0,0,0,0]]})", "/problem/covariance/2", errors::kSizeMismatch,
       "3 numbers"},
      {R"({"covariance": [[0,0,0,0],[0,0,0,"x"],[0,0,0,0],[0,0,0,0]]})", "/problem/covariance/1/3", errors::kWrongType,
       "number"},
      {R"({"covariance": [1,2,3,4]})", "/problem/covariance/0", errors::kWrongType, "array of 4 numbers"},
      {R"({"covariance": [[1,0.5,0,0],[0.4,1,0,0],[0,0,1,0],[0,0,0,1]]})", "/problem/covariance/1/0",
       errors::kValueOutOfRange, "not symmetric: 'A' with 'B' is 0.5, but 'B' with 'A' is 0.4"},
      {R"({"covariance": [[-1,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,0,1]]})", "/problem/covariance/0/0",
       errors::kValueOutOfRange, "variance -1 of 'A'"},
      {R"({"covariance": [[1,0,0,0],[0,4,0,-2.1],[0,0,1,0],[0,-2.1,0,1]]})", "/problem/covariance/1/3",
       errors::kValueOutOfRange, "beyond 2, where their correlation would be 1"},
      // Pairwise fine, together not: 1 + 2 (-0.9 -0.9 -0.9)/3 < 0 for equal weights of A, B, C.
      {R"({"covariance": [[1,-0.9,-0.9,0],[-0.9,1,-0.9,0],[-0.9,-0.9,1,0],[0,0,0,1]]})", "/problem/covariance",
       errors::kValueOutOfRange, "first 3 assets, up to 'C'"},
      {R"({"choose": 0})", "/problem/choose", errors::kValueOutOfRange, "from 1"},
      {R"({"choose": 5})", "/problem/choose", errors::kInfeasibleProblem, "4 assets, but 5"},
      {R"({"risk_aversion": -1})", "/problem/risk_aversion", errors::kValueOutOfRange, "-1"},
      {R"({"sector_limits": {"technology": 1}})", "/problem/sector_limits/technology", errors::kUnknownKey,
       "no asset is of sector 'technology'"},
      {R"({"sector_limits": {"tech": -1}})", "/problem/sector_limits/tech", errors::kValueOutOfRange, "from 0"},
      {R"({"sector_limits": {"tech": 0, "energy": 0}})", "/problem/sector_limits", errors::kInfeasibleProblem,
       "allow 1 assets together, but 2"},
      {R"({"budget": 1499})", "/problem/budget", errors::kInfeasibleProblem, "cost 1500, the budget is 1499"},
  };
  for (const Case& c : cases) {
    Json document = sample();
    document.merge_patch(parse_json(c.patch, "patch").value());
    const auto result = parse(document);
    ASSERT_FALSE(result.has_value()) << c.patch;
    EXPECT_EQ(result.error().place, c.place) << c.patch << "\n" << result.error().to_string();
    EXPECT_EQ(result.error().number, c.number) << c.patch << "\n" << result.error().to_string();
    EXPECT_THAT(result.error().message, HasSubstr(std::string(c.words)));
  }
}

TEST(Portfolio, correlations_are_checked_where_they_stand) {
  Json document = sample();
  document.erase("covariance");
  document["correlation"] = {{1, 0.25, 0, 0}, {0.25, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}};
  EXPECT_THAT(parse(document), FailsAt("/problem/assets/0", errors::kMissingKey));
  for (std::size_t i = 0; i < 4; ++i) document["assets"][i]["volatility"] = 0.1;
  EXPECT_THAT(parse(document), Succeeds());
  document["correlation"][2][2] = 0.9;
  EXPECT_THAT(parse(document), FailsAt("/problem/correlation/2/2", errors::kValueOutOfRange));
  document["correlation"][2][2] = 1;
  document["correlation"][0][1] = 1.5;
  EXPECT_THAT(parse(document), FailsAt("/problem/correlation/0/1", errors::kValueOutOfRange));
  document = sample();
  document["assets"][1]["volatility"] = 0.1;
  EXPECT_THAT(parse(document), FailsAt("/problem/assets/1/volatility", errors::kBadJob));
}

/// Random covariance F F^T of factors; singular where there are fewer factors than assets.
std::vector<double> factor_covariance(std::size_t assets, std::size_t factors, std::uint64_t seed) {
  Xoshiro256 rng(seed);
  std::vector<double> loadings(assets * factors);
  for (double& value : loadings) value = rng.uniform() - 0.5;
  std::vector<double> covariance(assets * assets, 0.0);
  for (std::size_t i = 0; i < assets; ++i) {
    for (std::size_t j = 0; j < assets; ++j) {
      for (std::size_t f = 0; f < factors; ++f) {
        covariance[i * assets + j] += loadings[i * factors + f] * loadings[j * factors + f];
      }
    }
  }
  return covariance;
}

PortfolioData with_covariance(std::vector<double> covariance, std::size_t assets) {
  PortfolioData data;
  for (std::size_t i = 0; i < assets; ++i) data.assets.push_back({.name = std::to_string(i), .sector = ""});
  data.covariance = std::move(covariance);
  return data;
}

TEST(Portfolio, covariances_of_few_factors_rounded_to_six_digits_pass) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::vector<double> covariance = factor_covariance(30, 5, seed);
    for (double& value : covariance) value = std::round(value * 1e6) / 1e6;
    PortfolioData data = with_covariance(std::move(covariance), 30);
    EXPECT_THAT(check_covariance(data, "/c"), Succeeds());
  }
}

TEST(Portfolio, a_shifted_singular_covariance_fails) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    PortfolioData data = with_covariance(factor_covariance(12, 5, seed), 12);
    for (std::size_t i = 0; i < 12; ++i) data.covariance[i * 12 + i] -= 1e-3;  // smallest eigenvalue 0 -> -0.001
    EXPECT_THAT(check_covariance(data, "/c"), FailsWith(errors::kValueOutOfRange));
  }
}

TEST(Portfolio, assets_without_risk_are_allowed) {
  PortfolioData data = with_covariance({0, 0, 0, 0}, 2);
  EXPECT_THAT(check_covariance(data, "/c"), Succeeds());
  data.covariance = {0, 0.1, 0.1, 0};
  EXPECT_THAT(check_covariance(data, "/c"), FailsAt("/c/0/1", errors::kValueOutOfRange));
}

TEST(Portfolio, halves_that_differ_by_rounding_become_equal) {
  PortfolioData data = with_covariance({1, 0.1 + 0.2, 0.3, 1}, 2);
  ASSERT_THAT(check_covariance(data, "/c"), Succeeds());
  EXPECT_EQ(data.covariance[1], data.covariance[2]);
}

TEST(Portfolio, feasibility_is_decided_exactly) {
  // Against every choice of random small cases: the check refuses exactly those that have no feasible choice.
  int infeasible = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Xoshiro256 rng(seed);
    const std::size_t n = 2 + rng.below(6);
    PortfolioData data = with_covariance(std::vector<double>(n * n, 0.0), n);
    for (Asset& asset : data.assets) {
      asset.cost = static_cast<double>(rng.below(20));
      asset.sector = std::array<const char*, 3>{"", "x", "y"}[rng.below(3)];
    }
    data.choose = 1 + rng.below(n);
    data.budget = static_cast<double>(rng.below(40));
    if (rng.below(2) == 0) data.sector_limits["x"] = rng.below(3);
    if (rng.below(2) == 0) data.sector_limits["y"] = rng.below(3);
    bool possible = false;
    for (std::uint64_t set = 0; set < std::uint64_t{1} << n; ++set) {
      double cost = 0;
      std::map<std::string, std::size_t> count;
      for (std::size_t i = 0; i < n; ++i) {
        if ((set >> i & 1) == 0) continue;
        cost += data.assets[i].cost;
        ++count[data.assets[i].sector];
      }
      bool allowed = static_cast<std::size_t>(std::popcount(set)) == data.choose && cost <= *data.budget;
      for (const auto& [sector, limit] : data.sector_limits) allowed = allowed && count[sector] <= limit;
      possible = possible || allowed;
    }
    infeasible += possible ? 0 : 1;
    EXPECT_EQ(check_feasible(data, "").has_value(), possible) << seed;
  }
  EXPECT_GT(infeasible, 50);
  EXPECT_LT(infeasible, 250);
}

TEST(Portfolio, constraints_carry_the_words_of_the_business) {
  const Statement statement = parse(sample()).value()->state();
  std::vector<std::string> names;
  for (const LinearConstraint& constraint : std::get<Cqm>(statement).constraints()) names.push_back(constraint.name);
  EXPECT_THAT(names,
              ElementsAre("choose exactly 2 assets", "spend at most 3,000", "at most 1 assets of sector 'tech'"));
}

}  // namespace
}  // namespace tandem::problem

// The type `portfolio`: choose K of N assets in equal parts, return against risk, within a budget and limits a sector.
#include <algorithm>
#include <cmath>
#include <memory>
#include <unordered_set>
#include <utility>

#include "tandem/base/assert.h"
#include "tandem/base/text.h"
#include "tandem/model/problem/portfolio.h"
#include "tandem/model/problem/problem.h"
#include "tandem/model/problem/term_document.h"

namespace tandem::problem {
namespace {

constexpr std::string_view kTemplate = R"(problem:
  type: portfolio
  # What may be held. Returns are fractions a year (0.08 is 8 %); volatility is the standard deviation of the return.
  # cost and sector are needed only for a budget and for sector limits.
  assets:
    - {name: Alpine Power,   expected_return: 0.062, volatility: 0.15, cost: 21000, sector: energy}
    - {name: Borealis Wind,  expected_return: 0.085, volatility: 0.24, cost: 18000, sector: energy}
    - {name: Cobalt Chips,   expected_return: 0.124, volatility: 0.33, cost: 32000, sector: technology}
    - {name: Delta Software, expected_return: 0.108, volatility: 0.27, cost: 27000, sector: technology}
    - {name: Everwell Labs,  expected_return: 0.071, volatility: 0.18, cost: 24000, sector: health}
  # How the returns move together: one row and one column an asset, in the same order. With volatilities this is a correlation;
  # without them give `covariance` instead.
  correlation:
    - [1.00, 0.45, 0.20, 0.15, 0.10]
    - [0.45, 1.00, 0.30, 0.25, 0.05]
    - [0.20, 0.30, 1.00, 0.60, 0.20]
    - [0.15, 0.25, 0.60, 1.00, 0.25]
    - [0.10, 0.05, 0.20, 0.25, 1.00]
  # Exactly so many assets, each with the same share of the money.
  choose: 3
  # The objective is expected return - risk_aversion x variance; larger values avoid risk more.
  risk_aversion: 1.5
  # Optional: the chosen assets together cost at most this.
  budget: 75000
  # Optional: at most so many assets of a sector.
  sector_limits: {technology: 1, energy: 2}
)";

/// 97500 -> "97,500"; at most two decimals.
std::string amount(double value) {
  const double cents = std::round(std::abs(value) * 100);
  std::string whole = fmt::format("{:.0f}", std::floor(cents / 100));
  for (auto at = std::ssize(whole) - 3; at > 0; at -= 3) whole.insert(static_cast<std::size_t>(at), ",");
  const double fraction = std::fmod(cents, 100);
  return (value < 0 ? "-" : "") + whole + (fraction > 0 ? fmt::format(".{:02.0f}", fraction) : "");
}

std::string percent(double fraction) { return fmt::format("{:.2f} %", 100 * fraction); }

/// A holding judged from the data alone.
struct Holding {
  std::vector<std::size_t> chosen;
  double expected_return = 0;
  double variance = 0;
  double cost = 0;
  std::map<std::string, std::size_t> by_sector;
};

class Portfolio final : public Problem {
 public:
  /// `data` has been checked.
  explicit Portfolio(PortfolioData data) : data_(std::move(data)) {
    for (const Asset& asset : data_.assets) names_.push_back(asset.name);
  }

  std::string_view type() const override { return "portfolio"; }
  Sense sense() const override { return Sense::kMax; }
  Vartype vartype() const override { return Vartype::kBinary; }
  std::size_t num_variables() const override { return data_.assets.size(); }
  std::span<const std::string> names() const override { return names_; }

  Json document() const override {
    Json assets = Json::array();
    Json covariance = Json::array();
    const std::span<const double> values(data_.covariance);
    for (const Asset& asset : data_.assets) {
      covariance.push_back(numbers_document(values.subspan(assets.size() * num_variables(), num_variables())));
      Json item{{"name", asset.name},
                {"expected_return", number_document(asset.expected_return)},
                {"cost", number_document(asset.cost)}};
      if (!asset.sector.empty()) item["sector"] = asset.sector;
      assets.push_back(std::move(item));
    }
    Json out{{"type", type()},
             {"assets", std::move(assets)},
             {"covariance", std::move(covariance)},
             {"choose", data_.choose},
             {"risk_aversion", number_document(data_.risk_aversion)}};
    if (data_.budget) out["budget"] = number_document(*data_.budget);
    if (!data_.sector_limits.empty()) out["sector_limits"] = data_.sector_limits;
    return out;
  }

  /// Minimise sum_ij (risk_aversion C_ij / K^2) x_i x_j - sum_i (r_i / K) x_i under the constraints.
  Statement state() const override {
    const std::size_t n = num_variables();
    const auto count = static_cast<double>(data_.choose);
    const double risk = data_.risk_aversion / (count * count);
    std::vector<double> linear(n);
    std::vector<QuadraticTerm> terms;
    terms.reserve(n * (n - 1) / 2);
    for (std::uint32_t i = 0; i < n; ++i) {
      linear[i] = risk * data_.covariance_of(i, i) - data_.assets[i].expected_return / count;
      for (std::uint32_t j = i + 1; j < n; ++j) terms.push_back({i, j, 2 * risk * data_.covariance_of(i, j)});
    }
    auto objective = Bqm::create(Vartype::kBinary, std::move(linear), std::move(terms), 0);
    TANDEM_ASSERT(objective.has_value());  // the limits of PortfolioData keep every coefficient small
    auto cqm = Cqm::create(*std::move(objective), constraints());
    TANDEM_ASSERT(cqm.has_value());
    return *std::move(cqm);
  }

  Score score(AssignmentView solution) const override {
    const Holding holding = hold(solution);
    Score score{.objective = objective(holding), .violations = {}};
    if (holding.chosen.size() != data_.choose) {
      score.violations.push_back(
          fmt::format("chose {} assets, must be exactly {}", holding.chosen.size(), data_.choose));
    }
    if (data_.budget && holding.cost - *data_.budget > kFeasibilityTolerance * std::max(1.0, *data_.budget)) {
      score.violations.push_back(fmt::format("cost {} exceeds the budget of {} by {}", amount(holding.cost),
                                             amount(*data_.budget), amount(holding.cost - *data_.budget)));
    }
    for (const auto& [sector, limit] : data_.sector_limits) {
      const std::size_t count = count_of(holding, sector);
      if (count > limit) {
        score.violations.push_back(
            fmt::format("chose {} assets of sector '{}', at most {} allowed", count, sector, limit));
      }
    }
    score.feasible = score.violations.empty();
    return score;
  }

  Json answer(AssignmentView solution) const override {
    const Holding holding = hold(solution);
    Json out{{"assets", variables_with(solution, 1, names_)},
             {"expected_return", holding.expected_return},
             {"volatility", std::sqrt(std::max(0.0, holding.variance))},
             {"objective", objective(holding)},
             {"cost", number_document(holding.cost)}};
    if (data_.budget) out["budget"] = number_document(*data_.budget);
    Json sectors = Json::object();
    for (const auto& [sector, count] : holding.by_sector) sectors[sector]["count"] = count;
    for (const auto& [sector, limit] : data_.sector_limits) {
      sectors[sector]["count"] = count_of(holding, sector);
      sectors[sector]["limit"] = limit;
    }
    if (!sectors.empty()) out["sectors"] = std::move(sectors);
    return out;
  }

  std::vector<std::string> explain(AssignmentView solution) const override {
    const Holding holding = hold(solution);
    std::string chosen;
    for (const std::size_t i : holding.chosen) chosen += (chosen.empty() ? "" : ", ") + data_.assets[i].name;
    std::vector<std::string> lines{
        fmt::format("Hold {} of {} assets in equal parts: {}.", holding.chosen.size(), num_variables(),
                    chosen.empty() ? "none" : chosen),
        fmt::format("Expected return {}, volatility {}; return less {} x variance is {:.6f}.",
                    percent(holding.expected_return), percent(std::sqrt(std::max(0.0, holding.variance))),
                    plain_number(data_.risk_aversion), objective(holding))};
    if (data_.budget) {
      const std::string share = *data_.budget > 0 ? fmt::format(" ({:.1f} %)", 100 * holding.cost / *data_.budget) : "";
      lines.push_back(fmt::format("Cost {} of a budget of {}{}.", amount(holding.cost), amount(*data_.budget), share));
    } else if (holding.cost > 0) {
      lines.push_back(fmt::format("Cost {}.", amount(holding.cost)));
    }
    if (const std::string sectors = sector_words(holding); !sectors.empty()) lines.push_back(sectors);
    for (const std::string& violation : score(solution).violations) {
      lines.push_back(fmt::format("Not allowed: {}.", violation));
    }
    return lines;
  }

 private:
  Holding hold(AssignmentView solution) const {
    TANDEM_ASSERT(solution.size() == num_variables());
    Holding holding;
    for (std::size_t i = 0; i < solution.size(); ++i) {
      if (solution[i] == 1) holding.chosen.push_back(i);
    }
    const auto count = static_cast<double>(data_.choose);
    for (const std::size_t i : holding.chosen) {
      const Asset& asset = data_.assets[i];
      holding.expected_return += asset.expected_return / count;
      holding.cost += asset.cost;
      if (!asset.sector.empty()) ++holding.by_sector[asset.sector];
      for (const std::size_t j : holding.chosen) holding.variance += data_.covariance_of(i, j) / (count * count);
    }
    return holding;
  }

  double objective(const Holding& holding) const {
    return holding.expected_return - data_.risk_aversion * holding.variance;
  }

  static std::size_t count_of(const Holding& holding, const std::string& sector) {
    const auto found = holding.by_sector.find(sector);
    return found == holding.by_sector.end() ? 0 : found->second;
  }

  /// "Sectors: energy 2 of at most 2, health 1."
  std::string sector_words(const Holding& holding) const {
    std::map<std::string, std::string> words;
    for (const auto& [sector, count] : holding.by_sector) words[sector] = fmt::format("{} {}", sector, count);
    for (const auto& [sector, limit] : data_.sector_limits) {
      words[sector] = fmt::format("{} {} of at most {}", sector, count_of(holding, sector), limit);
    }
    std::string line;
    for (const auto& [sector, text] : words) line += (line.empty() ? "Sectors: " : ", ") + text;
    return line.empty() ? line : line + ".";
  }

  std::vector<LinearConstraint> constraints() const {
    std::vector<LinearTerm> all;
    std::vector<LinearTerm> costs;
    std::map<std::string, std::vector<LinearTerm>> members;
    for (std::uint32_t i = 0; i < num_variables(); ++i) {
      all.push_back({i, 1});
      costs.push_back({i, data_.assets[i].cost});
      members[data_.assets[i].sector].push_back({i, 1});
    }
    std::vector<LinearConstraint> out{{.name = fmt::format("choose exactly {} assets", data_.choose),
                                       .terms = std::move(all),
                                       .comparison = Comparison::kEqual,
                                       .bound = static_cast<double>(data_.choose)}};
    if (data_.budget) {
      out.push_back({.name = fmt::format("spend at most {}", amount(*data_.budget)),
                     .terms = std::move(costs),
                     .comparison = Comparison::kLessEqual,
                     .bound = *data_.budget});
    }
    for (const auto& [sector, limit] : data_.sector_limits) {
      out.push_back({.name = fmt::format("at most {} assets of sector '{}'", limit, sector),
                     .terms = members[sector],
                     .comparison = Comparison::kLessEqual,
                     .bound = static_cast<double>(limit)});
    }
    return out;
  }

  PortfolioData data_;
  std::vector<std::string> names_;
};

// ---- reading the document ------------------------------------------------------------------------------------------

/// A number of an object within limits.
Result<double> number_within(const ObjectReader& reader, std::string_view key, double fallback, double min,
                             double max) {
  TANDEM_TRY_ASSIGN(const double value, reader.number_or(key, fallback));
  if (value < min || value > max) {
    return fail_at(reader.at(key), errors::kValueOutOfRange, "{} is outside the limits; use a number from {} to {}",
                   value, min, max);
  }
  return value;
}

/// One asset and, where given, its volatility.
Result<std::pair<Asset, std::optional<double>>> read_asset(const Json& item, const std::string& place) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(item, place));
  TANDEM_TRY(reader.allow_only({"name", "expected_return", "volatility", "cost", "sector"}));
  Asset asset;
  TANDEM_TRY_ASSIGN(asset.name, reader.string("name"));
  if (asset.name.empty()) return fail_at(reader.at("name"), errors::kValueOutOfRange, "a name is empty; write one");
  TANDEM_TRY(reader.number("expected_return"));
  TANDEM_TRY_ASSIGN(asset.expected_return,
                    number_within(reader, "expected_return", 0, -PortfolioData::kReturnMax, PortfolioData::kReturnMax));
  TANDEM_TRY_ASSIGN(asset.cost, number_within(reader, "cost", 0, 0, PortfolioData::kMoneyMax));
  TANDEM_TRY_ASSIGN(asset.sector, reader.string_or("sector", ""));
  std::optional<double> volatility;
  if (reader.has("volatility")) {
    TANDEM_TRY_ASSIGN(volatility, number_within(reader, "volatility", 0, 0, PortfolioData::kReturnMax));
  }
  return std::pair(std::move(asset), volatility);
}

/// A square matrix, row by row.
Result<std::vector<double>> read_matrix(const ObjectReader& reader, std::string_view key, std::size_t size) {
  TANDEM_TRY_ASSIGN(const Json* const rows, reader.array(key));
  if (rows->size() != size) {
    return fail_at(reader.at(key), errors::kSizeMismatch, "there are {} rows for {} assets; give one row an asset",
                   rows->size(), size);
  }
  std::vector<double> values;
  values.reserve(size * size);
  for (std::size_t i = 0; i < size; ++i) {
    const Json& row = (*rows)[i];
    const auto place = [&] { return fmt::format("{}/{}", reader.at(key), i); };
    if (!row.is_array()) {
      return fail_at(place(), errors::kWrongType, "expected an array of {} numbers, found a single {}", size,
                     row.type_name());
    }
    if (row.size() != size) {
      return fail_at(place(), errors::kSizeMismatch, "the row has {} numbers for {} assets; give one an asset",
                     row.size(), size);
    }
    for (std::size_t j = 0; j < size; ++j) {
      auto value = json_number(row[j], {});
      if (!value) {
        value.error().place = fmt::format("{}/{}", place(), j);
        return tl::unexpected<Error>(std::move(value).error());
      }
      values.push_back(*value);
    }
  }
  return values;
}

/// The covariance from correlations and volatilities.
Result<std::vector<double>> read_correlation(const ObjectReader& reader, const std::vector<Asset>& assets,
                                             const std::vector<std::optional<double>>& volatilities) {
  constexpr std::string_view kKey = "correlation";
  const std::size_t size = assets.size();
  TANDEM_TRY_ASSIGN(std::vector<double> values, read_matrix(reader, kKey, size));
  for (std::size_t i = 0; i < size; ++i) {
    if (!volatilities[i]) {
      return fail_at(fmt::format("{}/{}", reader.at("assets"), i), errors::kMissingKey,
                     "the key 'volatility' is missing, which 'correlation' needs; add it");
    }
    for (std::size_t j = 0; j < size; ++j) {
      double& value = values[i * size + j];
      if (i == j ? std::abs(value - 1) > PortfolioData::kSymmetryTolerance : std::abs(value) > 1) {
        return fail_at(fmt::format("{}/{}/{}", reader.at(kKey), i, j), errors::kValueOutOfRange,
                       "the correlation {} of {} and {} is outside the limits; use {}", value, quote(assets[i].name),
                       quote(assets[j].name), i == j ? "1 for an asset with itself" : "a number from -1 to 1");
      }
      value *= *volatilities[i] * volatilities[j].value_or(0);
    }
  }
  return values;
}

Result<std::map<std::string, std::size_t>> read_sector_limits(const ObjectReader& reader,
                                                              const std::vector<Asset>& assets) {
  std::map<std::string, std::size_t> limits;
  if (!reader.has("sector_limits")) return limits;
  TANDEM_TRY_ASSIGN(const ObjectReader members, reader.object("sector_limits"));
  std::vector<std::string_view> known;
  for (const Asset& asset : assets) {
    if (!asset.sector.empty()) known.push_back(asset.sector);
  }
  for (const auto& [sector, value] : reader.find("sector_limits")->items()) {
    if (std::find(known.begin(), known.end(), sector) == known.end()) {
      return fail_at(members.at(sector), errors::kUnknownKey, "no asset is of sector {}{}", quote(sector),
                     did_you_mean(sector, known));
    }
    TANDEM_TRY_ASSIGN(const std::int64_t limit, json_integer(value, members.at(sector), 0, PortfolioData::kAssetsMax));
    limits[sector] = static_cast<std::size_t>(limit);
  }
  return limits;
}

Result<std::vector<double>> read_covariance(const ObjectReader& reader, const std::vector<Asset>& assets,
                                            const std::vector<std::optional<double>>& volatilities,
                                            const std::string& pointer) {
  if (reader.has("covariance") && reader.has("correlation")) {
    return fail_at(reader.at("correlation"), errors::kBadJob,
                   "both 'covariance' and 'correlation' are given; remove one of the two");
  }
  if (!reader.has("covariance") && !reader.has("correlation")) {
    return fail_at(pointer, errors::kMissingKey,
                   "the key 'covariance' is missing; add it, or 'correlation' and a 'volatility' for each asset");
  }
  if (reader.has("correlation")) return read_correlation(reader, assets, volatilities);
  for (std::size_t i = 0; i < assets.size(); ++i) {
    if (volatilities[i]) {
      return fail_at(fmt::format("{}/{}/volatility", reader.at("assets"), i), errors::kBadJob,
                     "a volatility stands beside 'covariance', which holds it already; remove it");
    }
  }
  return read_matrix(reader, "covariance", assets.size());
}

Result<ProblemPtr> parse_portfolio(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, pointer));
  TANDEM_TRY(reader.allow_only(
      {"type", "assets", "covariance", "correlation", "choose", "risk_aversion", "budget", "sector_limits"}));
  PortfolioData data;
  TANDEM_TRY_ASSIGN(const Json* const items, reader.array("assets"));
  if (items->empty() || items->size() > PortfolioData::kAssetsMax) {
    return fail_at(reader.at("assets"), errors::kValueOutOfRange, "there are {} assets; give from 1 to {}",
                   items->size(), PortfolioData::kAssetsMax);
  }
  std::vector<std::optional<double>> volatilities;
  std::unordered_set<std::string> seen;
  for (const Json& item : *items) {
    const std::string place = fmt::format("{}/{}", reader.at("assets"), data.assets.size());
    TANDEM_TRY_ASSIGN(auto asset, read_asset(item, place));
    if (!seen.insert(asset.first.name).second) {
      return fail_at(place + "/name", errors::kValueOutOfRange, "the name {} stands twice; rename one",
                     quote(asset.first.name));
    }
    data.assets.push_back(std::move(asset.first));
    volatilities.push_back(asset.second);
  }
  TANDEM_TRY_ASSIGN(data.covariance, read_covariance(reader, data.assets, volatilities, pointer));
  TANDEM_TRY(check_covariance(data, reader.at(reader.has("correlation") ? "correlation" : "covariance")));
  TANDEM_TRY_ASSIGN(const std::int64_t choose, reader.integer("choose", 1, PortfolioData::kAssetsMax));
  data.choose = static_cast<std::size_t>(choose);
  TANDEM_TRY_ASSIGN(data.risk_aversion, number_within(reader, "risk_aversion", 1, 0, PortfolioData::kRiskAversionMax));
  if (reader.has("budget")) {
    TANDEM_TRY_ASSIGN(data.budget, number_within(reader, "budget", 0, 0, PortfolioData::kMoneyMax));
  }
  TANDEM_TRY_ASSIGN(data.sector_limits, read_sector_limits(reader, data.assets));
  TANDEM_TRY(check_feasible(data, pointer));
  return std::make_shared<Portfolio>(std::move(data));
}

}  // namespace

ProblemType portfolio_type() {
  return {.name = "portfolio",
          .summary = "choose K of N assets: return against risk, within a budget and limits a sector",
          .template_yaml = kTemplate,
          .parse = parse_portfolio};
}

}  // namespace tandem::problem

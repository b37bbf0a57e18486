#include <algorithm>
#include <array>
#include <map>

#include "tandem/base/assert.h"
#include "tandem/compute/reduce/reduce.h"

namespace tandem::reduce {

namespace {

constexpr std::string_view kHeuristicRule = "backbone";
constexpr auto kRules =
    std::to_array<std::string_view>({"isolated", "dominance", "leaf", "equal_pair", "opposite_pair", kHeuristicRule});

/// Names of the kinds in documents, and how many figures follow the rule: variable, then value or partner, then both values.
struct Kind {
  std::string_view name;
  std::size_t figures;
};
constexpr auto kKinds = std::to_array<Kind>({{"fix", 2}, {"equal", 2}, {"opposite", 4}, {"leaf", 4}});

ProofClass proof_of(std::string_view rule) {
  return rule == kHeuristicRule ? ProofClass::kHeuristic : ProofClass::kExact;
}

/// What is wrong with `entry` in a trail where `removed` are gone already; empty when nothing is.
std::string_view flaw(const TrailEntry& entry, const std::vector<bool>& removed) {
  const auto is_value = [](int value) { return value >= -1 && value <= 1; };
  if (std::ranges::find(kRules, entry.rule) == kRules.end() || entry.proof != proof_of(entry.rule))
    return "an unknown rule";
  if (entry.variable >= removed.size() || removed[entry.variable])
    return "a variable beyond the model or removed before";
  if (!is_value(entry.value) || !is_value(entry.value_high)) return "a value other than -1, 0 and 1";
  if (entry.kind == TrailKind::kFix) return {};
  if (entry.partner >= removed.size() || entry.partner == entry.variable || removed[entry.partner]) {
    return "a partner beyond the model or removed before";
  }
  return {};
}

Json step_of(const TrailEntry& entry) {
  const Kind& kind = kKinds[static_cast<std::size_t>(entry.kind)];
  Json step = Json::array({kind.name, entry.rule, entry.variable});
  if (entry.kind == TrailKind::kFix) {
    step.push_back(entry.value);
    return step;
  }
  step.push_back(entry.partner);
  if (entry.kind != TrailKind::kEqual) {
    step.push_back(entry.value);
    step.push_back(entry.value_high);
  }
  return step;
}

Result<TrailEntry> parse_step(const Json& step, const std::string& place) {
  if (!step.is_array() || step.size() < 2 || !step[0].is_string() || !step[1].is_string()) {
    return fail_at(place, errors::kWrongType, "a step of a trail is an array that starts with its kind and its rule");
  }
  const auto* kind = std::ranges::find(kKinds, step[0].get_ref<const std::string&>(), &Kind::name);
  if (kind == kKinds.end())
    return fail_at(place, errors::kValueOutOfRange, "unknown kind of step, expected fix, equal, opposite or leaf");
  if (step.size() != 2 + kind->figures) {
    return fail_at(place, errors::kValueOutOfRange, "a step of kind {} has {} figures, not {}", kind->name,
                   kind->figures, step.size() - 2);
  }
  std::array<std::uint32_t, 2> indices{};
  std::array<std::int8_t, 2> values{};
  const std::size_t num_indices = kind->name == "fix" ? 1 : 2;
  for (std::size_t i = 0; i < kind->figures; ++i) {
    const Json& figure = step[2 + i];
    if (!figure.is_number_integer())
      return fail_at(place, errors::kWrongType, "figure {} of a step is not an integer", i + 1);
    const bool index = i < num_indices;
    const auto low = index ? std::int64_t{0} : std::int64_t{-1};
    const auto high = index ? std::int64_t{UINT32_MAX} : std::int64_t{1};
    if (figure < low || figure > high) {
      return fail_at(place, errors::kValueOutOfRange, "figure {} of a step is not in [{}, {}]", i + 1, low, high);
    }
    if (index) {
      indices[i] = figure.get<std::uint32_t>();
    } else {
      values[i - num_indices] = figure.get<std::int8_t>();
    }
  }
  const auto* rule = std::ranges::find(kRules, step[1].get_ref<const std::string&>());
  const std::string_view name = rule == kRules.end() ? std::string_view{} : *rule;
  return TrailEntry{.kind = static_cast<TrailKind>(kind - kKinds.begin()),
                    .proof = proof_of(name),
                    .variable = indices[0],
                    .partner = indices[1],
                    .value = values[0],
                    .value_high = values[1],
                    .rule = name};
}

}  // namespace

std::span<const std::string_view> trail_rules() { return kRules; }

Trail::Trail(std::size_t num_variables) : Trail(num_variables, {}) {}

Trail::Trail(std::size_t num_variables, std::vector<TrailEntry> entries)
    : num_variables_(num_variables), entries_(std::move(entries)) {
  std::vector<bool> removed(num_variables);
  for (const TrailEntry& entry : entries_) {
    TANDEM_ASSERT(flaw(entry, removed).empty());
    removed[entry.variable] = true;
  }
  remaining_.reserve(num_variables - entries_.size());
  for (std::uint32_t i = 0; i < num_variables; ++i) {
    if (!removed[i]) remaining_.push_back(i);
  }
}

void Trail::push(TrailEntry entry) {
  std::vector<bool> removed(num_variables_, true);
  for (const std::uint32_t i : remaining_) removed[i] = false;
  TANDEM_ASSERT(flaw(entry, removed).empty());
  remaining_.erase(std::ranges::lower_bound(remaining_, entry.variable));
  entries_.push_back(entry);
}

problem::Assignment Trail::lift(problem::AssignmentView reduced) const {
  TANDEM_ASSERT(reduced.size() == remaining_.size());
  problem::Assignment values(num_variables_);
  for (std::size_t i = 0; i < reduced.size(); ++i) values[remaining_[i]] = reduced[i];
  // The last variable removed comes back first, so that every partner is there when it is asked.
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
    const std::int8_t partner = values[entry->partner];
    switch (entry->kind) {
      case TrailKind::kFix:
        values[entry->variable] = entry->value;
        break;
      case TrailKind::kEqual:
        values[entry->variable] = partner;
        break;
      case TrailKind::kOpposite:
      case TrailKind::kLeaf:
        values[entry->variable] = partner > 0 ? entry->value_high : entry->value;
        break;
    }
  }
  return values;
}

bool Trail::exact() const {
  return std::ranges::all_of(entries_, [](const TrailEntry& entry) { return entry.proof == ProofClass::kExact; });
}

Json Trail::document() const {
  std::map<std::string_view, std::uint64_t> by_rule;
  Json steps = Json::array();
  for (const TrailEntry& entry : entries_) {
    ++by_rule[entry.rule];
    steps.push_back(step_of(entry));
  }
  Json counts = Json::object();
  for (const auto& [rule, count] : by_rule) counts[std::string(rule)] = count;
  return Json{{"num_variables", num_variables_},
              {"remaining", remaining_.size()},
              {"entries", entries_.size()},
              {"by_rule", std::move(counts)},
              {"steps", std::move(steps)}};
}

Result<Trail> Trail::parse(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, pointer));
  TANDEM_TRY(reader.allow_only({"num_variables", "remaining", "entries", "by_rule", "steps"}));
  TANDEM_TRY_ASSIGN(const std::int64_t num_variables,
                    reader.integer("num_variables", 0, static_cast<std::int64_t>(problem::Bqm::kVariablesMax)));
  TANDEM_TRY_ASSIGN(const Json* steps, reader.array("steps"));
  TANDEM_TRY_ASSIGN(const std::int64_t remaining, reader.integer("remaining", 0, num_variables));
  if (static_cast<std::uint64_t>(num_variables - remaining) != steps->size()) {
    return fail_at(reader.at("steps"), errors::kValueOutOfRange,
                   "{} steps do not leave {} of {} variables; each step removes one", steps->size(), remaining,
                   num_variables);
  }
  std::vector<TrailEntry> entries;
  entries.reserve(steps->size());
  std::vector<bool> removed(static_cast<std::size_t>(num_variables));
  for (std::size_t i = 0; i < steps->size(); ++i) {
    const std::string place = fmt::format("{}/{}", reader.at("steps"), i);
    TANDEM_TRY_ASSIGN(TrailEntry entry, parse_step((*steps)[i], place));
    if (const std::string_view what = flaw(entry, removed); !what.empty()) {
      return fail_at(place, errors::kValueOutOfRange, "{} in a step of a trail over {} variables", what, num_variables);
    }
    removed[entry.variable] = true;
    entries.push_back(entry);
  }
  return Trail(static_cast<std::size_t>(num_variables), std::move(entries));
}

}  // namespace tandem::reduce

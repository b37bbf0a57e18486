#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "tandem/base/assert.h"
#include "tandem/base/line_scanner.h"
#include "tandem/compute/reduce/reduce.h"

namespace tandem::reduce {

namespace {

constexpr auto kRules = std::to_array<std::string_view>({"isolated", "dominance", "leaf", "equal_pair", "opposite_pair",
                                                         "series", "star", "articulation", "roof", "roof_weak"});

/// Of all of them: each keeps at least one optimum. Heuristic freezing (hybrid/narrow) has a trail of its own.
constexpr std::string_view kProofClass = "exact";

/// Names of the kinds in documents, and the figures that follow the rule: the variable, partners, then values or a table.
struct Kind {
  std::string_view name;
  std::size_t num_indices;
  std::size_t num_values;
  std::int64_t table_max = 0;  ///< 0: no table
  std::size_t num_figures() const { return num_indices + num_values + (table_max > 0 ? 1 : 0); }
};
constexpr auto kKinds = std::to_array<Kind>(
    {{"fix", 1, 1}, {"equal", 2, 0}, {"opposite", 2, 2}, {"leaf", 2, 2}, {"pair", 3, 1, 15}, {"triple", 4, 1, 255}});
constexpr std::size_t kFiguresMax = 6;

const Kind& kind_of(const TrailEntry& entry) { return kKinds[static_cast<std::size_t>(entry.kind)]; }

/// What is wrong with `entry` in a trail where `removed` are gone already; empty when nothing is.
std::string_view flaw(const TrailEntry& entry, const std::vector<bool>& removed) {
  const auto is_value = [](int value) { return value >= -1 && value <= 1; };
  if (std::ranges::find(kRules, entry.rule) == kRules.end()) return "an unknown rule";
  if (entry.variable >= removed.size() || removed[entry.variable])
    return "a variable beyond the model or removed before";
  if (!is_value(entry.value) || !is_value(entry.value_high)) return "a value other than -1, 0 and 1";
  const std::array partners{entry.partner, entry.partner2, entry.partner3};
  const std::span followed(partners.data(), kind_of(entry).num_indices - 1);
  for (const std::uint32_t partner : followed) {
    if (partner >= removed.size() || partner == entry.variable || removed[partner])
      return "a partner beyond the model or removed before";
    if (std::ranges::count(followed, partner) > 1) return "the same partner twice";
  }
  return {};
}

/// The figures of a step in the order of its document.
std::array<std::int64_t, kFiguresMax> figures_of(const TrailEntry& entry) {
  switch (entry.kind) {
    case TrailKind::kFix:
      return {entry.variable, entry.value};
    case TrailKind::kPair:
      return {entry.variable, entry.partner, entry.partner2, entry.value, entry.table};
    case TrailKind::kTriple:
      return {entry.variable, entry.partner, entry.partner2, entry.partner3, entry.value, entry.table};
    default:
      return {entry.variable, entry.partner, entry.value, entry.value_high};
  }
}

Json step_of(const TrailEntry& entry) {
  const Kind& kind = kind_of(entry);
  Json step = Json::array({kind.name, entry.rule});
  const auto figures = figures_of(entry);
  for (std::size_t i = 0; i < kind.num_figures(); ++i) step.push_back(figures[i]);
  return step;
}

void append_figure(std::string& text, std::int64_t figure) {
  std::array<char, 24> digits{};
  char* const after = std::to_chars(digits.data(), digits.data() + digits.size(), figure).ptr;
  text += ' ';
  text.append(digits.data(), after);
}

/// Steps from `first` on that one line can say: fixes by one rule at one value, of variables in a row.
std::size_t run_length(std::span<const TrailEntry> entries, std::size_t first) {
  std::size_t end = first + 1;
  if (entries[first].kind != TrailKind::kFix) return 1;
  TrailEntry expected = entries[first];
  for (; end < entries.size(); ++end) {
    ++expected.variable;
    if (entries[end] != expected) break;
  }
  return end - first;
}

std::string text_of(std::span<const TrailEntry> entries) {
  std::string text;
  for (std::size_t i = 0; i < entries.size();) {
    const Kind& kind = kind_of(entries[i]);
    text += kind.name;
    text += ' ';
    text += entries[i].rule;
    const auto figures = figures_of(entries[i]);
    for (std::size_t k = 0; k < kind.num_figures(); ++k) append_figure(text, figures[k]);
    const std::size_t count = run_length(entries, i);
    if (count > 1) append_figure(text, static_cast<std::int64_t>(count));
    text += '\n';
    i += count;
  }
  return text;
}

/// A step as it is written: words and figures that nobody has looked at.
struct WrittenStep {
  std::string_view kind;
  std::string_view rule;
  std::array<std::int64_t, kFiguresMax> figures{};
  std::size_t num_figures = 0;
};

Result<TrailEntry> read_step(const WrittenStep& step, const std::string& place) {
  const auto* kind = std::ranges::find(kKinds, step.kind, &Kind::name);
  if (kind == kKinds.end())
    return fail_at(place, errors::kValueOutOfRange,
                   "unknown kind of step, expected fix, equal, opposite, leaf, pair or triple");
  if (step.num_figures != kind->num_figures()) {
    return fail_at(place, errors::kValueOutOfRange, "a step of kind {} has {} figures, not {}", kind->name,
                   kind->num_figures(), step.num_figures);
  }
  std::array<std::uint32_t, 4> indices{};
  std::array<std::int8_t, 2> values{};
  std::uint8_t table = 0;
  for (std::size_t i = 0; i < kind->num_figures(); ++i) {
    const bool index = i < kind->num_indices;
    const bool of_table = i >= kind->num_indices + kind->num_values;
    const auto low = index || of_table ? std::int64_t{0} : std::int64_t{-1};
    const auto high = index ? std::int64_t{UINT32_MAX} : of_table ? kind->table_max : std::int64_t{1};
    const std::int64_t figure = step.figures[i];
    if (figure < low || figure > high) {
      return fail_at(place, errors::kValueOutOfRange, "figure {} of a step is not in [{}, {}]", i + 1, low, high);
    }
    if (index) {
      indices[i] = static_cast<std::uint32_t>(figure);
    } else if (of_table) {
      table = static_cast<std::uint8_t>(figure);
    } else {
      values[i - kind->num_indices] = static_cast<std::int8_t>(figure);
    }
  }
  const auto* rule = std::ranges::find(kRules, step.rule);
  return TrailEntry{.kind = static_cast<TrailKind>(kind - kKinds.begin()),
                    .variable = indices[0],
                    .partner = indices[1],
                    .value = values[0],
                    .value_high = values[1],
                    .table = table,
                    .partner2 = indices[2],
                    .partner3 = indices[3],
                    .rule = rule == kRules.end() ? std::string_view{} : *rule};
}

/// Takes steps in order and says which one does not fit those before it.
class StepReader {
 public:
  explicit StepReader(std::size_t num_variables) : removed_(num_variables) {}

  Result<void> take(const WrittenStep& step, const std::string& place) {
    TANDEM_TRY_ASSIGN(TrailEntry entry, read_step(step, place));
    if (const std::string_view what = flaw(entry, removed_); !what.empty()) {
      return fail_at(place, errors::kValueOutOfRange, "{} in a step of a trail over {} variables", what,
                     removed_.size());
    }
    removed_[entry.variable] = true;
    entries_.push_back(entry);
    return {};
  }
  std::vector<TrailEntry> entries() && { return std::move(entries_); }
  std::size_t count() const { return entries_.size(); }

 private:
  std::vector<bool> removed_;
  std::vector<TrailEntry> entries_;
};

Result<void> read_array(const Json& steps, const std::string& place, StepReader& reader) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Json& step = steps[i];
    const std::string here = fmt::format("{}/{}", place, i);
    if (!step.is_array() || step.size() < 2 || !step[0].is_string() || !step[1].is_string()) {
      return fail_at(here, errors::kWrongType, "a step of a trail is an array that starts with its kind and its rule");
    }
    WrittenStep written{.kind = step[0].get_ref<const std::string&>(),
                        .rule = step[1].get_ref<const std::string&>(),
                        .num_figures = step.size() - 2};
    for (std::size_t k = 0; k < std::min(kFiguresMax, written.num_figures); ++k) {
      const Json& figure = step[2 + k];
      if (!figure.is_number_integer())
        return fail_at(here, errors::kWrongType, "figure {} of a step is not an integer", k + 1);
      // Beyond int64 lies beyond every limit of a figure too.
      written.figures[k] = figure > INT64_MAX ? INT64_MAX : figure.get<std::int64_t>();
    }
    TANDEM_TRY(reader.take(written, here));
  }
  return {};
}

Result<void> read_text(std::string_view text, const std::string& place, std::size_t num_variables, StepReader& reader) {
  LineScanner scanner(text, place);
  while (scanner.next_line()) {
    if (!scanner.has_token()) continue;
    WrittenStep step{.kind = scanner.token(), .rule = scanner.token()};
    std::array<std::int64_t, kFiguresMax + 1> figures{};
    std::size_t count = 0;
    while (scanner.has_token()) {
      const bool too_many = count == figures.size();
      if (too_many) scanner.token();
      if (too_many || !scanner.read_integer(figures[count])) {
        return tl::unexpected<Error>(scanner.unexpected_token(errors::kFormatSyntax, "the figures of a step",
                                                              "write 'kind rule variable ...' on each line"));
      }
      ++count;
    }
    const bool run = step.kind == "fix" && count == 3;
    const std::int64_t steps = run ? figures[2] : 1;
    if (steps < 1 || steps > static_cast<std::int64_t>(num_variables)) {
      return fail_at(scanner.place(), errors::kValueOutOfRange, "{} steps in a row over {} variables", steps,
                     num_variables);
    }
    step.num_figures = run ? 2 : std::min(count, kFiguresMax + 1);
    std::copy_n(figures.begin(), kFiguresMax, step.figures.begin());
    for (std::int64_t k = 0; k < steps; ++k, ++step.figures[0]) {
      auto taken = reader.take(step, place);
      if (taken) continue;
      taken.error().place = scanner.place();  // only now: it counts the lines before
      return taken;
    }
  }
  return {};
}

}  // namespace

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
      case TrailKind::kPair:
      case TrailKind::kTriple: {
        int row = partner > 0 ? 1 : 0;
        if (values[entry->partner2] > 0) row += 2;
        if (entry->kind == TrailKind::kTriple && values[entry->partner3] > 0) row += 4;
        values[entry->variable] = ((entry->table >> row) & 1) != 0 ? std::int8_t{1} : entry->value;
        break;
      }
    }
  }
  return values;
}

Json Trail::document() const {
  std::map<std::string_view, std::uint64_t> by_rule;
  for (const TrailEntry& entry : entries_) ++by_rule[entry.rule];
  Json steps = Json::array();
  if (entries_.size() > kStepsMax) {
    steps = text_of(entries_);
  } else {
    for (const TrailEntry& entry : entries_) steps.push_back(step_of(entry));
  }
  Json counts = Json::object();
  for (const auto& [rule, count] : by_rule) counts[std::string(rule)] = count;
  return Json{{"proof_class", kProofClass}, {"num_variables", num_variables_}, {"remaining", remaining_.size()},
              {"entries", entries_.size()}, {"by_rule", std::move(counts)},    {"steps", std::move(steps)}};
}

Result<Trail> Trail::parse(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, pointer));
  TANDEM_TRY(reader.allow_only({"proof_class", "num_variables", "remaining", "entries", "by_rule", "steps"}));
  TANDEM_TRY_ASSIGN(const std::string proof_class, reader.string_or("proof_class", kProofClass));
  if (proof_class != kProofClass) {
    return fail_at(reader.at("proof_class"), errors::kValueOutOfRange, "every rule of a trail is of class {}, not {}",
                   kProofClass, proof_class);
  }
  TANDEM_TRY_ASSIGN(const std::int64_t num_variables,
                    reader.integer("num_variables", 0, static_cast<std::int64_t>(problem::Bqm::kVariablesMax)));
  TANDEM_TRY_ASSIGN(const std::int64_t remaining, reader.integer("remaining", 0, num_variables));
  StepReader steps(static_cast<std::size_t>(num_variables));
  const Json* const written = reader.find("steps");
  if (written != nullptr && written->is_string()) {
    TANDEM_TRY(read_text(written->get_ref<const std::string&>(), reader.at("steps"),
                         static_cast<std::size_t>(num_variables), steps));
  } else {
    TANDEM_TRY_ASSIGN(const Json* array, reader.array("steps"));
    TANDEM_TRY(read_array(*array, reader.at("steps"), steps));
  }
  if (static_cast<std::uint64_t>(num_variables - remaining) != steps.count()) {
    return fail_at(reader.at("steps"), errors::kValueOutOfRange,
                   "{} steps do not leave {} of {} variables; each step removes one", steps.count(), remaining,
                   num_variables);
  }
  return Trail(static_cast<std::size_t>(num_variables), std::move(steps).entries());
}

}  // namespace tandem::reduce

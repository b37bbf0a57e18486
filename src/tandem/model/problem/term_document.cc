#include "tandem/model/problem/term_document.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <unordered_set>
#include <utility>

#include "tandem/base/assert.h"
#include "tandem/base/line_scanner.h"
#include "tandem/base/text.h"

namespace tandem::problem {
namespace {

constexpr double kExactIntegerMax = 9007199254740992.0;  // 2^53
constexpr std::size_t kNamesShownMax = 12;  // in a sentence

bool is_exact_integer(double value) { return std::trunc(value) == value && std::abs(value) <= kExactIntegerMax; }

tl::unexpected<Error> same_variable(std::string place, std::int64_t variable) {
  return fail_at(std::move(place), errors::kIndexOutOfRange,
                 "the pair ({}, {}) names one variable twice; a pair joins two different ones", variable, variable);
}

/// One triple. An error has its place relative to the triple.
Result<QuadraticTerm> read_triple(const Json& item, std::int64_t index_max, PairWeight weight) {
  const bool may_be_pair = weight == PairWeight::kOneByDefault;
  if (!item.is_array() || item.size() > 3 || item.size() < (may_be_pair ? 2 : 3)) {
    return fail(
        errors::kWrongType, "expected {}, found {}",
        may_be_pair ? "[index, index] or [index, index, weight]" : "[index, index, bias]",
        item.is_array() ? fmt::format("an array of {}", item.size()) : std::string("a single ") + item.type_name());
  }
  std::array<std::int64_t, 2> pair{};
  for (std::size_t k = 0; k < pair.size(); ++k) {
    auto index = json_integer(item[k], {}, 0, index_max);
    if (!index) {
      index.error().place = fmt::format("/{}", k);
      return tl::unexpected<Error>(std::move(index).error());
    }
    pair[k] = *index;
  }
  if (pair[0] == pair[1]) return same_variable({}, pair[0]);
  double bias = 1;
  if (item.size() == 3) {
    auto number = json_number(item[2], {});
    if (!number) {
      number.error().place = "/2";
      return tl::unexpected<Error>(std::move(number).error());
    }
    bias = *number;
  }
  return QuadraticTerm{static_cast<std::uint32_t>(pair[0]), static_cast<std::uint32_t>(pair[1]), bias};
}

Result<std::vector<QuadraticTerm>> read_triples(const Json& items, const std::string& place, std::int64_t index_max,
                                                PairWeight weight) {
  std::vector<QuadraticTerm> terms;
  terms.reserve(items.size());
  for (const Json& item : items) {
    auto term = read_triple(item, index_max, weight);
    if (!term) {
      term.error().place = fmt::format("{}/{}{}", place, terms.size(), term.error().place);
      return tl::unexpected<Error>(std::move(term).error());
    }
    terms.push_back(*term);
  }
  return terms;
}

/// The text form. An error says where in the text, its place is left to the caller.
Result<std::vector<QuadraticTerm>> read_text(std::string_view text, std::int64_t index_max, PairWeight weight) {
  constexpr std::string_view kAdvice = "write 'index index weight' on each line";
  std::vector<QuadraticTerm> terms;
  terms.reserve(std::min(Bqm::kTermsMax, static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1));
  LineScanner scanner(text, "text");
  while (scanner.next_line()) {
    if (!scanner.has_token()) continue;
    std::array<std::int64_t, 2> pair{};
    for (std::int64_t& index : pair) {
      if (!scanner.read_integer(index)) {
        return tl::unexpected<Error>(scanner.unexpected_token(errors::kFormatSyntax, "a variable index", kAdvice));
      }
      if (index < 0 || index > index_max) {
        return fail_at(scanner.place(), errors::kValueOutOfRange,
                       "{} is outside the limits; use an integer from 0 to {}", index, index_max);
      }
    }
    if (pair[0] == pair[1]) return same_variable(scanner.place(), pair[0]);
    double bias = 1;
    if ((weight == PairWeight::kRequired || scanner.has_token()) && !scanner.read_number(bias)) {
      return tl::unexpected<Error>(scanner.unexpected_token(errors::kFormatSyntax, scanner.number_expected(), kAdvice));
    }
    if (scanner.has_token()) {
      scanner.token();
      return tl::unexpected<Error>(scanner.unexpected_token(errors::kFormatSyntax, "the end of the line", kAdvice));
    }
    terms.push_back({static_cast<std::uint32_t>(pair[0]), static_cast<std::uint32_t>(pair[1]), bias});
  }
  return terms;
}

Json triples_of(std::span<const QuadraticTerm> pairs) {
  Json::array_t triples;
  triples.reserve(pairs.size());
  for (const QuadraticTerm& pair : pairs) {
    Json::array_t triple;
    triple.reserve(3);
    triple.emplace_back(pair.u);
    triple.emplace_back(pair.v);
    triple.push_back(number_document(pair.bias));
    triples.emplace_back(std::move(triple));
  }
  return triples;
}

Json text_of(std::span<const QuadraticTerm> pairs) {
  std::string text;
  text.reserve(pairs.size() * 16);
  for (const QuadraticTerm& pair : pairs) {
    append_number(text, pair.u);
    text += ' ';
    append_number(text, pair.v);
    text += ' ';
    append_number(text, pair.bias);
    text += '\n';
  }
  return text;
}

}  // namespace

Result<std::vector<QuadraticTerm>> read_pairs(const ObjectReader& reader, std::string_view key,
                                              std::size_t num_variables, PairWeight weight) {
  const Json* const value = reader.find(key);
  if (value == nullptr) return std::vector<QuadraticTerm>{};
  const std::int64_t index_max = static_cast<std::int64_t>(num_variables) - 1;
  if (value->is_array()) return read_triples(*value, reader.at(key), index_max, weight);
  if (!value->is_string()) {
    return fail_at(reader.at(key), errors::kWrongType, "expected an array of [index, index, weight], found a single {}",
                   value->type_name());
  }
  auto terms = read_text(value->get_ref<const std::string&>(), index_max, weight);
  if (!terms) {
    terms.error().message += fmt::format(" (at {})", terms.error().place);
    terms.error().place = reader.at(key);
  }
  return terms;
}

Json pairs_document(std::span<const QuadraticTerm> pairs) {
  return pairs.size() <= kTriplesMax ? triples_of(pairs) : text_of(pairs);
}

void append_number(std::string& text, double value) {
  std::array<char, 32> digits{};  // a double takes at most 24
  char* const end = digits.data() + digits.size();
  const auto [after, code] = is_exact_integer(value)
                                 ? std::to_chars(digits.data(), end, static_cast<std::int64_t>(value))
                                 : std::to_chars(digits.data(), end, value);
  TANDEM_ASSERT(code == std::errc{});
  text.append(digits.data(), after);
}

std::string plain_number(double value) {
  std::string text;
  append_number(text, value);
  return text;
}

Json number_document(double value) {
  if (is_exact_integer(value)) return static_cast<std::int64_t>(value);
  return value;
}

Json numbers_document(std::span<const double> values) {
  Json::array_t items;
  items.reserve(values.size());
  for (const double value : values) items.push_back(number_document(value));
  return items;
}

Result<std::vector<std::string>> read_names(const ObjectReader& reader, std::size_t num_variables) {
  TANDEM_TRY_ASSIGN(std::vector<std::string> names, reader.strings_or_empty("names"));
  if (!names.empty() && names.size() != num_variables) {
    return fail_at(reader.at("names"), errors::kSizeMismatch,
                   "there are {} names for {} variables; give each one a name", names.size(), num_variables);
  }
  std::unordered_set<std::string_view> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) {
      return fail_at(fmt::format("{}/{}", reader.at("names"), i), errors::kValueOutOfRange,
                     "a name is empty; write one");
    }
    if (!seen.insert(names[i]).second) {
      return fail_at(fmt::format("{}/{}", reader.at("names"), i), errors::kValueOutOfRange,
                     "the name {} stands twice; rename one", quote(names[i]));
    }
  }
  return names;
}

std::string name_of(std::span<const std::string> names, std::size_t i) {
  return names.empty() ? std::to_string(i) : names[i];
}

Json variables_with(AssignmentView values, std::int8_t value, std::span<const std::string> names) {
  Json found = Json::array();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] != value) continue;
    if (names.empty()) {
      found.push_back(i);
    } else {
      found.push_back(names[i]);
    }
  }
  return found;
}

std::string list_variables_with(AssignmentView values, std::int8_t value, std::span<const std::string> names) {
  std::string list;
  std::size_t count = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] != value || count++ >= kNamesShownMax) continue;
    list += (list.empty() ? "" : ", ") + name_of(names, i);
  }
  if (count > kNamesShownMax) list += fmt::format(" and {} more", count - kNamesShownMax);
  return list.empty() ? "none" : list;
}

Error placed(Error error, const std::string& place) {
  if (error.place.empty()) error.place = place;
  return error;
}

}  // namespace tandem::problem

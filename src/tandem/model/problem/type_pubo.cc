// The type `pubo`: a polynomial of any order over 0/1 variables or spins.
#include <algorithm>
#include <utility>

#include "tandem/base/line_scanner.h"
#include "tandem/base/text.h"
#include "tandem/model/problem/problem.h"
#include "tandem/model/problem/term_document.h"

namespace tandem::problem {
namespace {

constexpr std::string_view kTemplate = R"(problem:
  type: pubo
  # E(x) = offset + sum over the terms of coefficient times the product of its variables.
  num_variables: 4
  # binary (the default): every x is 0 or 1. spin: every x is -1 or +1.
  vartype: binary
  # Terms [[variables], coefficient], counted from 0. Many may stand as text instead, one "coefficient u v w ..." a line.
  terms:
    - [[0], -1]
    - [[0, 1, 2], 2]
    - [[1, 2, 3], -1.5]
  # min (the default) or max.
  sense: min
  # Optional: a constant, and names for the variables.
  offset: 0
  names: [north, east, south, west]
)";

class PuboProblem final : public Problem {
 public:
  PuboProblem(Polynomial polynomial, Sense sense, std::vector<std::string> names)
      : polynomial_(std::move(polynomial)), sense_(sense), names_(std::move(names)) {}

  std::string_view type() const override { return "pubo"; }
  Sense sense() const override { return sense_; }
  Vartype vartype() const override { return polynomial_.vartype(); }
  std::size_t num_variables() const override { return polynomial_.num_variables(); }
  std::span<const std::string> names() const override { return names_; }

  Json document() const override {
    Json out{{"type", type()},
             {"num_variables", num_variables()},
             {"vartype", to_string(vartype())},
             {"sense", to_string(sense_)},
             {"terms", polynomial_.terms().size() <= kTriplesMax ? terms_as_arrays() : terms_as_text()}};
    if (const double offset = constant(); offset != 0) out["offset"] = number_document(offset);
    if (!names_.empty()) out["names"] = names_;
    return out;
  }

  /// A Bqm where the order allows it.
  Statement state() const override {
    Polynomial minimised = sense_ == Sense::kMin ? polynomial_ : polynomial_.negated();
    if (auto bqm = minimised.to_bqm()) return *std::move(bqm);
    return minimised;
  }

  Score score(AssignmentView solution) const override {
    return {.objective = polynomial_.energy(solution), .violations = {}};
  }

  Json answer(AssignmentView solution) const override {
    return {{"objective", number_document(polynomial_.energy(solution))},
            {vartype() == Vartype::kBinary ? "ones" : "up", variables_with(solution, 1, names_)}};
  }

  std::vector<std::string> explain(AssignmentView solution) const override {
    const auto chosen = std::count(solution.begin(), solution.end(), 1);
    return {
        fmt::format("The objective is {}; the aim is to {} it.", plain_number(polynomial_.energy(solution)),
                    sense_ == Sense::kMin ? "minimise" : "maximise"),
        fmt::format("{} of {} variables {}: {}.", chosen, solution.size(),
                    vartype() == Vartype::kBinary ? "are 1" : "point up", list_variables_with(solution, 1, names_))};
  }

 private:
  /// The constant comes first among the terms.
  double constant() const {
    const auto terms = polynomial_.terms();
    return !terms.empty() && terms.front().variables.empty() ? terms.front().coefficient : 0;
  }
  std::span<const Monomial> products() const { return polynomial_.terms().subspan(constant() != 0 ? 1 : 0); }

  Json terms_as_arrays() const {
    Json out = Json::array();
    for (const Monomial& term : products())
      out.push_back(Json::array({term.variables, number_document(term.coefficient)}));
    return out;
  }

  Json terms_as_text() const {
    std::string text;
    for (const Monomial& term : products()) {
      append_number(text, term.coefficient);
      for (const std::uint32_t variable : term.variables) {
        text += ' ';
        append_number(text, variable);
      }
      text += '\n';
    }
    return text;
  }

  Polynomial polynomial_;
  Sense sense_;
  std::vector<std::string> names_;
};

/// [[variables], coefficient].
Result<Monomial> read_term(const Json& item, const std::string& place, std::int64_t index_max) {
  if (!item.is_array() || item.size() != 2 || !item[0].is_array()) {
    return fail_at(place, errors::kWrongType, "expected [[index, ...], coefficient], found {}", quote(item.dump()));
  }
  Monomial term;
  for (const Json& index : item[0]) {
    TANDEM_TRY_ASSIGN(const std::int64_t variable,
                      json_integer(index, fmt::format("{}/0/{}", place, term.variables.size()), 0, index_max));
    term.variables.push_back(static_cast<std::uint32_t>(variable));
  }
  TANDEM_TRY_ASSIGN(term.coefficient, json_number(item[1], place + "/1"));
  return term;
}

/// Lines of "coefficient index ...". An error says where in the text.
Result<std::vector<Monomial>> read_text(std::string_view text, std::int64_t index_max) {
  constexpr std::string_view kAdvice = "write 'coefficient index index ...' on each line";
  std::vector<Monomial> terms;
  LineScanner scanner(text, "text");
  while (scanner.next_line()) {
    if (!scanner.has_token()) continue;
    Monomial term;
    if (!scanner.read_number(term.coefficient)) {
      return tl::unexpected<Error>(scanner.unexpected_token(errors::kFormatSyntax, scanner.number_expected(), kAdvice));
    }
    while (scanner.has_token()) {
      std::int64_t variable = 0;
      if (!scanner.read_integer(variable)) {
        return tl::unexpected<Error>(scanner.unexpected_token(errors::kFormatSyntax, "a variable index", kAdvice));
      }
      if (variable < 0 || variable > index_max) {
        return fail_at(scanner.place(), errors::kValueOutOfRange,
                       "{} is outside the limits; use an integer from 0 to {}", variable, index_max);
      }
      term.variables.push_back(static_cast<std::uint32_t>(variable));
    }
    terms.push_back(std::move(term));
  }
  return terms;
}

Result<std::vector<Monomial>> read_terms(const ObjectReader& reader, std::int64_t index_max) {
  const Json* const value = reader.find("terms");
  if (value == nullptr) return std::vector<Monomial>{};
  const std::string place = reader.at("terms");
  if (value->is_string()) {
    auto terms = read_text(value->get_ref<const std::string&>(), index_max);
    if (!terms) {
      terms.error().message += fmt::format(" (at {})", terms.error().place);
      terms.error().place = place;
    }
    return terms;
  }
  if (!value->is_array()) {
    return fail_at(place, errors::kWrongType, "expected an array of [[index, ...], coefficient], found a single {}",
                   value->type_name());
  }
  std::vector<Monomial> terms;
  for (const Json& item : *value) {
    TANDEM_TRY_ASSIGN(Monomial term, read_term(item, fmt::format("{}/{}", place, terms.size()), index_max));
    terms.push_back(std::move(term));
  }
  return terms;
}

Result<ProblemPtr> parse(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, pointer));
  TANDEM_TRY(reader.allow_only({"type", "num_variables", "vartype", "terms", "sense", "offset", "names"}));
  TANDEM_TRY_ASSIGN(const std::int64_t num_variables, reader.integer("num_variables", 1, Bqm::kVariablesMax));
  TANDEM_TRY_ASSIGN(const std::string vartype_text, reader.string_or("vartype", "binary"));
  const Result<Vartype> vartype = parse_vartype(vartype_text);
  if (!vartype) return tl::unexpected<Error>(placed(vartype.error(), reader.at("vartype")));
  TANDEM_TRY_ASSIGN(std::vector<Monomial> terms, read_terms(reader, num_variables - 1));
  TANDEM_TRY_ASSIGN(const double offset, reader.number_or("offset", 0));
  terms.push_back({.variables = {}, .coefficient = offset});
  TANDEM_TRY_ASSIGN(const std::string sense_text, reader.string_or("sense", "min"));
  const Result<Sense> sense = parse_sense(sense_text);
  if (!sense) return tl::unexpected<Error>(placed(sense.error(), reader.at("sense")));
  TANDEM_TRY_ASSIGN(std::vector<std::string> names, read_names(reader, static_cast<std::size_t>(num_variables)));
  auto polynomial = Polynomial::create(*vartype, static_cast<std::size_t>(num_variables), std::move(terms));
  if (!polynomial) return tl::unexpected<Error>(placed(std::move(polynomial).error(), pointer));
  return std::make_shared<PuboProblem>(*std::move(polynomial), *sense, std::move(names));
}

}  // namespace

ProblemPtr make_pubo(Polynomial polynomial, Sense sense) {
  return std::make_shared<PuboProblem>(std::move(polynomial), sense, std::vector<std::string>{});
}

ProblemType pubo_type() {
  return {.name = "pubo",
          .summary = "minimise or maximise a polynomial of any order over 0/1 variables or spins",
          .template_yaml = kTemplate,
          .parse = parse};
}

}  // namespace tandem::problem

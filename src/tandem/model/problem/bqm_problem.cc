#include "tandem/model/problem/bqm_problem.h"

#include <algorithm>
#include <utility>

#include "tandem/base/assert.h"
#include "tandem/base/text.h"
#include "tandem/model/problem/term_document.h"

namespace tandem::problem {
namespace {

class BqmProblem final : public Problem {
 public:
  BqmProblem(const BqmWords& words, Bqm bqm, Sense sense, std::vector<std::string> names)
      : words_(words), bqm_(std::move(bqm)), sense_(sense), names_(std::move(names)) {
    TANDEM_ASSERT(bqm_.vartype() == words_.vartype);
  }

  std::string_view type() const override { return words_.type; }
  Sense sense() const override { return sense_; }
  Vartype vartype() const override { return words_.vartype; }
  std::size_t num_variables() const override { return bqm_.num_variables(); }
  std::span<const std::string> names() const override { return names_; }

  Json document() const override {
    Json out{{"type", words_.type}, {"num_variables", num_variables()}, {"sense", to_string(sense_)}};
    out[words_.linear_key] = numbers_document(bqm_.linear());
    out[words_.quadratic_key] = pairs_document(bqm_.terms());
    if (bqm_.offset() != 0) out["offset"] = number_document(bqm_.offset());
    if (!names_.empty()) out["names"] = names_;
    return out;
  }

  Statement state() const override { return sense_ == Sense::kMin ? bqm_ : bqm_.negated(); }

  Score score(AssignmentView solution) const override { return {.objective = bqm_.energy(solution), .violations = {}}; }

  Json answer(AssignmentView solution) const override {
    Json out{{"objective", number_document(bqm_.energy(solution))}};
    out[words_.chosen_key] = variables_with(solution, 1, names_);
    return out;
  }

  std::vector<std::string> explain(AssignmentView solution) const override {
    const auto chosen = std::count(solution.begin(), solution.end(), 1);
    return {fmt::format("The objective is {}; the aim is to {} it.", plain_number(bqm_.energy(solution)),
                        sense_ == Sense::kMin ? "minimise" : "maximise"),
            fmt::format("{} of {} variables {}: {}.", chosen, solution.size(), words_.chosen_text,
                        list_variables_with(solution, 1, names_))};
  }

 private:
  BqmWords words_;
  Bqm bqm_;
  Sense sense_;
  std::vector<std::string> names_;
};

}  // namespace

ProblemPtr make_bqm_problem(const BqmWords& words, Bqm bqm, Sense sense, std::vector<std::string> names) {
  return std::make_shared<BqmProblem>(words, std::move(bqm), sense, std::move(names));
}

Result<ProblemPtr> parse_bqm_problem(const BqmWords& words, const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, pointer));
  TANDEM_TRY(
      reader.allow_only({"type", "num_variables", words.linear_key, words.quadratic_key, "sense", "offset", "names"}));
  TANDEM_TRY_ASSIGN(const std::int64_t num_variables, reader.integer("num_variables", 1, Bqm::kVariablesMax));
  const auto size = static_cast<std::size_t>(num_variables);
  std::vector<double> linear(size, 0.0);
  if (reader.has(words.linear_key)) {
    TANDEM_TRY_ASSIGN(linear, reader.numbers(words.linear_key));
    if (linear.size() != size) {
      return fail_at(reader.at(words.linear_key), errors::kSizeMismatch,
                     "there are {} linear biases for {} variables; give each variable one", linear.size(), size);
    }
  }
  TANDEM_TRY_ASSIGN(std::vector<QuadraticTerm> terms,
                    read_pairs(reader, words.quadratic_key, size, PairWeight::kRequired));
  TANDEM_TRY_ASSIGN(const double offset, reader.number_or("offset", 0));
  TANDEM_TRY_ASSIGN(const std::string sense_text, reader.string_or("sense", "min"));
  const Result<Sense> sense = parse_sense(sense_text);
  if (!sense) return tl::unexpected<Error>(placed(sense.error(), reader.at("sense")));
  TANDEM_TRY_ASSIGN(std::vector<std::string> names, read_names(reader, size));
  auto bqm = Bqm::create(words.vartype, std::move(linear), std::move(terms), offset);
  if (!bqm) return tl::unexpected<Error>(placed(std::move(bqm).error(), pointer));
  return make_bqm_problem(words, *std::move(bqm), *sense, std::move(names));
}

}  // namespace tandem::problem

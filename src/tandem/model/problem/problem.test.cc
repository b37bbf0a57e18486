#include "tandem/model/problem/problem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tandem/base/testing/matchers.h"
#include "tandem/base/yaml.h"
#include "tandem/model/problem/term_document.h"
#include "tandem/model/problem/testing/random_models.h"

namespace tandem::problem {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<ProblemPtr> parse(const Json& document) {
  return ProblemRegistry::with_builtin_types().parse(document, "/problem");
}
Result<ProblemPtr> parse_text(std::string_view text) { return parse(parse_json(text, "test").value()); }

/// The problem of the type's template.
ProblemPtr template_problem(const ProblemType& type) {
  const LocatedJson yaml = parse_yaml(type.template_yaml, type.name).value();
  return parse(yaml.value.at("problem")).value();
}

double energy_of(const Statement& statement, AssignmentView values) {
  if (const auto* bqm = std::get_if<Bqm>(&statement)) return bqm->energy(values);
  if (const auto* polynomial = std::get_if<Polynomial>(&statement)) return polynomial->energy(values);
  return std::get<Cqm>(statement).objective().energy(values);
}

bool feasible_in(const Statement& statement, AssignmentView values) {
  const auto* cqm = std::get_if<Cqm>(&statement);
  return cqm == nullptr || cqm->feasible(values);
}

/// Every assignment of a small problem: the statement and the problem's own judgement agree.
void expect_statement_agrees_with_score(const Problem& problem) {
  const Statement statement = problem.state();
  ASSERT_EQ(num_variables(statement), problem.num_variables());
  const double sign = problem.sense() == Sense::kMin ? 1 : -1;
  for_each_assignment(problem.vartype(), problem.num_variables(), [&](const Assignment& values) {
    const Score score = problem.score(values);
    ASSERT_EQ(score.feasible, feasible_in(statement, values));
    ASSERT_EQ(score.feasible, score.violations.empty());
    ASSERT_NEAR(energy_of(statement, values), sign * score.objective, 1e-12);
    ASSERT_FALSE(problem.explain(values).empty());
    ASSERT_TRUE(problem.answer(values).is_object());
  });
}

TEST(ProblemRegistry, knows_the_types_of_this_part_by_name) {
  EXPECT_THAT(ProblemRegistry::with_builtin_types().names(),
              testing::IsSupersetOf({"ising", "max_cut", "portfolio", "qubo"}));
}

TEST(ProblemRegistry, a_type_can_be_added_without_touching_the_others) {
  ProblemRegistry registry;
  registry.add({.name = "always_one",
                .summary = "",
                .template_yaml = "",
                .parse = [](const Json&, const std::string&) -> Result<ProblemPtr> {
                  return make_qubo(Bqm::create(Vartype::kBinary, {1}, {}, 0).value(), Sense::kMin);
                }});
  EXPECT_EQ(registry.parse({{"type", "always_one"}}, "").value()->num_variables(), 1u);
  EXPECT_THAT(registry.parse({{"type", "qubo"}}, ""), FailsWith(errors::kUnknownProblem));
}

TEST(ProblemRegistry, an_unknown_type_is_answered_with_the_nearest_one) {
  const auto result = parse_text(R"({"type": "maxcut"})");
  EXPECT_THAT(result, FailsAt("/problem/type", errors::kUnknownProblem));
  EXPECT_THAT(result.error().message, HasSubstr("did you mean 'max_cut'?"));
  EXPECT_THAT(parse_text(R"({"num_variables": 2})"), FailsAt("/problem", errors::kMissingKey));
  EXPECT_THAT(parse_text(R"([1])"), FailsAt("/problem", errors::kWrongType));
}

TEST(ProblemTypes, templates_are_valid_commented_and_read_back) {
  for (const ProblemType& type : builtin_problem_types()) {
    EXPECT_TRUE(type.template_yaml.starts_with("problem:\n  type: " + std::string(type.name))) << type.name;
    EXPECT_THAT(std::string(type.template_yaml), HasSubstr("  # "));
    EXPECT_FALSE(type.summary.empty());
    const ProblemPtr problem = template_problem(type);
    EXPECT_EQ(problem->type(), type.name);
    EXPECT_EQ(parse(problem->document()).value()->document(), problem->document());
    EXPECT_EQ(parse(problem->document()).value()->hash(), problem->hash());
  }
}

TEST(ProblemTypes, statement_agrees_with_score_on_every_assignment) {
  for (const ProblemType& type : builtin_problem_types()) {
    SCOPED_TRACE(type.name);
    expect_statement_agrees_with_score(*template_problem(type));
  }
}

TEST(ProblemTypes, statement_agrees_with_score_on_random_models) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    for (const Sense sense : {Sense::kMin, Sense::kMax}) {
      expect_statement_agrees_with_score(*make_qubo(random_bqm(Vartype::kBinary, 7, 0.5, seed), sense));
      expect_statement_agrees_with_score(*make_ising(random_bqm(Vartype::kSpin, 7, 0.5, seed), sense));
    }
    const Bqm graph = random_bqm(Vartype::kBinary, 8, 0.5, seed);
    expect_statement_agrees_with_score(*make_max_cut(8, {graph.terms().begin(), graph.terms().end()}).value());
  }
}

TEST(ProblemTypes, hash_is_stable_under_key_order_and_spelling_of_numbers) {
  const std::vector<std::string> same{
      R"({"type":"qubo","num_variables":2,"linear":[1,-1],"quadratic":[[0,1,2.0]],"sense":"min"})",
      R"({"sense":"min","quadratic":[[1,0,2]],"linear":[1.0,-1e0],"num_variables":2,"type":"qubo"})",
      R"({"type":"qubo","num_variables":2,"linear":[1,-1],"quadratic":[[0,1,1],[1,0,1]],"offset":0,"names":null})",
      R"({"type":"qubo","num_variables":2,"linear":[1,-1],"quadratic":"0 1 2\n"})"};
  // SHA-256 of the canonical text, by another implementation:
  // printf '{"linear":[1,-1],"num_variables":2,"quadratic":[[0,1,2]],"sense":"min","type":"qubo"}' | sha256sum
  for (const std::string& text : same) {
    EXPECT_EQ(parse_text(text).value()->hash().hex(),
              "1b8a857543be1e9bbd77bcc2d11b4feed956751bc85f94d8172febbcbc87df54")
        << text;
  }
  EXPECT_NE(parse_text(R"({"type":"qubo","num_variables":2,"linear":[1,-1],"quadratic":[[0,1,2]],"sense":"max"})")
                .value()
                ->hash(),
            parse_text(same[0]).value()->hash());
}

TEST(Qubo, the_document_of_the_contract_is_read) {
  const ProblemPtr problem =
      parse_text(R"({"type":"qubo","num_variables":2,"linear":[1,-1],"quadratic":[[0,1,2.0]],"sense":"min"})").value();
  EXPECT_EQ(std::get<Bqm>(problem->state()), Bqm::create(Vartype::kBinary, {1, -1}, {{0, 1, 2}}, 0).value());
  EXPECT_EQ(problem->score(Assignment{1, 1}).objective, 2);
  EXPECT_EQ(problem->score(Assignment{0, 1}).objective, -1);
  EXPECT_EQ(problem->answer(Assignment{0, 1}), (Json{{"objective", -1}, {"ones", {1}}}));
  EXPECT_THAT(problem->explain(Assignment{0, 1}),
              ElementsAre("The objective is -1; the aim is to minimise it.", "1 of 2 variables are 1: 1."));
}

TEST(Qubo, names_stand_in_answers) {
  const ProblemPtr problem =
      parse_text(R"({"type":"qubo","num_variables":2,"linear":[250000,0.5],"names":["red","green"],"sense":"max"})")
          .value();
  EXPECT_EQ(problem->answer(Assignment{1, 1}), (Json{{"objective", 250000.5}, {"ones", {"red", "green"}}}));
  EXPECT_EQ(problem->explain(Assignment{1, 0})[0], "The objective is 250000; the aim is to maximise it.");
  EXPECT_EQ(problem->explain(Assignment{1, 0})[1], "1 of 2 variables are 1: red.");
  EXPECT_EQ(problem->explain(Assignment{0, 0})[1], "0 of 2 variables are 1: none.");
}

TEST(Ising, fields_and_couplings_have_no_hidden_sign) {
  const ProblemPtr problem =
      parse_text(R"({"type":"ising","num_variables":2,"h":[1,0],"j":[[0,1,2]],"sense":"min","offset":0.5})").value();
  EXPECT_EQ(problem->vartype(), Vartype::kSpin);
  EXPECT_EQ(problem->score(Assignment{-1, 1}).objective, 0.5 - 1 - 2);
  EXPECT_EQ(problem->score(Assignment{1, 1}).objective, 0.5 + 1 + 2);
  EXPECT_EQ(problem->answer(Assignment{-1, 1})["up"], Json({1}));
}

TEST(MaxCut, counts_the_weight_between_the_sides) {
  const ProblemPtr problem =
      parse_text(R"({"type":"max_cut","num_nodes":3,"edges":[[0,1,1.5],[1,2],[2,0,-1]],"names":["a","b","c"]})")
          .value();
  EXPECT_EQ(problem->score(Assignment{0, 0, 0}).objective, 0);
  EXPECT_EQ(problem->score(Assignment{0, 1, 0}).objective, 2.5);
  EXPECT_EQ(problem->score(Assignment{1, 0, 0}).objective, 0.5);
  EXPECT_EQ(problem->answer(Assignment{0, 1, 0}),
            (Json{{"cut_weight", 2.5}, {"side_a", {"a", "c"}}, {"side_b", {"b"}}}));
  EXPECT_THAT(
      problem->explain(Assignment{0, 1, 0}),
      ElementsAre("The cut separates 2 nodes from 1 and crosses 2 of 3 edges.",
                  "It weighs 2.5, 100.0 % of the 2.5 of all edges of positive weight.", "Side A: a, c.", "Side B: b."));
}

TEST(MaxCut, integer_weights_have_an_integer_statement_without_decimals) {
  const ProblemPtr problem = parse_text(R"({"type":"max_cut","num_nodes":3,"edges":[[0,1],[1,2,3]]})").value();
  const auto integer = std::get<Bqm>(problem->state()).to_integer();
  ASSERT_TRUE(integer.has_value());
  EXPECT_EQ(integer->decimals, 0);
  // Without a field every coefficient of the spin form but the couplings vanishes.
  const Bqm spin = std::get<Bqm>(problem->state()).with_vartype(Vartype::kSpin);
  EXPECT_THAT(spin.linear(), ElementsAre(0, 0, 0));
}

TEST(ProblemTypes, bad_documents_are_refused_at_their_place) {
  struct Case {
    std::string_view text;
    std::string_view place;
    ErrorNumber number;
  };
  const std::vector<Case> cases{
      {R"({"type":"qubo"})", "/problem", errors::kMissingKey},
      {R"({"type":"qubo","num_variables":0})", "/problem/num_variables", errors::kValueOutOfRange},
      {R"({"type":"qubo","num_variables":1e9})", "/problem/num_variables", errors::kValueOutOfRange},
      {R"({"type":"qubo","num_variables":"2"})", "/problem/num_variables", errors::kWrongType},
      {R"({"type":"qubo","num_variables":2,"linear":[1]})", "/problem/linear", errors::kSizeMismatch},
      {R"({"type":"qubo","num_variables":2,"linear":[1,"x"]})", "/problem/linear/1", errors::kWrongType},
      {R"({"type":"qubo","num_variables":2,"lineer":[1,2]})", "/problem/lineer", errors::kUnknownKey},
      {R"({"type":"qubo","num_variables":2,"quadratic":[[0,1,1],[0,2,1]]})", "/problem/quadratic/1/1",
       errors::kValueOutOfRange},
      {R"({"type":"qubo","num_variables":2,"quadratic":[[0.5,1,1]]})", "/problem/quadratic/0/0", errors::kWrongType},
      {R"({"type":"qubo","num_variables":2,"quadratic":[[0,1,null]]})", "/problem/quadratic/0/2", errors::kWrongType},
      {R"({"type":"qubo","num_variables":2,"quadratic":[[0,1]]})", "/problem/quadratic/0", errors::kWrongType},
      {R"({"type":"qubo","num_variables":2,"quadratic":[7]})", "/problem/quadratic/0", errors::kWrongType},
      {R"({"type":"qubo","num_variables":2,"quadratic":[[1,1,3]]})", "/problem/quadratic/0", errors::kIndexOutOfRange},
      {R"({"type":"qubo","num_variables":2,"quadratic":7})", "/problem/quadratic", errors::kWrongType},
      {R"({"type":"qubo","num_variables":2,"quadratic":"0 1 x"})", "/problem/quadratic", errors::kFormatSyntax},
      {R"({"type":"qubo","num_variables":2,"quadratic":"0 1"})", "/problem/quadratic", errors::kFormatSyntax},
      {R"({"type":"qubo","num_variables":2,"quadratic":"0 1 1 1"})", "/problem/quadratic", errors::kFormatSyntax},
      {R"({"type":"qubo","num_variables":2,"quadratic":"0 2 1"})", "/problem/quadratic", errors::kValueOutOfRange},
      {R"({"type":"qubo","num_variables":2,"quadratic":"1 1 1"})", "/problem/quadratic", errors::kIndexOutOfRange},
      {R"({"type":"qubo","num_variables":2,"sense":"minimum"})", "/problem/sense", errors::kValueOutOfRange},
      {R"({"type":"qubo","num_variables":2,"offset":[]})", "/problem/offset", errors::kWrongType},
      {R"({"type":"qubo","num_variables":2,"linear":[1e300,1e300]})", "/problem", errors::kCoefficientOverflow},
      {R"({"type":"qubo","num_variables":2,"names":["a"]})", "/problem/names", errors::kSizeMismatch},
      {R"({"type":"qubo","num_variables":2,"names":["a","a"]})", "/problem/names/1", errors::kValueOutOfRange},
      {R"({"type":"qubo","num_variables":2,"names":["a",""]})", "/problem/names/1", errors::kValueOutOfRange},
      {R"({"type":"qubo","num_variables":2,"names":["a",3]})", "/problem/names/1", errors::kWrongType},
      {R"({"type":"ising","num_variables":2,"linear":[1,2]})", "/problem/linear", errors::kUnknownKey},
      {R"({"type":"ising","num_variables":2,"j":[[0,5,1]]})", "/problem/j/0/1", errors::kValueOutOfRange},
      {R"({"type":"max_cut","num_nodes":2,"edges":[[0,1,1,1]]})", "/problem/edges/0", errors::kWrongType},
      {R"({"type":"max_cut","num_nodes":2,"edges":[[-1,1]]})", "/problem/edges/0/0", errors::kValueOutOfRange},
      {R"({"type":"max_cut","num_nodes":2,"edges":[[0,1,4e299]]})", "/problem", errors::kCoefficientOverflow},
      {R"({"type":"max_cut","num_variables":2})", "/problem/num_variables", errors::kUnknownKey},
  };
  for (const Case& c : cases) {
    const auto result = parse_text(c.text);
    ASSERT_FALSE(result.has_value()) << c.text;
    EXPECT_EQ(result.error().place, c.place) << c.text << "\n" << result.error().to_string();
    EXPECT_EQ(result.error().number, c.number) << c.text << "\n" << result.error().to_string();
  }
}

TEST(TermDocument, errors_in_the_text_form_say_where_in_the_text) {
  const auto result = parse_text(R"({"type":"qubo","num_variables":3,"quadratic":"0 1 1\n\n1 2 x"})");
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().message,
            "expected a finite number, found 'x'; write 'index index weight' on each line (at text:3:5)");
}

TEST(TermDocument, many_pairs_stand_as_text_and_read_back) {
  std::vector<QuadraticTerm> pairs;
  for (std::uint32_t i = 0; i < kTriplesMax; ++i) pairs.push_back({i, i + 1, i % 2 == 0 ? 0.1 : -3});
  EXPECT_TRUE(pairs_document(pairs).is_array());
  pairs.push_back({0, 2, 100000});
  const Json text = pairs_document(pairs);
  ASSERT_TRUE(text.is_string());
  EXPECT_THAT(text.get<std::string>(), testing::StartsWith("0 1 0.1\n1 2 -3\n"));
  EXPECT_THAT(text.get<std::string>(), testing::EndsWith("\n0 2 100000\n"));
  const Json document{{"edges", text}};
  const ObjectReader reader = ObjectReader::create(document, "").value();
  EXPECT_EQ(read_pairs(reader, "edges", kTriplesMax + 1, PairWeight::kRequired).value(), pairs);
}

TEST(TermDocument, numbers_are_plain_where_they_are_integers) {
  EXPECT_EQ(plain_number(1e5), "100000");
  EXPECT_EQ(plain_number(-9007199254740992.0), "-9007199254740992");
  EXPECT_EQ(plain_number(0.1), "0.1");
  EXPECT_EQ(plain_number(1e300), "1e+300");
  EXPECT_TRUE(number_document(2.0).is_number_integer());
  EXPECT_TRUE(number_document(2.5).is_number_float());
}

TEST(TermDocument, long_lists_are_cut_in_sentences) {
  const Assignment values(15, 1);
  EXPECT_EQ(list_variables_with(values, 1, {}), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 3 more");
  EXPECT_EQ(variables_with(values, 1, {}).size(), 15u);
}

}  // namespace
}  // namespace tandem::problem

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/testing/matchers.h"
#include "tandem/model/problem/problem.h"
#include "tandem/model/problem/term_document.h"

namespace tandem::problem {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<ProblemPtr> parse_text(std::string_view text) {
  return ProblemRegistry::with_builtin_types().parse(parse_json(text, "test").value(), "/problem");
}

TEST(Pubo, terms_are_weighed_by_their_products) {
  const ProblemPtr problem =
      parse_text(R"({"type":"pubo","num_variables":3,"vartype":"spin","terms":[[[0,1,2],2],[[1],-1.5]],"offset":10})")
          .value();
  EXPECT_EQ(problem->vartype(), Vartype::kSpin);
  EXPECT_EQ(problem->score(Assignment{-1, 1, 1}), (Score{.objective = 6.5, .feasible = true, .violations = {}}));
  EXPECT_EQ(problem->score(Assignment{-1, -1, 1}).objective, 13.5);
  EXPECT_EQ(problem->answer(Assignment{-1, 1, 1}), (Json{{"objective", 6.5}, {"up", {1, 2}}}));
  EXPECT_THAT(problem->explain(Assignment{-1, -1, 1}),
              ElementsAre("The objective is 13.5; the aim is to minimise it.", "1 of 3 variables point up: 2."));
}

TEST(Pubo, of_binaries_and_maximised_states_the_negative) {
  const ProblemPtr problem = parse_text(
                                 R"({"type":"pubo","num_variables":3,"terms":[[[0,1,2],2],[[],1],[[2,1,2],3]],
                                     "sense":"max","names":["a","b","c"]})")
                                 .value();
  EXPECT_EQ(problem->sense(), Sense::kMax);
  EXPECT_EQ(problem->score(Assignment{1, 1, 1}).objective, 6);
  EXPECT_EQ(problem->score(Assignment{0, 1, 1}).objective, 4);
  EXPECT_EQ(problem->answer(Assignment{0, 1, 1}), (Json{{"objective", 4}, {"ones", {"b", "c"}}}));
  EXPECT_EQ(std::get<Polynomial>(problem->state()).energy(Assignment{1, 1, 1}), -6);
}

TEST(Pubo, of_order_two_states_a_bqm) {
  const ProblemPtr problem =
      parse_text(R"({"type":"pubo","num_variables":2,"terms":[[[0,1],2],[[1],-1]],"offset":3})").value();
  EXPECT_EQ(std::get<Bqm>(problem->state()), Bqm::create(Vartype::kBinary, {0, -1}, {{0, 1, 2}}, 3).value());
}

TEST(Pubo, terms_may_stand_as_text) {
  const ProblemPtr arrays = parse_text(R"({"type":"pubo","num_variables":4,"terms":[[[0,1,3],-2],[[2],0.5]]})").value();
  const ProblemPtr text =
      parse_text(R"({"type":"pubo","num_variables":4,"terms":"-2 3 1 0\n\n0.25 2\n0.25 2"})").value();
  EXPECT_EQ(text->hash(), arrays->hash());
}

TEST(Pubo, many_terms_are_written_as_text_and_read_back) {
  std::vector<Monomial> terms;
  for (std::uint32_t i = 0; terms.size() <= kTriplesMax; ++i) {
    terms.push_back({.variables = {i % 500, 500 + i / 500, 999}, .coefficient = 1 + i / 8.0});
  }
  const ProblemPtr problem = make_pubo(Polynomial::create(Vartype::kSpin, 1000, std::move(terms)).value(), Sense::kMin);
  const Json document = problem->document();
  EXPECT_TRUE(document.at("terms").is_string());
  const ProblemPtr again = ProblemRegistry::with_builtin_types().parse(document, "/problem").value();
  EXPECT_EQ(std::get<Polynomial>(again->state()), std::get<Polynomial>(problem->state()));
}

TEST(Pubo, bad_documents_are_refused_with_their_place) {
  const auto of = [](std::string_view rest) {
    return parse_text(fmt::format(R"({{"type":"pubo","num_variables":3,{}}})", rest));
  };
  EXPECT_THAT(of(R"("terms":[[[0,3],1]])"), FailsAt("/problem/terms/0/0/1", errors::kValueOutOfRange));
  EXPECT_THAT(of(R"("terms":[[[0],1],[[0,1]]])"), FailsAt("/problem/terms/1", errors::kWrongType));
  EXPECT_THAT(of(R"("terms":[[0,1,2]])"), FailsAt("/problem/terms/0", errors::kWrongType));
  EXPECT_THAT(of(R"("terms":[[[0],"x"]])"), FailsAt("/problem/terms/0/1", errors::kWrongType));
  EXPECT_THAT(of(R"("terms":7)"), FailsAt("/problem/terms", errors::kWrongType));
  EXPECT_THAT(of(R"("vartype":"ternary")"), FailsAt("/problem/vartype", errors::kValueOutOfRange));
  EXPECT_THAT(of(R"("linear":[1])"), FailsWith(errors::kUnknownKey));
  EXPECT_THAT(of(R"("names":["a"])"), FailsAt("/problem/names", errors::kSizeMismatch));
  EXPECT_THAT(of(R"("terms":"1 0\nx 1")"), FailsAt("/problem/terms", errors::kFormatSyntax));
  const auto outside = of(R"("terms":"1 0\n1 0 3")");
  EXPECT_THAT(outside, FailsAt("/problem/terms", errors::kValueOutOfRange));
  EXPECT_THAT(outside.error().message, HasSubstr("text:2:5"));
}

}  // namespace
}  // namespace tandem::problem

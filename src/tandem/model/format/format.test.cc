#include "tandem/model/format/format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tandem/base/testing/matchers.h"
#include "tandem/model/problem/testing/random_models.h"

namespace tandem::format {
namespace {

using problem::Assignment;
using problem::Bqm;
using problem::ProblemPtr;
using problem::QuadraticTerm;
using problem::Sense;
using problem::Vartype;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

const problem::ProblemRegistry& registry() {
  static const auto types = problem::ProblemRegistry::with_builtin_types();
  return types;
}

Result<ProblemPtr> read(std::string_view text, const ReadOptions& options = {}, std::string_view name = "data.txt") {
  return read_problem(text, name, options, registry());
}

const ReadOptions kMaxCut{.problem = "max_cut"};
const ReadOptions kQuboMin{.problem = "qubo", .sense = Sense::kMin};
const ReadOptions kQuboMax{.problem = "qubo", .sense = Sense::kMax};

TEST(Rudy, a_file_of_the_wild_is_read) {
  // CRLF, a name behind the counts, trailing blanks, comments, an empty line, no line end at the end.
  const ProblemPtr problem =
      read("# from somewhere\r\n\r\n 4 3 J \r\n1 2 1 \r\n2 3 -2.5\t\r\n% note\r\n 4 3 1e1", kMaxCut).value();
  EXPECT_EQ(problem->type(), "max_cut");
  EXPECT_EQ(problem->sense(), Sense::kMax);
  EXPECT_EQ(problem->document(),
            (Json{{"type", "max_cut"}, {"num_nodes", 4}, {"edges", {{0, 1, 1}, {1, 2, -2.5}, {2, 3, 10}}}}));
  // The cut {1, 4} | {2, 3} crosses the edges 1-2 and 4-3.
  EXPECT_EQ(problem->score(Assignment{1, 0, 0, 1}).objective, 11);
}

TEST(Rudy, parallel_edges_add_up) {
  EXPECT_EQ(read("2 2\n1 2 3\n2 1 4\n", kMaxCut).value()->score(Assignment{0, 1}).objective, 7);
}

TEST(Sparse, off_diagonal_entries_count_twice) {
  // x'Qx with Q = [[-3, 2], [2, 1]].
  const ProblemPtr problem = read("2 3\n1 1 -3\n1 2 2\n2 2 1\n", kQuboMin).value();
  EXPECT_EQ(problem->type(), "qubo");
  EXPECT_EQ(problem->sense(), Sense::kMin);
  EXPECT_EQ(problem->score(Assignment{1, 0}).objective, -3);
  EXPECT_EQ(problem->score(Assignment{0, 1}).objective, 1);
  EXPECT_EQ(problem->score(Assignment{1, 1}).objective, -3 + 1 + 2 * 2);
  EXPECT_EQ(read("2 3\n1 1 -3\n1 2 2\n2 2 1\n", kQuboMax).value()->sense(), Sense::kMax);
}

TEST(Sparse, either_half_of_the_matrix_but_not_both) {
  EXPECT_EQ(read("3 2\n2 1 5\n3 1 1\n", kQuboMin).value()->hash(),
            read("3 2\n1 2 5\n1 3 1\n", kQuboMin).value()->hash());
  EXPECT_THAT(read("3 2\n2 1 5\n2 3 1\n", kQuboMin), Succeeds());
  const auto both = read("3 3\n1 2 5\n2 3 1\n2 1 5\n", kQuboMin);
  EXPECT_THAT(both, FailsAt("data.txt:4:3", errors::kFormatSyntax));
  EXPECT_THAT(both.error().message, HasSubstr("(1, 2) stands in both halves"));
}

TEST(Readers, numbers_that_are_too_large_together_are_refused_at_the_line_where_they_become_so) {
  EXPECT_THAT(read("3 3\n1 2 1\n1 3 1e300\n2 3 1\n", {.problem = "max_cut"}),
              FailsAt("data.txt:3:5", errors::kCoefficientOverflow));
  EXPECT_THAT(read("3 3\n1 2 1\n1 3 1e300\n2 3 1\n", kQuboMin), FailsAt("data.txt:3:5", errors::kCoefficientOverflow));
  EXPECT_THAT(read("p qubo 0 2 1 1\n0 0 1e300\n0 1 1e300\n", {}),
              FailsAt("data.txt:3:5", errors::kCoefficientOverflow));
  EXPECT_THAT(read("2 2\n1 1 1.7e308\n1 1 1.7e308\n", kQuboMin), FailsAt("data.txt:2:5", errors::kNotFinite));
}

TEST(Readers, an_integer_that_a_double_would_round_is_refused_where_it_stands) {
  EXPECT_THAT(read("2 1\n1 2 9007199254740993\n", kQuboMin), FailsAt("data.txt:2:5", errors::kFormatSyntax));
  EXPECT_THAT(read("p qubo 0 2 0 1\n0 1 9007199254740993\n", {}), FailsAt("data.txt:2:5", errors::kFormatSyntax));
  EXPECT_THAT(read("{\"type\": \"qubo\", \"num_variables\": 1,\n\"linear\": [9007199254740993]}", {}),
              FailsAt("data.txt:2:12", errors::kValueOutOfRange));
}

TEST(Qbsolv, entries_count_once_from_zero_and_are_minimised) {
  const ProblemPtr problem =
      read("c an example\nc\np qubo 0 3 2 2\n0 0 -3\n2 2 1.5\nc between\n0 1 2\n1 2 -4\n").value();
  EXPECT_EQ(problem->sense(), Sense::kMin);
  EXPECT_EQ(problem->score(Assignment{1, 1, 1}).objective, -3 + 1.5 + 2 - 4);
  EXPECT_EQ(problem->score(Assignment{1, 1, 0}).objective, -3 + 2);
  EXPECT_EQ(read("p qubo unconstrained 1 1 0\n0 0 1\n", {.sense = Sense::kMax}).value()->sense(), Sense::kMax);
}

TEST(Coo, the_header_says_what_variables_are_and_lines_of_a_pair_add_up) {
  // The text that dimod's documentation shows, and its like for spins.
  const ProblemPtr qubo = read("# vartype=BINARY\n0 0 -1.000000\n0 1 1.000000\n1 2 -4.500000\n").value();
  EXPECT_EQ(qubo->document(), (Json{{"type", "qubo"},
                                    {"num_variables", 3},
                                    {"sense", "min"},
                                    {"linear", {-1, 0, 0}},
                                    {"quadratic", {{0, 1, 1}, {1, 2, -4.5}}}}));
  const ProblemPtr ising = read("\n# made by hand, vartype: SPIN\n 2 0 +.5\n0 2 1\n# between\n1 1 2\n1 1 3\n").value();
  EXPECT_EQ(ising->type(), "ising");
  EXPECT_EQ(ising->score(Assignment{1, -1, -1}).objective, -1.5 - 5);
  EXPECT_EQ(read("0 0 1\n", {.problem = "ising"}, "x.coo").value()->type(), "ising");
  EXPECT_EQ(read("0 0 1\n", {.problem = "qubo"}, "x.coo").value()->type(), "qubo");
  EXPECT_EQ(read("0 0 1\n", {.problem = "qubo", .sense = Sense::kMax}, "x.coo").value()->sense(), Sense::kMax);
}

TEST(Coo, what_no_reader_could_know_is_refused_where_it_stands) {
  struct Case {
    std::string_view text;
    ReadOptions options;
    std::string_view place;
    ErrorNumber number;
    std::string_view words;
  };
  const std::vector<Case> cases{
      {"0 0 1\n", {}, "x.coo", errors::kFormatAmbiguous, "--problem qubo or --problem ising"},
      {"0 0 1\n", {.problem = "max_cut"}, "x.coo", errors::kFormatAmbiguous, "holds no 'max_cut' problem"},
      {"# vartype=SPIN\n0 0 1\n",
       {.problem = "qubo"},
       "x.coo",
       errors::kFormatAmbiguous,
       "the file says problem=ising"},
      {"# vartype=INTEGER\n0 0 1\n", {}, "x.coo:1", errors::kFormatSyntax, "'INTEGER' is neither"},
      {"# vartype=SPIN\n# vartype=BINARY\n", {}, "x.coo:2", errors::kFormatSyntax, "keep one"},
      {"# vartype=SPIN\n", {}, "x.coo:2:1", errors::kFormatSyntax, "a line 'index index bias'"},
      {"# vartype=SPIN\n-1 0 1\n", {}, "x.coo:2:1", errors::kFormatSyntax, "an index from 0, found '-1'"},
      {"# vartype=SPIN\n0 a 1\n", {}, "x.coo:2:3", errors::kFormatSyntax, "found 'a'"},
      {"# vartype=SPIN\n0 1\n", {}, "x.coo:2:4", errors::kFormatSyntax, "a finite number"},
      {"# vartype=SPIN\n0 1 1 1\n", {}, "x.coo:2:7", errors::kFormatSyntax, "the end of the line"},
      {"# vartype=SPIN\n0 10000000 1\n", {}, "x.coo:2:3", errors::kModelTooLarge, "the limit of 10000000"},
      {"# vartype=SPIN\n0 1 1\n0 1 1e301\n", {}, "x.coo:3:5", errors::kCoefficientOverflow, ""},
  };
  for (const Case& c : cases) {
    const auto result = read(c.text, c.options, "x.coo");
    EXPECT_THAT(result, FailsAt(c.place, c.number)) << c.text;
    EXPECT_THAT(result ? "" : result.error().message, HasSubstr(std::string(c.words)));
  }
}

TEST(Coo, what_is_written_has_no_exponents_and_names_every_variable) {
  const ProblemPtr ising =
      problem::make_ising(Bqm::create(Vartype::kSpin, {0, 1e-7, 0, 0}, {{0, 2, 1e21}}, 0).value(), Sense::kMin);
  const std::string text = write_problem(*ising, FileFormat::kCoo, std::vector<std::string>{"hello"}).value();
  EXPECT_EQ(text, "# vartype=SPIN\n# hello\n0 2 1000000000000000000000\n1 1 0.0000001\n3 3 0\n");
  EXPECT_EQ(read(text).value()->hash(), ising->hash());
  const ProblemPtr best = problem::make_qubo(Bqm::create(Vartype::kBinary, {2}, {}, 0).value(), Sense::kMax);
  EXPECT_EQ(write_problem(*best, FileFormat::kCoo).value(), "# vartype=BINARY\n# tandem sense=max negated=1\n0 0 -2\n");
}

TEST(Dimacs, a_graph_is_what_it_is_asked_to_be_and_edges_may_stand_twice) {
  constexpr std::string_view kGraph =
      "c a square with a diagonal\np col 4 6\ne 1 2\ne 2 3\ne 3 4\ne 4 1\ne 1 3\ne 3 1\nn 1 1\n";
  const auto as = [&](std::string_view problem, std::string_view name = "x.col") {
    return read(kGraph, {.problem = std::string(problem)}, name);
  };
  EXPECT_EQ(as("independent_set").value()->document(),
            (Json{{"type", "independent_set"}, {"num_nodes", 4}, {"edges", {{0, 1}, {0, 2}, {0, 3}, {1, 2}, {2, 3}}}}));
  EXPECT_EQ(as("vertex_cover").value()->score(Assignment{1, 0, 1, 0}).feasible, true);
  EXPECT_EQ(as("clique", "graph.txt").value()->score(Assignment{1, 1, 1, 0}).objective, 3);
  EXPECT_EQ(as("max_cut").value()->score(Assignment{1, 0, 1, 0}).objective, 4);
  EXPECT_EQ(as("coloring").value()->document(),
            (Json{{"type", "coloring"}, {"num_nodes", 4}, {"edges", {{0, 1}, {0, 2}, {0, 3}, {1, 2}, {2, 3}}}}));
  EXPECT_THAT(read(kGraph, {}, "x.col"), FailsAt("x.col", errors::kFormatAmbiguous));
  EXPECT_THAT(as("qubo"), FailsAt("x.col", errors::kFormatAmbiguous));
  EXPECT_THAT(read(kGraph, {.problem = "clique", .sense = Sense::kMin}, "x.col"), FailsWith(errors::kFormatAmbiguous));
}

TEST(Dimacs, errors_name_the_place) {
  const ReadOptions clique{.problem = "clique"};
  EXPECT_THAT(read("c nothing\n", clique, "x.clq"), FailsAt("x.clq:2:1", errors::kFormatSyntax));
  EXPECT_THAT(read("e 1 2\n", clique, "x.clq"), FailsAt("x.clq:1:1", errors::kFormatSyntax));
  EXPECT_THAT(read("p edge 3 1\ne 1 4\n", clique, "x.clq"), FailsAt("x.clq:2:5", errors::kFormatSyntax));
  EXPECT_THAT(read("p edge 3 1\ne 2 2\n", clique, "x.clq"), FailsAt("x.clq:2:5", errors::kFormatSyntax));
  EXPECT_THAT(read("p edge 3 2\ne 1 2\n", clique, "x.clq"), FailsAt("x.clq:3:1", errors::kFormatSyntax));
  EXPECT_THAT(read("p edge 3 1\nf 1 2\n", clique, "x.clq"), FailsAt("x.clq:2:1", errors::kFormatSyntax));
  EXPECT_THAT(read("p edge 99999999 1\ne 1 2\n", clique, "x.clq"), FailsAt("x.clq:1:8", errors::kModelTooLarge));
}

// 1/2 x'Qx + b'x + c with q_11 = 6, q_21 = -4, b = (1, 2.5, 1), c = 10.
constexpr std::string_view kQplib =
    "! an example\nEXAMPLE\nQBB\nmaximize\n3 # number of variables\n2 # quadratic terms\n1 1 6\n2 1 -4\n1 # usual b\n"
    "1 # others\n2 2.5\n10 # constant\n1E+308 # infinity\n0\n0\n0\n0\n0\n0\n";

TEST(Qplib, the_diagonal_counts_half_and_a_pair_once_and_usual_coefficients_are_those_of_all_others) {
  const ProblemPtr problem = read(kQplib, {}, "x.qplib").value();
  EXPECT_EQ(problem->type(), "qubo");
  EXPECT_EQ(problem->sense(), Sense::kMax);
  EXPECT_EQ(problem->score(Assignment{0, 0, 0}).objective, 10);
  EXPECT_EQ(problem->score(Assignment{1, 0, 0}).objective, 10 + 3 + 1);
  EXPECT_EQ(problem->score(Assignment{1, 1, 1}).objective, 10 + 3 - 4 + 1 + 2.5 + 1);
  EXPECT_THAT(read(kQplib, {.sense = Sense::kMin}, "x.qplib"), FailsWith(errors::kFormatAmbiguous));
  EXPECT_THAT(read(kQplib, kMaxCut, "x.qplib"), FailsWith(errors::kFormatAmbiguous));
}

TEST(Qplib, coefficients_stay_the_decimals_that_they_are) {
  const ProblemPtr problem =
      read("X\nQBN\nminimize\n2\n1\n1 1 0.2\n0.7\n1\n1 0.1\n0\n1e308\n0\n0\n0\n0\n0\n0\n", {}, "x.qplib").value();
  EXPECT_EQ(problem->score(Assignment{1, 0}).objective, 0.1 + 0.1);
  EXPECT_EQ(problem->score(Assignment{0, 1}).objective, 0.7);
}

TEST(Qplib, what_it_cannot_be_is_said_where_it_stands) {
  const auto with = [](std::string_view what, std::string_view other) {
    std::string text(kQplib);
    text.replace(text.find(what), what.size(), other);
    return read(text, {}, "x.qplib");
  };
  EXPECT_THAT(with("QBB", "QBL"), FailsAt("x.qplib:3:1", errors::kFormatCannotExpress));
  EXPECT_THAT(with("QBB", "QCB"), FailsAt("x.qplib:3:1", errors::kFormatCannotExpress));
  EXPECT_THAT(with("QBB", "quadratic"), FailsAt("x.qplib:3:1", errors::kFormatSyntax));
  EXPECT_THAT(with("maximize", "best"), FailsAt("x.qplib:4:1", errors::kFormatSyntax));
  EXPECT_THAT(with("2 1 -4", "4 1 -4"), FailsAt("x.qplib:8:1", errors::kFormatSyntax));
  EXPECT_THAT(with("2 1 -4", "2 1 x"), FailsAt("x.qplib:8:5", errors::kFormatSyntax));
  EXPECT_THAT(with("2 # quadratic", "3 # quadratic"), FailsWith(errors::kFormatSyntax));
  EXPECT_THAT(with("1 # others\n2 2.5", "2 # others\n2 2.5\n2 3"), FailsAt("x.qplib:12:1", errors::kFormatSyntax));
  for (std::size_t size = kQplib.find("10 # constant"); size > 0; size -= size > 20 ? 20 : size)
    EXPECT_THAT(read(kQplib.substr(0, size), {}, "x.qplib"), FailsWith(errors::kFormatSyntax)) << size;
}

TEST(Document, json_yaml_and_the_problem_of_a_job_are_read) {
  const ProblemPtr json = read(R"({"type":"qubo","num_variables":2,"quadratic":[[0,1,1]]})", {}, "p.json").value();
  EXPECT_EQ(read("type: qubo\nnum_variables: 2\nquadratic: [[0, 1, 1]]\n", {}, "p.yaml").value()->hash(), json->hash());
  EXPECT_EQ(read("name: job\nproblem:\n  type: qubo\n  num_variables: 2\n  quadratic: |\n    0 1 1\n").value()->hash(),
            json->hash());
}

TEST(Document, errors_stand_at_line_and_column) {
  EXPECT_THAT(read("type: qubo\nnum_variables: 2\nquadratic: [[0, 2, 1]]\n", {}, "p.yaml"),
              FailsAt("p.yaml:3:17", errors::kValueOutOfRange));
  EXPECT_THAT(read("{\n \"type\": \"qubo\",\n \"num_variables\": 0}", {}, "p.json"),
              FailsAt("p.json:3:19", errors::kValueOutOfRange));
  EXPECT_THAT(read("{\"type\":", {}, "p.json"), FailsWith(errors::kJsonSyntax));
  EXPECT_THAT(read("[1, 2]", {}, "p.json"), FailsWith(errors::kWrongType));
}

TEST(Detect, an_ambiguous_file_is_refused_and_the_flags_are_named) {
  const auto unknown = read("2 1\n1 2 3\n");
  EXPECT_THAT(unknown, FailsAt("data.txt", errors::kFormatAmbiguous));
  EXPECT_THAT(unknown.error().message, HasSubstr("--problem max_cut"));
  EXPECT_THAT(unknown.error().message, HasSubstr("--problem qubo with --sense min or --sense max"));
  for (const auto& result : {read("2 1\n1 2 3\n", {.problem = "qubo"}), read("2 1\n1 2 3\n", {}, "bqp50-1.sparse"),
                             read("2 1\n1 2 3\n", {.format = FileFormat::kSparse})}) {
    EXPECT_THAT(result, FailsWith(errors::kFormatAmbiguous));
    EXPECT_THAT(result.error().message, HasSubstr("--sense min or --sense max"));
  }
  EXPECT_THAT(read("2 1\n1 2 3\n", {.problem = "ising"}), FailsWith(errors::kFormatAmbiguous));
}

TEST(Detect, flags_then_notes_then_name_then_content) {
  struct Case {
    std::string_view name;
    std::string_view text;
    ReadOptions options;
    FileFormat expected;
  };
  const std::vector<Case> cases{
      {"a.txt", "2 1\n1 2 3\n", kMaxCut, FileFormat::kRudy},
      {"a.txt", "2 1\n1 2 3\n", kQuboMin, FileFormat::kSparse},
      {"a.sparse", "2 1\n1 2 3\n", kMaxCut, FileFormat::kRudy},
      {"a.mc.gz", "2 1\n1 2 3\n", {}, FileFormat::kRudy},
      {"a.sparse", "2 1\n1 2 3\n", {}, FileFormat::kSparse},
      {"a.txt", "# tandem problem=max_cut\n2 1\n1 2 3\n", {}, FileFormat::kRudy},
      {"a.sparse", "# tandem problem=max_cut\n2 1\n1 2 3\n", {}, FileFormat::kRudy},
      {"a.txt", "c hello\np qubo 0 1 0 0\n", {}, FileFormat::kQbsolv},
      {"a.qubo.gz", "", {}, FileFormat::kQbsolv},
      {"a.txt", "  {\"type\": \"qubo\"}", {}, FileFormat::kDocument},
      {"a", "# a job\nname: x\n", {}, FileFormat::kDocument},
      {"a.json", "2 1\n", {}, FileFormat::kDocument},
      {"a.json", "2 1\n", {.format = FileFormat::kRudy}, FileFormat::kRudy},
  };
  for (const Case& c : cases)
    EXPECT_EQ(detect(c.name, c.text, c.options).value(), c.expected) << c.name << "\n" << c.text;
  EXPECT_THAT(detect("a.txt", "hello world\n", {}), FailsWith(errors::kFormatUnknown));
  EXPECT_THAT(detect("a.txt", "", {}), FailsWith(errors::kFormatUnknown));
}

TEST(Detect, names_of_formats_are_read_back) {
  for (const FileFormat format : {FileFormat::kDocument, FileFormat::kRudy, FileFormat::kSparse, FileFormat::kQbsolv,
                                  FileFormat::kCoo, FileFormat::kQplib, FileFormat::kDimacs}) {
    EXPECT_EQ(parse_file_format(to_string(format)).value(), format);
  }
  EXPECT_THAT(parse_file_format("qbsolve").error().message, HasSubstr("did you mean 'qbsolv'?"));
}

TEST(Notes, a_flag_that_contradicts_the_file_is_refused) {
  const std::string_view sparse = "# tandem problem=qubo sense=max\n1 1\n1 1 3\n";
  EXPECT_EQ(read(sparse).value()->sense(), Sense::kMax);
  EXPECT_THAT(read(sparse, kQuboMax), Succeeds());
  EXPECT_THAT(read(sparse, kQuboMin), FailsWith(errors::kFormatAmbiguous));
  EXPECT_THAT(read(sparse, kMaxCut), FailsWith(errors::kFormatAmbiguous));
  EXPECT_THAT(read("2 0\n", {.problem = "max_cut", .sense = Sense::kMin}), FailsWith(errors::kFormatAmbiguous));
  EXPECT_THAT(read("c tandem problem=qubo sense=max negated=1\np qubo 0 1 0 0\n", kQuboMin),
              FailsWith(errors::kFormatAmbiguous));
  EXPECT_THAT(read("p qubo 0 1 0 0\n", kMaxCut), FailsWith(errors::kFormatAmbiguous));
  EXPECT_THAT(read(R"({"type":"qubo","num_variables":1})", {.problem = "ising"}), FailsWith(errors::kFormatAmbiguous));
  EXPECT_THAT(read(R"({"type":"qubo","num_variables":1})", kQuboMax), FailsWith(errors::kFormatAmbiguous));
}

TEST(Notes, damaged_notes_are_refused_and_other_comments_are_not_notes) {
  EXPECT_THAT(read("# tandem problem=qbo\n2 0\n"), FailsAt("data.txt:1:10", errors::kFormatSyntax));
  EXPECT_THAT(read("# tandem problem=qubo sence=min\n2 0\n"), FailsAt("data.txt:1:23", errors::kFormatSyntax));
  EXPECT_THAT(read("# tandem generate torus --rows 3\n# tandem\n#\n2 0\n", kMaxCut), Succeeds());
}

TEST(Readers, errors_name_line_column_value_and_limit) {
  struct Case {
    std::string_view text;
    std::string_view place;
    ErrorNumber number;
    std::string_view words;
  };
  const std::vector<Case> numbers{
      {"", "data.txt:1:1", errors::kFormatSyntax, "the number of variables, found the end of the text"},
      {"# only a comment\n", "data.txt:2:1", errors::kFormatSyntax, "the number of variables"},
      {"x 3\n", "data.txt:1:1", errors::kFormatSyntax, "found 'x'"},
      {"0 0\n", "data.txt:1:1", errors::kFormatSyntax, "found '0'"},
      {"-1 0\n", "data.txt:1:1", errors::kFormatSyntax, "found '-1'"},
      {"3\n1 2 1\n", "data.txt:1:2", errors::kFormatSyntax, "the number of entries, found the end of the line"},
      {"3 1.5\n", "data.txt:1:3", errors::kFormatSyntax, "found '1.5'"},
      {"10000001 1\n", "data.txt:1:1", errors::kModelTooLarge,
       "the number of variables is 10000001, the limit is 10000000"},
      {"3 99999999999\n", "data.txt:1:3", errors::kModelTooLarge, "400000000"},
      {"3 1\n0 2 1\n", "data.txt:2:1", errors::kFormatSyntax, "an index from 1 to 3, found '0'"},
      {"3 1\n1 4 1\n", "data.txt:2:3", errors::kFormatSyntax, "an index from 1 to 3, found '4'"},
      {"3 1\n1 2\n", "data.txt:2:4", errors::kFormatSyntax, "a finite number, found the end of the line"},
      {"3 1\n1 2 nan\n", "data.txt:2:5", errors::kFormatSyntax, "found 'nan'"},
      {"3 1\n1 2 1e999\n", "data.txt:2:5", errors::kFormatSyntax, "found '1e999'"},
      {"3 1\n1 2 1 7\n", "data.txt:2:7", errors::kFormatSyntax, "the end of the line, found '7'"},
      {"3 1\n1 2 1\n\n1 3 1\n", "data.txt:4:1", errors::kFormatSyntax, "promises 1 entries, here is one more"},
      {"3 3\n1 2 1\n", "data.txt:3:1", errors::kFormatSyntax, "ends after 1 of 3 entries; it may be truncated"},
      {"3 400000000\n1 2 1\n", "data.txt:3:1", errors::kFormatSyntax, "truncated"},
  };
  for (const Case& c : numbers) {
    for (const ReadOptions& flags : {kMaxCut, kQuboMin}) {
      // With the format said, a text without numbers is read too.
      ReadOptions options = flags;
      options.format = flags.problem == "qubo" ? FileFormat::kSparse : FileFormat::kRudy;
      const auto result = read(c.text, options);
      EXPECT_THAT(result, FailsAt(c.place, c.number)) << c.text;
      const std::string message = result ? "" : result.error().message;
      EXPECT_THAT(message, HasSubstr(std::string(c.words)));
    }
  }
  EXPECT_THAT(read("3 1\n2 2 1\n", kMaxCut), FailsAt("data.txt:2:5", errors::kFormatSyntax));
  EXPECT_THAT(read("3 1\n1 2 1e308\n", kQuboMin), FailsAt("data.txt:2:5", errors::kNotFinite));
  const std::vector<Case> qbsolv{
      {"", "data.txt:1:1", errors::kFormatSyntax, "the line 'p qubo"},
      {"0 0 1\n", "data.txt:1:1", errors::kFormatSyntax, "the line 'p qubo"},
      {"cc\n", "data.txt:1:1", errors::kFormatSyntax, "a comment 'c ...'"},
      {"p ising 0 1 0 0\n", "data.txt:1:3", errors::kFormatSyntax, "'qubo', found 'ising'"},
      {"p qubo\n", "data.txt:1:7", errors::kFormatSyntax, "a topology"},
      {"p qubo 0 0 0 0\n", "data.txt:1:10", errors::kFormatSyntax, "the number of variables, found '0'"},
      {"p qubo 0 1 0\n", "data.txt:1:13", errors::kFormatSyntax, "the number of couplers"},
      {"p qubo 0 1 0 0 0\n", "data.txt:1:16", errors::kFormatSyntax, "the end of the line"},
      {"p qubo 0 1 0 0\np qubo 0 1 0 0\n", "data.txt:2:1", errors::kFormatSyntax, "an entry, found 'p'"},
      {"p qubo 0 99999999 0 0\n", "data.txt:1:10", errors::kModelTooLarge, "10000000"},
      {"p qubo 0 2 0 1\n0 2 1\n", "data.txt:2:3", errors::kFormatSyntax, "an index from 0 to 1, found '2'"},
      {"p qubo 0 2 0 1\n0 1 x\n", "data.txt:2:5", errors::kFormatSyntax, "a finite number, found 'x'"},
      {"p qubo 0 2 0 1\n0 1 1 1\n", "data.txt:2:7", errors::kFormatSyntax, "the end of the line"},
      {"p qubo 0 2 0 1\n0 0 1\n", "data.txt:2:5", errors::kFormatSyntax, "promises 0 diagonals"},
      {"p qubo 0 2 0 1\n0 1 1\n0 1 1\n", "data.txt:3:5", errors::kFormatSyntax, "promises 1 couplers"},
      {"p qubo 0 2 1 1\n0 1 1\n", "data.txt:3:1", errors::kFormatSyntax, "0 of 1 diagonals and 1 of 1 couplers"},
  };
  for (const Case& c : qbsolv) {
    const auto result = read(c.text, {.format = FileFormat::kQbsolv});
    EXPECT_THAT(result, FailsAt(c.place, c.number)) << c.text;
    const std::string message = result ? "" : result.error().message;
    EXPECT_THAT(message, HasSubstr(std::string(c.words)));
  }
}

TEST(Readers, the_limits_of_the_caller_hold) {
  ReadOptions options = kMaxCut;
  options.limits = {.bytes_max = 20, .variables_max = 3, .terms_max = 2};
  EXPECT_THAT(read("3 2\n1 2 1\n2 3 1\n", options), Succeeds());
  EXPECT_THAT(read("4 2\n1 2 1\n2 3 1\n", options), FailsWith(errors::kModelTooLarge));
  EXPECT_THAT(read("3 3\n1 2 1\n2 3 1\n", options), FailsWith(errors::kModelTooLarge));
  EXPECT_THAT(read("3 2\n1 2 1\n2 3 1\n     ", options), FailsWith(errors::kInputTooLarge));
  EXPECT_THAT(read("p qubo 0 9 0 0\n", {.limits = options.limits}), FailsWith(errors::kModelTooLarge));
  const ReadLimits few{.variables_max = 3};
  EXPECT_THAT(read(R"({"type":"qubo","num_variables":4})", {.limits = few}), FailsWith(errors::kModelTooLarge));
}

TEST(Readers, gzip_is_unpacked_within_the_limit) {
  // printf '3 2\n1 2 1\n2 3 -1\n' | gzip -n | base64
  const Bytes packed = from_base64("H4sIAAAAAAAAAzNWMOIyVDBSMOQyUjBW0DXkAgAkgV8/EQAAAA==").value();
  EXPECT_EQ(unpack(packed, "graph.gz", {}).value(), "3 2\n1 2 1\n2 3 -1\n");
  EXPECT_EQ(unpack("plain", "plain", {}).value(), "plain");
  EXPECT_THAT(unpack(packed, "graph.gz", {.bytes_max = 16}), FailsWith(errors::kInputTooLarge));
  EXPECT_THAT(unpack("plain", "plain", {.bytes_max = 4}), FailsWith(errors::kInputTooLarge));
  EXPECT_THAT(unpack(packed.substr(0, 30), "graph.gz", {}), FailsWith(errors::kBadGzip));
  EXPECT_EQ(unpack(packed.substr(0, 30), "graph.gz", {}).error().place, "graph.gz");
}

// ---- writers -------------------------------------------------------------------------------------------------------

ProblemPtr random_qubo(Sense sense, std::uint64_t seed, double scale) {
  const Bqm integers = problem::random_bqm(Vartype::kBinary, 9, 0.5, seed);
  std::vector<double> linear(integers.linear().begin(), integers.linear().end());
  std::vector<QuadraticTerm> terms(integers.terms().begin(), integers.terms().end());
  for (double& value : linear) value *= scale;
  for (QuadraticTerm& term : terms) term.bias *= scale;
  return problem::make_qubo(Bqm::create(Vartype::kBinary, linear, terms, 0).value(), sense);
}

ProblemPtr random_max_cut(std::uint64_t seed, double scale) {
  const Bqm graph = problem::random_bqm(Vartype::kBinary, 9, 0.5, seed);
  std::vector<QuadraticTerm> edges(graph.terms().begin(), graph.terms().end());
  for (QuadraticTerm& edge : edges) edge.bias *= scale;
  return problem::make_max_cut(9, edges).value();
}

TEST(Writers, what_is_written_reads_back_without_flags) {
  const std::vector<std::string> comments{"tandem generate something --seed 1", "two\nlines"};
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    for (const double scale : {1.0, 0.1, 1e-7, 1.0 / 3, 1e30}) {
      std::vector<std::pair<ProblemPtr, FileFormat>> cases;
      for (const Sense sense : {Sense::kMin, Sense::kMax}) {
        for (const FileFormat format :
             {FileFormat::kDocument, FileFormat::kSparse, FileFormat::kQbsolv, FileFormat::kCoo, FileFormat::kQplib}) {
          cases.emplace_back(random_qubo(sense, seed, scale), format);
        }
      }
      const Bqm spins = problem::random_bqm(Vartype::kSpin, 9, 0.5, seed);
      cases.emplace_back(problem::make_ising(Bqm::create(Vartype::kSpin, {spins.linear().begin(), spins.linear().end()},
                                                         {spins.terms().begin(), spins.terms().end()}, 0)
                                                 .value(),
                                             Sense::kMax),
                         FileFormat::kCoo);
      for (const FileFormat format : {FileFormat::kDocument, FileFormat::kRudy}) {
        cases.emplace_back(random_max_cut(seed, scale), format);
      }
      for (const auto& [problem, format] : cases) {
        const std::string text = write_problem(*problem, format, comments).value();
        const auto again =
            read(text, {}, format == FileFormat::kQplib ? "x.qplib" : "x.txt");  // its first line is a name
        ASSERT_THAT(again, Succeeds()) << text << "\n" << again.error().to_string();
        EXPECT_EQ((*again)->document(), problem->document()) << text;
      }
    }
  }
}

TEST(Writers, qubo_files_from_a_cut_hold_its_negative) {
  const ProblemPtr cut = random_max_cut(5, 1);
  for (const FileFormat format : {FileFormat::kSparse, FileFormat::kQbsolv, FileFormat::kCoo}) {
    const ProblemPtr qubo = read(write_problem(*cut, format).value()).value();
    EXPECT_EQ(qubo->sense(), Sense::kMin);
    problem::for_each_assignment(Vartype::kBinary, 9, [&](const Assignment& values) {
      ASSERT_EQ(qubo->score(values).objective, -cut->score(values).objective);
    });
  }
}

TEST(Writers, qubo_files_from_spins_hold_the_same_energies) {
  // h = (1, 1), J = 2: over binaries 2 x0 + 2 x1 + 8 x0 x1 - 4 x0 - 4 x1 and the constant -1 - 1 + 2 = 0.
  const ProblemPtr ising =
      problem::make_ising(Bqm::create(Vartype::kSpin, {1, 1}, {{0, 1, 2}}, 0).value(), Sense::kMin);
  EXPECT_EQ(write_problem(*ising, FileFormat::kSparse).value(),
            "# tandem problem=qubo sense=min\n2 3\n1 1 -2\n1 2 4\n2 2 -2\n");
  const ProblemPtr maximised =
      problem::make_ising(Bqm::create(Vartype::kSpin, {1, 1}, {{0, 1, 2}}, 0).value(), Sense::kMax);
  EXPECT_EQ(write_problem(*maximised, FileFormat::kSparse).value(),
            "# tandem problem=qubo sense=max\n2 3\n1 1 -2\n1 2 4\n2 2 -2\n");
}

TEST(Writers, a_maximised_qubo_is_negated_for_readers_that_minimise) {
  const ProblemPtr problem =
      problem::make_qubo(Bqm::create(Vartype::kBinary, {1, 0}, {{0, 1, -2}}, 0).value(), Sense::kMax);
  const std::string text = write_problem(*problem, FileFormat::kQbsolv, std::vector<std::string>{"hello"}).value();
  EXPECT_EQ(text, "c tandem problem=qubo sense=max negated=1\nc hello\np qubo 0 2 1 1\n0 0 -1\n0 1 2\n");
}

TEST(Writers, a_qplib_file_keeps_the_constant) {
  for (const Sense sense : {Sense::kMin, Sense::kMax}) {
    const ProblemPtr problem =
        problem::make_qubo(Bqm::create(Vartype::kBinary, {1, 0}, {{0, 1, -2}}, 2.5).value(), sense);
    const std::string text = write_problem(*problem, FileFormat::kQplib).value();
    EXPECT_EQ(read(text, {}, "x.qplib").value()->hash(), problem->hash()) << text;
  }
}

TEST(Writers, a_graph_is_written_for_whatever_is_asked_of_it) {
  for (const char* const type : {"independent_set", "vertex_cover", "clique", "coloring", "max_cut"}) {
    const ProblemPtr problem =
        read(fmt::format(R"({{"type":"{}","num_nodes":3,"edges":[[0,2],[1,2]]}})", type), {}, "p.json").value();
    const std::string text = write_problem(*problem, FileFormat::kDimacs, std::vector<std::string>{"hello"}).value();
    EXPECT_EQ(text, "c hello\np edge 3 2\ne 1 3\ne 2 3\n");
    EXPECT_EQ(read(text, {.problem = type}).value()->hash(), problem->hash());
  }
}

TEST(Writers, documents_are_one_key_a_line) {
  const ProblemPtr problem = problem::make_max_cut(2, {{0, 1, 0.5}}).value();
  EXPECT_EQ(write_problem(*problem, FileFormat::kDocument).value(),
            "{\n  \"type\": \"max_cut\",\n  \"edges\": [[0,1,0.5]],\n  \"num_nodes\": 2\n}\n");
}

TEST(Writers, what_a_format_cannot_hold_is_refused) {
  const auto parse = [](std::string_view text) { return read(text, {}, "p.json").value(); };
  const ProblemPtr offset = parse(R"({"type":"qubo","num_variables":1,"offset":2.5})");
  const ProblemPtr named = parse(R"({"type":"qubo","num_variables":1,"names":["a"]})");
  const ProblemPtr named_graph = parse(R"({"type":"max_cut","num_nodes":1,"names":["a"]})");
  const ProblemPtr portfolio =
      parse(R"({"type":"portfolio","assets":[{"name":"A","expected_return":0.1}],"covariance":[[0.1]],"choose":1})");
  struct Case {
    ProblemPtr problem;
    FileFormat format;
    std::string_view words;
  };
  const std::vector<Case> cases{
      {offset, FileFormat::kSparse, "the constant 2.5"},
      {offset, FileFormat::kQbsolv, "the constant 2.5"},
      {named, FileFormat::kSparse, "names"},
      {named_graph, FileFormat::kRudy, "names"},
      {portfolio, FileFormat::kQbsolv, "constraints"},
      {portfolio, FileFormat::kRudy, "max_cut"},
      {random_qubo(Sense::kMin, 1, 1), FileFormat::kRudy, "max_cut"},
      {random_qubo(Sense::kMin, 1, 1), FileFormat::kDimacs, "this is qubo"},
      {named_graph, FileFormat::kDimacs, "names"},
      {parse(R"({"type":"coloring","num_nodes":1,"colors":2})"), FileFormat::kDimacs, "number of colours"},
      {offset, FileFormat::kCoo, "the constant 2.5"},
      {named, FileFormat::kCoo, "names"},
      {portfolio, FileFormat::kCoo, "constraints"},
      {parse(R"({"type":"clique","num_nodes":1,"weights":[2]})"), FileFormat::kDimacs, "weights"},
      {parse(R"({"type":"max_cut","num_nodes":2,"edges":[[0,1,3]]})"), FileFormat::kDimacs, "the weight 3"},
  };
  for (const Case& c : cases) {
    const auto result = write_problem(*c.problem, c.format);
    EXPECT_THAT(result, FailsWith(errors::kFormatCannotExpress));
    const std::string message = result ? "" : result.error().message;
    EXPECT_THAT(message, HasSubstr(std::string(c.words)));
  }
}

}  // namespace
}  // namespace tandem::format

// Every published instance that the readers are for, read from the folder named by TANDEM_TEST_DATA and compared with a second,
// plain reading of the same file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "tandem/base/rng.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/model/format/format.h"
#include "tandem/model/format/generate.h"

namespace tandem::format {
namespace {

using problem::Assignment;
using problem::ProblemPtr;
using problem::Sense;
namespace fs = std::filesystem;

class Published : public testing::Test {
 protected:
  void SetUp() override {
    const char* const variable = std::getenv("TANDEM_TEST_DATA");
    folder_ = variable == nullptr ? "" : variable;
    if (!fs::is_directory(folder_ / "maxcut_gset")) {
      GTEST_SKIP() << "no published instances: TANDEM_TEST_DATA is '" << folder_.string() << "'";
    }
  }

  static std::string text_of(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    std::stringstream bytes;
    bytes << stream.rdbuf();
    return unpack(bytes.str(), "", {}).value();
  }

  std::vector<fs::path> files_in(std::string_view folder) const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder_ / folder)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  static ProblemPtr read(const fs::path& path, const ReadOptions& options) {
    static const auto registry = problem::ProblemRegistry::with_builtin_types();
    const auto result = read_problem(text_of(path), path.filename().string(), options, registry);
    EXPECT_THAT(result, Succeeds());
    return result.value();
  }

  fs::path folder_;
};

/// The file read with nothing but streams; `twice` counts off-diagonal entries twice.
struct PlainFile {
  int n = 0;
  std::vector<std::tuple<int, int, double>> entries;

  explicit PlainFile(const std::string& text) {
    std::istringstream stream(text);
    std::string line;
    std::getline(stream, line);
    std::size_t m = 0;
    std::istringstream(line) >> n >> m;
    for (std::size_t k = 0; k < m; ++k) {
      int i = 0;
      int j = 0;
      double w = 0;
      stream >> i >> j >> w;
      entries.emplace_back(i - 1, j - 1, w);
    }
  }
  double cut(const Assignment& x) const {
    double sum = 0;
    for (const auto& [i, j, w] : entries) sum += w * (x[static_cast<std::size_t>(i)] ^ x[static_cast<std::size_t>(j)]);
    return sum;
  }
  double form(const Assignment& x) const {
    double sum = 0;
    for (const auto& [i, j, w] : entries) {
      sum += (i == j ? 1 : 2) * w * x[static_cast<std::size_t>(i)] * x[static_cast<std::size_t>(j)];
    }
    return sum;
  }
};

Assignment random_assignment(std::size_t n, std::uint64_t seed) {
  Xoshiro256 rng(seed);
  Assignment values(n);
  for (std::int8_t& value : values) value = static_cast<std::int8_t>(rng.below(2));
  return values;
}

TEST_F(Published, every_graph_agrees_with_a_plain_reading) {
  std::size_t count = 0;
  for (const std::string_view folder : {"maxcut_gset", "maxcut_biqmac_rudy", "maxcut_biqmac_ising"}) {
    for (const fs::path& path : files_in(folder)) {
      SCOPED_TRACE(path.string());
      const ProblemPtr problem = read(path, {.problem = "max_cut"});
      const PlainFile plain(text_of(path));
      ASSERT_EQ(problem->num_variables(), static_cast<std::size_t>(plain.n));
      for (std::uint64_t seed = 0; seed < 3; ++seed) {
        const Assignment values = random_assignment(problem->num_variables(), seed);
        EXPECT_EQ(problem->score(values).objective, plain.cut(values));
      }
      ++count;
    }
  }
  EXPECT_GE(count, 40u);
}

TEST_F(Published, every_matrix_agrees_with_a_plain_reading) {
  std::size_t count = 0;
  for (const std::string_view folder : {"qubo_beasley", "qubo_gka", "qubo_be"}) {
    for (const fs::path& path : files_in(folder)) {
      SCOPED_TRACE(path.string());
      // N = 1000 files are maximised, the smaller ones minimised.
      const bool maximised = path.filename().string().starts_with("bqp1000");
      const Sense sense = maximised ? Sense::kMax : Sense::kMin;
      const ProblemPtr problem = read(path, {.problem = "qubo", .sense = sense});
      const PlainFile plain(text_of(path));
      ASSERT_EQ(problem->num_variables(), static_cast<std::size_t>(plain.n));
      EXPECT_EQ(problem->sense(), sense);
      for (std::uint64_t seed = 0; seed < 3; ++seed) {
        const Assignment values = random_assignment(problem->num_variables(), seed);
        EXPECT_EQ(problem->score(values).objective, plain.form(values));
      }
      ++count;
    }
  }
  EXPECT_GE(count, 40u);
}

TEST_F(Published, certificates_have_the_published_cut) {
  // Published best cuts of instances whose certificate is known: a hexadecimal number, most significant bit first.
  const std::map<std::string, double> published{{"G1.txt", 11624}, {"G2.txt", 11620}, {"G3.txt", 11622},
                                                {"G4.txt", 11646}, {"G72.txt", 7008}, {"G77.txt", 9940},
                                                {"G81.txt", 14060}};
  std::size_t checked = 0;
  for (const fs::path& path : files_in("maxcut_gset/certificates")) {
    const fs::path instance = folder_ / "maxcut_gset" / path.filename();
    if (!fs::exists(instance)) continue;
    const ProblemPtr problem = read(instance, {.problem = "max_cut"});
    std::string digits = text_of(path);
    digits.erase(std::remove_if(digits.begin(), digits.end(), [](char c) { return c == '\n' || c == '\r'; }),
                 digits.end());
    if (digits.starts_with("0x")) digits.erase(0, 2);
    std::string bits;
    for (const char digit : digits) {
      for (int k = 3; k >= 0; --k) bits += (std::stoi(std::string(1, digit), nullptr, 16) >> k & 1) != 0 ? '1' : '0';
    }
    const std::size_t n = problem->num_variables();
    if (bits.size() < n) bits.insert(0, n - bits.size(), '0');
    bits.erase(0, bits.size() - n);
    Assignment values(n);
    for (std::size_t i = 0; i < n; ++i) values[i] = bits[i] == '1' ? 1 : 0;
    EXPECT_EQ(problem->score(values).objective, published.at(path.filename().string())) << path;
    ++checked;
  }
  EXPECT_GE(checked, 1u);
}

TEST_F(Published, no_instance_is_read_without_saying_what_it_is) {
  const auto registry = problem::ProblemRegistry::with_builtin_types();
  for (const char* file : {"maxcut_gset/G1.txt", "qubo_beasley/bqp50-2.sparse", "maxcut_biqmac_rudy/g05_60.0"}) {
    EXPECT_THAT(read_problem(text_of(folder_ / file), file, {}, registry), FailsWith(errors::kFormatAmbiguous));
  }
}

/// QOBLIB's sequences: "# Energy: E", then a bit a line.
TEST_F(Published, low_autocorrelation_sequences_have_their_energy_in_the_polynomial_that_is_generated) {
  int sequences = 0;
  for (const fs::path& path : files_in("qoblib/02-labs/solutions")) {
    if (path.extension() != ".sol") continue;
    std::istringstream lines(text_of(path));
    Assignment spins;
    double energy = -1;
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("# Energy: ")) energy = std::stod(line.substr(10));
      if (line.starts_with("0") || line.starts_with("1")) spins.push_back(line[0] == '1' ? 1 : -1);
    }
    const auto generated = generate_labs({.size = static_cast<std::uint32_t>(spins.size())});
    ASSERT_THAT(generated, Succeeds()) << path;
    EXPECT_EQ(generated->problem->score(spins).objective, energy) << path;
    ++sequences;
  }
  EXPECT_GE(sequences, 65);
}

}  // namespace
}  // namespace tandem::format

// Every published circuit that the readers are for, read from the folder named by TANDEM_TEST_DATA and compared with a second, plain
// reading of the same file and with qelib1.inc itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>

#include "tandem/base/testing/matchers.h"
#include "tandem/base/text.h"
#include "tandem/model/format/circuit_file.h"
#include "tandem/model/format/testing/circuit_unitary.h"

namespace tandem::format {
namespace {

using circuit::Circuit;
namespace fs = std::filesystem;

class PublishedCircuits : public testing::Test {
 protected:
  void SetUp() override {
    const char* const variable = std::getenv("TANDEM_TEST_DATA");
    folder_ = variable == nullptr ? "" : variable;
    if (!fs::is_directory(folder_ / "qasm2"))
      GTEST_SKIP() << "no published circuits: TANDEM_TEST_DATA is '" << folder_.string() << "'";
  }

  static std::string text_of(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    std::stringstream bytes;
    bytes << stream.rdbuf();
    return bytes.str();
  }

  std::vector<fs::path> programs() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / "qasm2")) {
      if (entry.path().extension() == ".qasm") files.push_back(entry.path());
    }
    std::ranges::sort(files);
    return files;
  }

  fs::path folder_;
};

struct Counts {
  unsigned long qubits = 0;
  unsigned long of_two = 0;  ///< gates
  unsigned long of_three = 0;
};

/// The last column of the manifest: how many qubits, and how many lines name two and three.
std::map<std::string, Counts> manifest(const std::string& text) {
  std::map<std::string, Counts> counts;
  const std::regex row(R"(\| (qasm2/\S+\.qasm) \|.*\| (\d+) / (\d+) / (\d+) \|)");
  for (std::sregex_iterator at(text.begin(), text.end(), row), end; at != end; ++at)
    counts[(*at)[1]] = {std::stoul((*at)[2]), std::stoul((*at)[3]), std::stoul((*at)[4])};
  return counts;
}

TEST_F(PublishedCircuits,
       every_program_is_read_but_those_that_compare_with_large_numbers_and_one_without_its_register) {
  const auto listed = manifest(text_of(folder_ / "qasm2/MANIFEST.md"));
  std::size_t read = 0;
  std::size_t conditional = 0;
  std::size_t counted = 0;
  for (const fs::path& path : programs()) {
    SCOPED_TRACE(path.string());
    const std::string text = text_of(path);
    const auto circuit = read_circuit(text, path.filename().string());
    if (!circuit) {
      const bool conditions = std::regex_search(text, std::regex(R"((^|\n)\s*if\s*\()"));
      EXPECT_THAT(circuit, FailsWith(conditions ? errors::kFormatCannotExpress : errors::kFormatSyntax));
      // Its last lines measure a register that it does not declare.
      if (!conditions) {
        EXPECT_EQ(path.filename(), "vqe_uccsd_n6.qasm");
      }
      if (conditions) ++conditional;
      continue;
    }
    ++read;
    const auto row = listed.find(fs::relative(path, folder_).generic_string());
    ASSERT_NE(row, listed.end());
    EXPECT_EQ(circuit->num_qubits(), row->second.qubits);
    // Lines are gates where nothing is defined, no gate is given a register and none stands behind a condition.
    const bool conditions = std::ranges::any_of(circuit->instructions(),
                                                [](const circuit::Instruction& one) { return one.condition.exists(); });
    if (conditions || text.find("gate ") != std::string::npos) continue;
    ++counted;
    EXPECT_EQ(circuit->count_of(2), row->second.of_two);
    EXPECT_EQ(circuit->count_of(3), row->second.of_three);
  }
  EXPECT_EQ(read, 118u);
  EXPECT_EQ(conditional, 3u) << "with 2^63 and 2^300";
  EXPECT_GE(counted, 90u);
}

TEST_F(PublishedCircuits, gates_are_those_of_qelib1_up_to_a_phase) {
  const std::string file = text_of(folder_ / "qasm2/qelib1_qasmbench.inc");
  const std::regex head(R"((?:^|\n)gate (\w+)(\(([^)]*)\))? ([a-z, ]+))");
  std::size_t count = 0;
  for (std::sregex_iterator at(file.begin(), file.end(), head), end; at != end; ++at) {
    const std::string name = (*at)[1];
    if (name == "c4x") continue;  // what this copy defines is no x with four controls, whatever phases are left free
    const std::size_t angles = (*at)[2].matched ? split((*at)[3].str(), ',').size() : 0;
    const std::size_t qubits = split((*at)[4].str(), ',').size();
    std::string call = "qreg q[" + std::to_string(qubits) + "]; " + name;
    for (std::size_t i = 0; i < angles; ++i)
      call += fmt::format("{}{}", i == 0 ? "(" : ", ", 0.7 - 1.3 * static_cast<double>(i));
    if (angles > 0) call += ")";
    for (std::size_t i = 0; i < qubits; ++i) call += fmt::format("{} q[{}]", i == 0 ? "" : ",", i);
    call += ";";
    const auto theirs = read_circuit("OPENQASM 2.0;\n" + file + call, "theirs");  // over U and CX alone
    const auto ours = read_circuit("OPENQASM 2.0;\ninclude \"qelib1.inc\";\n" + call, "ours");
    ASSERT_THAT(theirs, Succeeds()) << call;
    ASSERT_THAT(ours, Succeeds()) << call;
    Column wanted = unitary_of(*theirs);
    if (name == "c3sqrtx") {
      // The signs of its angles in this copy give the inverse of what the name and today's Qiskit say.
      wanted = unitary_of(theirs->inverse().value());
    }
    EXPECT_LT(distance_up_to_phase(unitary_of(*ours), wanted), 1e-13) << call;
    ++count;
  }
  EXPECT_EQ(count, 34u);
}

TEST_F(PublishedCircuits, circuits_of_qsim_agree_with_a_plain_reading) {
  struct Row {
    const char* file;
    std::uint32_t qubits;
  };
  for (const Row& row : {Row{"circuit_q24", 24}, Row{"circuit_q30", 30}, Row{"circuit_q40", 40}}) {
    const fs::path path = folder_ / "circuits_qsim" / row.file;
    if (!fs::exists(path)) GTEST_SKIP() << path;
    const auto circuit = read_circuit(text_of(path), row.file);
    ASSERT_THAT(circuit, Succeeds());
    EXPECT_EQ(circuit->num_qubits(), row.qubits);
    std::istringstream stream(text_of(path));
    std::string line;
    std::getline(stream, line);
    std::size_t lines = 0;
    std::size_t of_two = 0;
    for (; std::getline(stream, line); ++lines) {
      std::istringstream words(line);
      std::string time;
      std::string name;
      words >> time >> name;
      of_two += name == "fs" ? 2 : name == "cz" ? 1 : 0;  // fs is two gates here
      if (name == "fs") ++lines;
    }
    EXPECT_EQ(circuit->instructions().size(), lines);
    EXPECT_EQ(circuit->count_of(2), of_two);
  }
}

}  // namespace
}  // namespace tandem::format

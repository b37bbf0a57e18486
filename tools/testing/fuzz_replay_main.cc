// tools/testing/fuzz_replay_main.cc - runs a fuzzer without libFuzzer: every corpus file whole, cut short, and with bytes changed.
//
// So each parser's corpus runs in the ordinary tests with every compiler. The changes come from a fixed generator: the same files
// give the same inputs. Usage: fuzz_<part>_<name> CORPUS_FOLDER_OR_FILE... (a missing folder leaves the built-in inputs).
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr std::size_t kCutsPerFileMax = 64;
constexpr int kChangesPerFile = 128;
constexpr std::size_t kChangedFileSizeMax = 1U << 16U;  // larger files are replayed whole only

void run_one(const Bytes& input) {
  const Bytes exact(input);  // capacity == size, so that a sanitizer sees a read one past the end
  (void)LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

std::uint64_t next(std::uint64_t& state) {  // SplitMix64
  std::uint64_t z = (state += 0x9e3779b97f4a7c15U);
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

void run_variants(const Bytes& input, std::uint64_t& state) {
  run_one(input);
  if (input.empty() || input.size() > kChangedFileSizeMax) {
    return;
  }
  const std::size_t step = std::max<std::size_t>(1, input.size() / kCutsPerFileMax);
  for (std::size_t size = 0; size < input.size(); size += step) {
    run_one(Bytes(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(size)));
  }
  for (int change = 0; change < kChangesPerFile; ++change) {
    Bytes changed = input;
    for (std::uint64_t edits = 1 + next(state) % 4; edits > 0; --edits) {
      changed[next(state) % changed.size()] = static_cast<std::uint8_t>(next(state));
    }
    run_one(changed);
  }
}

std::vector<std::filesystem::path> files_of(int argc, char** argv) {
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i) {
    const std::filesystem::path path(argv[i]);
    if (std::filesystem::is_directory(path)) {
      for (const auto& entry : std::filesystem::directory_iterator(path)) {
        files.push_back(entry.path());
      }
    } else if (std::filesystem::exists(path)) {
      files.push_back(path);
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t state = 1;
  for (const char* text : {"", "\n", "{", "[[[[[[[[", "{}", "0", "\"", "\xff\xfe", "1 2 3\n"}) {
    const std::string input(text);
    run_variants(Bytes(input.begin(), input.end()), state);
  }
  const auto files = files_of(argc, argv);
  for (const auto& file : files) {
    std::ifstream stream(file, std::ios::binary);
    run_variants(Bytes(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()), state);
  }
  std::printf("replayed %zu corpus files\n", files.size());
  return 0;
}

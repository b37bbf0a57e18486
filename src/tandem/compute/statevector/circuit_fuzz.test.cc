// Random circuits by seed on the engine with its own tiles, against the plain loop. TANDEM_FUZZ_SEEDS and TANDEM_FUZZ_SECONDS: ./dev fuzz
// statevector.
#include <gtest/gtest.h>

#include "tandem/base/clock.h"
#include "tandem/base/setting.h"
#include "tandem/compute/statevector/testing/circuit_fuzz.h"

namespace tandem::statevector {
namespace {

std::string how_to_replay(std::uint64_t seed) {
  return fmt::format("seed {}; again: ./dev fuzz statevector --seeds {}", seed, seed);
}

/// "7" or "1..2000".
struct Seeds {
  std::uint64_t first = 0;
  std::uint64_t last = 9999;

  static Seeds parse(const std::string& text) {
    Seeds out;
    if (text.empty()) return out;
    const std::size_t dots = text.find("..");
    out.first = std::stoull(text.substr(0, dots));
    out.last = dots == std::string::npos ? out.first : std::stoull(text.substr(dots + 2));
    return out;
  }
};

TEST(CircuitFuzz, circuits_of_these_seeds_are_the_plain_ones) {
  const SystemEnvironment environment;
  const Seeds seeds = Seeds::parse(environment.get("TANDEM_FUZZ_SEEDS"));
  const std::string limit = environment.get("TANDEM_FUZZ_SECONDS");
  const auto seconds = std::chrono::seconds(limit.empty() ? 0 : std::stoll(limit));
  ThreadExecutor executor(2);
  const SystemClock clock;
  const Instant begin = clock.monotonic();
  std::uint64_t done = 0;
  for (std::uint64_t seed = seeds.first;; ++seed) {
    ASSERT_EQ(testing::failure_of_seed(seed, executor), "") << how_to_replay(seed);
    ++done;
    const bool over = seconds.count() != 0 && clock.monotonic() - begin > seconds;
    if (done % 100'000 == 0 || over) fmt::print("{} circuits, the last one of seed {}\n", done, seed);
    if (over || seed == seeds.last) break;
  }
}

TEST(CircuitFuzz, so_are_200_whose_tiles_have_many_runs_of_blocks) {
  ThreadExecutor executor(2);
  for (std::uint64_t i = 0; i < 200; ++i) {
    const std::uint64_t seed = (1'000'000 + i + i / 63) * 64 + 63;  // of 12 to 15 qubits
    Xoshiro256 rng(seed);
    ASSERT_EQ(testing::qubits_of_seed(seed, rng) / 4, 3u);
    ASSERT_EQ(testing::failure_of_seed(seed, executor), "") << how_to_replay(seed);
  }
}

}  // namespace
}  // namespace tandem::statevector

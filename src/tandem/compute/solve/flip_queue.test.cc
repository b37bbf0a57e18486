// The queue of flips against a plain look at all of them.
#include "tandem/compute/solve/flip_queue.h"

#include <gtest/gtest.h>

#include <array>

#include "tandem/base/rng.h"

namespace tandem::solve {
namespace {

constexpr std::size_t kSize = 97;
constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();

/// Numbers of one bucket each, of buckets that hold many, on their borders, and at the ends of the type.
template <class Value>
Value drawn(Xoshiro256& rng, int spread) {
  const auto sign = [&](std::int64_t size) { return static_cast<Value>(rng() >> 63 != 0 ? size : -size); };
  if (spread == 0) return sign(static_cast<std::int64_t>(rng.below(4)));
  if (spread == 1) return sign(static_cast<std::int64_t>(rng.below(40)));
  if (spread == 2) return sign(static_cast<std::int64_t>(rng.below(1'000'000)));
  const auto power = std::int64_t{1} << rng.below(8 * sizeof(Value) - 2);
  return sign(power + static_cast<std::int64_t>(rng.below(3)) - 1);
}

/// Which side each variable is on, and what its flip adds: the queue has nothing else to say.
template <class Value>
struct Plain {
  std::vector<Value> values = std::vector<Value>(kSize);
  std::vector<int> side = std::vector<int>(kSize, -1);

  std::int64_t least(int of) const {
    std::int64_t out = kNone;
    for (std::size_t i = 0; i < kSize; ++i)
      if (side[i] == of) out = std::min<std::int64_t>(out, values[i]);
    return out;
  }
};

template <class Value>
void expect_plain(int spread, std::uint64_t seed) {
  Xoshiro256 rng(seed);
  FlipQueue queue(kSize);
  Plain<Value> plain;
  for (int operation = 0; operation < 20'000; ++operation) {
    if (rng.below(4000) == 0) {
      queue.clear();
      plain.side.assign(kSize, -1);
    }
    const auto i = static_cast<std::uint32_t>(rng.below(kSize));
    const int side = rng.below(3) == 0 ? FlipQueue::kTabu : FlipQueue::kFree;
    if (rng.below(4) != 0) plain.values[i] = drawn<Value>(rng, spread);  // else it may stay where it is
    plain.side[i] = side;
    queue.put(i, static_cast<FlipQueue::Side>(side), plain.values[i]);
    for (const auto asked : {FlipQueue::kFree, FlipQueue::kTabu}) {
      const std::span<const Value> values(plain.values);
      const std::int64_t least = queue.least(asked, values);
      ASSERT_EQ(least, plain.least(asked)) << "operation " << operation << ", spread " << spread;
      if (least == kNone) continue;
      const std::uint32_t one = queue.draw(asked, values, least, rng() >> 32);
      ASSERT_EQ(plain.values[one], least);
      ASSERT_EQ(plain.side[one], asked);
    }
  }
}

TEST(FlipQueue, gives_the_least_of_each_side_after_any_moves) {
  for (int spread = 0; spread < 4; ++spread) {
    expect_plain<std::int32_t>(spread, 1 + static_cast<std::uint64_t>(spread));
    expect_plain<std::int64_t>(spread, 11 + static_cast<std::uint64_t>(spread));
  }
}

TEST(FlipQueue, draws_about_evenly_among_equals) {
  constexpr std::array<std::int32_t, 5> kValues = {-3, 7, -3, -3, -3};
  FlipQueue queue(kValues.size());
  for (std::uint32_t i = 0; i < kValues.size(); ++i) queue.put(i, FlipQueue::kFree, kValues[i]);
  Xoshiro256 rng(5);
  std::array<int, 5> counts{};
  const std::span<const std::int32_t> values(kValues);
  for (int k = 0; k < 4000; ++k)
    ++counts[queue.draw(FlipQueue::kFree, values, queue.least(FlipQueue::kFree, values), rng() >> 32)];
  EXPECT_EQ(counts[1], 0);
  // 1000 each, standard deviation 27: six of them are passed with probability 1e-8 on another seed.
  for (const std::size_t i : {0u, 2u, 3u, 4u}) EXPECT_NEAR(counts[i], 1000, 164);
}

}  // namespace
}  // namespace tandem::solve

// Roof duality against a plain sweep, and its flow against a plain one.
#include "tandem/compute/reduce/roof.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tandem/base/rng.h"
#include "tandem/base/stopped.h"

namespace tandem::reduce {
namespace {

struct Spins {
  std::int64_t offset = 0;
  std::vector<std::int64_t> fields;
  std::vector<RoofTerm> terms;
  std::size_t size() const { return fields.size(); }
  int spin(std::uint64_t index, std::size_t i) const { return ((index >> i) & 1) != 0 ? 1 : -1; }
  std::int64_t energy(std::uint64_t index) const {
    std::int64_t sum = offset;
    for (std::size_t i = 0; i < size(); ++i) sum += fields[i] * spin(index, i);
    for (const RoofTerm& term : terms) sum += term.bias * spin(index, term.u) * spin(index, term.v);
    return sum;
  }
};

Spins random_spins(Xoshiro256& rng, std::size_t n, double density, std::int64_t range, bool any_fields) {
  const auto draw = [&] {
    return static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(2 * range + 1))) - range;
  };
  Spins out{.offset = draw(), .fields = std::vector<std::int64_t>(n), .terms = {}};
  for (std::int64_t& field : out.fields) field = any_fields ? draw() : 0;
  for (std::uint32_t u = 0; u < n; ++u) {
    for (std::uint32_t v = u + 1; v < n; ++v) {
      const std::int64_t bias = draw();
      if (bias != 0 && rng.uniform() < density) out.terms.push_back({u, v, bias});
    }
  }
  return out;
}

Roof solve(const Spins& spins) { return roof_of(spins.offset, spins.fields, spins.terms, {}); }

TEST(Roof, bound_is_at_most_the_optimum_and_persistencies_hold_in_optima) {
  Xoshiro256 rng(1);
  std::size_t strong = 0;
  std::size_t weak = 0;
  for (int round = 0; round < 10'000; ++round) {
    const std::size_t n = rng.below(10);
    const Spins spins =
        random_spins(rng, n, std::array{0.2, 0.4, 1.0}[rng.below(3)], round % 2 == 0 ? 1 : 6, round % 3 != 0);
    std::vector<std::uint64_t> optima;
    std::int64_t optimum = INT64_MAX;
    for (std::uint64_t k = 0; k < (std::uint64_t{1} << n); ++k) {
      const std::int64_t energy = spins.energy(k);
      if (energy < optimum) optima.clear();
      optimum = std::min(optimum, energy);
      if (energy == optimum) optima.push_back(k);
    }
    const Roof roof = solve(spins);
    ASSERT_EQ(roof.state, RoofState::kComplete);
    EXPECT_LE(roof.bound, optimum);
    const auto agrees = [&](std::uint64_t k, Persistency least) {
      for (std::size_t i = 0; i < n; ++i) {
        const Persistency found = roof.persistencies[i];
        const bool counts =
            found == Persistency::kStrong || (found == Persistency::kWeak && least == Persistency::kWeak);
        if (counts && spins.spin(k, i) != roof.values[i]) return false;
      }
      return true;
    };
    EXPECT_TRUE(std::ranges::all_of(optima, [&](std::uint64_t k) { return agrees(k, Persistency::kStrong); }));
    EXPECT_TRUE(std::ranges::any_of(optima, [&](std::uint64_t k) { return agrees(k, Persistency::kWeak); }));
    strong += static_cast<std::size_t>(std::ranges::count(roof.persistencies, Persistency::kStrong));
    weak += static_cast<std::size_t>(std::ranges::count(roof.persistencies, Persistency::kWeak));
    ASSERT_FALSE(testing::Test::HasFailure()) << "round " << round;
  }
  EXPECT_GT(strong, 5'000u);
  EXPECT_GT(weak, 2'000u);
}

TEST(Roof, a_model_without_frustration_is_solved) {
  Xoshiro256 rng(2);
  for (int round = 0; round < 2'000; ++round) {
    const std::size_t n = 1 + rng.below(10);
    Spins spins = random_spins(rng, n, 0.5, 5, round % 4 != 0);
    std::vector<int> signs(n);
    for (int& sign : signs) sign = rng.below(2) == 0 ? 1 : -1;
    for (RoofTerm& term : spins.terms) term.bias = -std::abs(term.bias) * signs[term.u] * signs[term.v];
    std::int64_t optimum = INT64_MAX;
    for (std::uint64_t k = 0; k < (std::uint64_t{1} << n); ++k) optimum = std::min(optimum, spins.energy(k));
    const Roof roof = solve(spins);
    EXPECT_EQ(roof.bound, optimum);
    std::uint64_t index = 0;
    for (std::size_t i = 0; i < n; ++i) {
      EXPECT_NE(roof.persistencies[i], Persistency::kNone);
      if (roof.values[i] > 0) index |= std::uint64_t{1} << i;
    }
    EXPECT_EQ(spins.energy(index), optimum);
  }
}

TEST(Roof, integers_at_its_limit_stay_exact) {
  const std::int64_t large = kRoofMagnitudeMax / 4;
  const std::vector<std::int64_t> fields{large, large - 2};
  const std::vector<RoofTerm> terms{{0, 1, large - 1}};
  const Roof roof = roof_of(0, fields, terms, {});
  EXPECT_EQ(roof.bound, -large - 1);  // -large + (large - 2) - (large - 1) is the least of four
  EXPECT_EQ(roof.values, (std::vector<std::int8_t>{-1, 1}));
}

TEST(Roof, without_variables_it_has_a_bound_and_stopped_it_throws) {
  EXPECT_EQ(roof_of(7, {}, {}, {}).bound, 7);
  std::stop_source stop;
  stop.request_stop();
  Xoshiro256 rng(3);
  const Spins spins = random_spins(rng, 60, 0.2, 9, true);
  EXPECT_THROW(roof_of(spins.offset, spins.fields, spins.terms, stop.get_token()), Stopped);
}

/// Augmenting along any path, breadth first, on a matrix.
std::int64_t plain_flow(std::vector<std::vector<std::int64_t>> room, std::size_t source, std::size_t sink) {
  std::int64_t value = 0;
  while (true) {
    std::vector<std::size_t> from(room.size(), SIZE_MAX);
    std::vector<std::size_t> queue{source};
    from[source] = source;
    for (std::size_t k = 0; k < queue.size(); ++k) {
      for (std::size_t v = 0; v < room.size(); ++v) {
        if (from[v] != SIZE_MAX || room[queue[k]][v] == 0) continue;
        from[v] = queue[k];
        queue.push_back(v);
      }
    }
    if (from[sink] == SIZE_MAX) return value;
    std::int64_t amount = INT64_MAX;
    for (std::size_t v = sink; v != source; v = from[v]) amount = std::min(amount, room[from[v]][v]);
    for (std::size_t v = sink; v != source; v = from[v]) {
      room[from[v]][v] -= amount;
      room[v][from[v]] += amount;
    }
    value += amount;
  }
}

TEST(MaxFlow, has_the_value_of_a_plain_flow_and_of_its_cut) {
  Xoshiro256 rng(4);
  for (int round = 0; round < 1'000; ++round) {
    const std::size_t n = 1 + rng.below(40);
    std::vector<std::vector<std::int64_t>> room(n + 2, std::vector<std::int64_t>(n + 2));
    std::vector<std::int64_t> supplies(n);
    std::vector<MaxFlow::Edge> edges;
    for (std::size_t i = 0; i < n; ++i) {
      if (rng.below(3) == 0) supplies[i] = static_cast<std::int64_t>(rng.below(41)) - 20;
      (supplies[i] > 0 ? room[n][i] : room[i][n + 1]) = std::abs(supplies[i]);
    }
    for (std::size_t k = rng.below(4 * n); k-- > 0;) {
      const auto u = static_cast<std::uint32_t>(rng.below(n));
      const auto v = static_cast<std::uint32_t>(rng.below(n));
      if (u == v) continue;
      edges.push_back({u, v, static_cast<std::int64_t>(rng.below(9))});
      room[u][v] += edges.back().capacity;
      room[v][u] += edges.back().capacity;
    }
    MaxFlow flow(supplies, edges);
    ASSERT_TRUE(flow.run(UINT64_MAX / 2, {}));
    EXPECT_EQ(flow.value(), plain_flow(room, n, n + 1));
    const std::vector<bool> reached = flow.reached_by_source();
    const std::vector<bool> reaching = flow.reaching_sink();
    for (const bool source_side : {true, false}) {
      std::int64_t cut = 0;
      const auto near = [&](std::size_t i) { return source_side ? bool{reached[i]} : !reaching[i]; };
      for (std::size_t i = 0; i < n; ++i) {
        if (supplies[i] > 0 && !near(i)) cut += supplies[i];
        if (supplies[i] < 0 && near(i)) cut -= supplies[i];
      }
      for (const MaxFlow::Edge& edge : edges) cut += near(edge.u) != near(edge.v) ? edge.capacity : 0;
      EXPECT_EQ(cut, flow.value());
    }
  }
}

TEST(MaxFlow, broken_off_it_has_at_most_the_whole_value) {
  Xoshiro256 rng(5);
  const std::uint32_t side = 60;
  std::vector<std::int64_t> supplies(side * side);
  for (std::int64_t& supply : supplies) supply = static_cast<std::int64_t>(rng.below(201)) - 100;
  std::vector<MaxFlow::Edge> edges;
  for (std::uint32_t i = 0; i + side < side * side; ++i) {
    edges.push_back({i, i + side, static_cast<std::int64_t>(rng.below(60))});
    if (i % side != side - 1) edges.push_back({i, i + 1, static_cast<std::int64_t>(rng.below(60))});
  }
  MaxFlow whole(supplies, edges);
  MaxFlow broken(supplies, edges);
  ASSERT_TRUE(whole.run(UINT64_MAX / 2, {}));
  EXPECT_FALSE(broken.run(1, {}));
  EXPECT_LE(broken.value(), whole.value());
  EXPECT_LT(broken.work(), whole.work());
}

}  // namespace
}  // namespace tandem::reduce

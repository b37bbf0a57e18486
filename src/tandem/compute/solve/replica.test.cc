// Annealing of replicas side by side: its kernels against a plain walk, its lanes at their limits, its parts against all mixtures.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "tandem/base/executor.h"
#include "tandem/compute/solve/replica_search.h"
#include "tandem/model/problem/testing/random_models.h"

namespace tandem::solve {
namespace {

using problem::Assignment;
using problem::Bqm;
using problem::QuadraticTerm;
using problem::Vartype;

constexpr std::uint64_t kPlenty = std::uint64_t{1} << 30;

SearchModel search_model(const Bqm& bqm, simd::Isa isa = simd::best_isa()) {
  return SearchModel::create(bqm, kPlenty, isa).value();
}

/// A hub 0 whose field goes from 0 to `field_max`, and leaves that are coupled to nothing else.
Bqm star(std::int64_t field_max, std::uint32_t leaves) {
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t leaf = 1; leaf <= leaves; ++leaf) {
    const std::int64_t share = field_max / leaves + (leaf <= field_max % leaves ? 1 : 0);
    terms.push_back({0, leaf, static_cast<double>(share)});
  }
  std::vector<double> linear(leaves + 1, -1);
  linear[0] = 0;
  return Bqm::create(Vartype::kBinary, std::move(linear), std::move(terms), 0).value();
}

/// A cycle of spins with couplings `weight` of alternating sign.
Bqm ring(std::uint32_t n, double weight) {
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t i = 0; i < n; ++i) {
    terms.push_back({std::min(i, (i + 1) % n), std::max(i, (i + 1) % n), i % 2 == 0 ? weight : -weight});
  }
  return Bqm::create(Vartype::kSpin, std::vector<double>(n), std::move(terms), 0).value();
}

struct Named {
  std::string name;
  Bqm bqm;
};

std::vector<Named> models_of_all_kinds() {
  const std::vector<double> none(12);
  std::vector<QuadraticTerm> all_equal;
  std::vector<QuadraticTerm> wild;
  Xoshiro256 rng(7);
  for (std::uint32_t u = 0; u < 12; ++u) {
    for (std::uint32_t v = u + 1; v < 12; ++v) {
      all_equal.push_back({u, v, 1});
      wild.push_back({u, v, static_cast<double>(rng.below(2'000'001)) - 1'000'000});
    }
  }
  std::vector<Named> out = {
      {"one variable", Bqm::create(Vartype::kBinary, {-3}, {}, 1).value()},
      {"one spin that does not matter", Bqm::create(Vartype::kSpin, {0}, {}, 0).value()},
      {"two variables", Bqm::create(Vartype::kBinary, {1, 1}, {{0, 1, -3}}, 0).value()},
      {"zero weights", Bqm::create(Vartype::kBinary, none, {{0, 1, 0}, {3, 4, 0}}, 2).value()},
      {"disconnected", Bqm::create(Vartype::kSpin, {0, 0, 1, 0, 0, -2}, {{0, 1, 1}, {3, 4, -2}}, 0).value()},
      {"all equal", Bqm::create(Vartype::kSpin, none, all_equal, 0).value()},
      {"wild weights", Bqm::create(Vartype::kSpin, none, wild, 0).value()},
      {"fractions", Bqm::create(Vartype::kBinary, {0.25, -1.5, 0.1}, {{0, 1, 0.75}, {1, 2, -0.3}}, 0).value()},
      {"beyond 32 bits", Bqm::create(Vartype::kBinary, {-1e12, 1, 3}, {{0, 1, -1}, {0, 2, 2e12}}, 0).value()},
      {"16 bits full", star(INT16_MAX, 15)},
      {"16 bits passed", star(INT16_MAX + 1, 15)},
      {"a coupling of 16 bits", Bqm::create(Vartype::kBinary, {-20001, -19999}, {{0, 1, 40000}}, 0).value()},
      {"32 bits full", star(SearchModel::kFieldMax, 15)},
      {"32 bits passed", star(SearchModel::kFieldMax + 1, 15)},
      {"ring", ring(20, 3)},
  };
  for (const Vartype vartype : {Vartype::kBinary, Vartype::kSpin}) {
    for (std::uint32_t n = 1; n <= 18; ++n) {
      for (const double density : {0.15, 1.0}) {
        out.push_back({fmt::format("random {} {}", n, density), problem::random_bqm(vartype, n, density, n)});
      }
    }
  }
  return out;
}

std::vector<ReplicaBits> random_bits(std::size_t n, std::uint64_t seed) {
  Xoshiro256 rng(seed);
  std::vector<ReplicaBits> out(n);
  for (ReplicaBits& one : out) {
    for (std::int8_t& high : one.high) high = static_cast<std::int8_t>(-(rng() >> 63));
  }
  return out;
}

Assignment replica(const std::vector<ReplicaBits>& bits, std::size_t r) {
  Assignment out;
  for (const ReplicaBits& one : bits) out.push_back(static_cast<std::int8_t>(-one.high[r]));
  return out;
}

/// What a flip of `i` adds, from the energy alone.
std::int64_t flip_energy(const SearchModel& model, Assignment bits, std::size_t i) {
  const std::int64_t before = model.energy(bits);
  bits[i] ^= 1;
  return model.energy(bits) - before;
}

/// The kernel's visit, one replica and one variable at a time.
template <class Field>
bool plain_visit(const SearchModel& model, std::vector<ReplicaBits>& bits, const std::vector<Field>& thresholds,
                 std::uint64_t& random) {
  bool any = false;
  for (std::size_t i = 0; i < bits.size(); ++i) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    for (std::size_t r = 0; r < kReplicas; ++r) {
      if (flip_energy(model, replica(bits, r), i) > thresholds[(random >> 52) + r]) continue;
      bits[i].high[r] = static_cast<std::int8_t>(-1 - bits[i].high[r]);
      any = true;
    }
  }
  return any;
}

/// The kernel's tempering, one replica and one variable at a time.
template <class Field>
void plain_temper(const SearchModel& model, std::vector<ReplicaBits>& bits, const float* exponentials,
                  const std::array<float, kReplicas>& temperatures, std::uint64_t& random) {
  std::vector<Field> thresholds(kThresholds + kReplicas);
  std::vector<ReplicaBits> all = bits;
  const std::uint64_t first = random;
  for (std::size_t r = 0; r < kReplicas; ++r) {
    for (std::size_t k = 0; k < thresholds.size(); ++k) {
      const double wanted = std::min(static_cast<double>(temperatures[r] * exponentials[k]),
                                     sizeof(Field) == 2 ? INT16_MAX : static_cast<double>(1 << 30));
      thresholds[k] = static_cast<Field>(wanted);
    }
    std::vector<ReplicaBits> own = all;
    random = first;
    plain_visit(model, own, thresholds, random);
    for (std::size_t i = 0; i < bits.size(); ++i) bits[i].high[r] = own[i].high[r];
  }
}

template <class Field>
void expect_plain(const Named& one, const ReplicaKernels<Field>& kernels, const ReplicaModel& model, simd::Isa isa) {
  const SearchModel& search = model.search_model();
  std::vector<ReplicaBits> bits = random_bits(model.size(), 3);
  std::vector<ReplicaBits> expected = bits;
  std::uint64_t random = 88172645463325252;
  std::uint64_t expected_random = random;
  const double scale = measure_temperatures(search).hot;
  for (const double share : {1.0, 0.2, 0.0}) {
    std::vector<Field> thresholds(kThresholds + kReplicas, -1);
    if (share > 0) {
      const auto temperature = static_cast<float>(share * scale);
      kernels.cool(model.exponentials() + 77, temperature, thresholds.data());
      for (std::size_t k = 0; k < thresholds.size(); ++k) {
        const double wanted = std::min(static_cast<double>(temperature * model.exponentials()[77 + k]),
                                       sizeof(Field) == 2 ? INT16_MAX : static_cast<double>(1 << 30));
        ASSERT_EQ(thresholds[k], static_cast<Field>(wanted)) << one.name;
      }
    }
    ReplicaWalk walk = model.start();
    bool any = false;
    for (std::size_t end = 0; end < model.size();) {  // in pieces
      end = std::min(model.size(), 2 * end + 1);
      any |= kernels.visit(walk, end, bits.data(), thresholds.data(), random);
    }
    const bool expected_any = plain_visit(search, expected, thresholds, expected_random);
    ASSERT_EQ(any, expected_any) << one.name << ", " << to_string(isa);
    ASSERT_EQ(random, expected_random);
    for (std::size_t r = 0; r < kReplicas; ++r) {
      ASSERT_EQ(replica(bits, r), replica(expected, r)) << one.name << ", " << to_string(isa) << ", replica " << r;
    }
  }
  std::array<std::int64_t, kReplicas> energies{};
  ReplicaWalk walk = model.start();
  kernels.score(walk, model.size(), bits.data(), energies.data());
  for (std::size_t r = 0; r < kReplicas; ++r) {
    ASSERT_EQ(energies[r], 2 * search.energy(replica(bits, r))) << one.name << ", " << to_string(isa);
    energies[r] /= 2;
  }
  std::array<float, kReplicas> temperatures{};
  for (std::size_t r = 1; r < kReplicas; ++r) temperatures[r] = static_cast<float>(scale * static_cast<double>(r) / 16);
  walk = model.start();
  kernels.temper(walk, model.size(), bits.data(), model.exponentials(), temperatures.data(), random, energies.data());
  plain_temper<Field>(search, expected, model.exponentials(), temperatures, expected_random);
  ASSERT_EQ(random, expected_random);
  for (std::size_t r = 0; r < kReplicas; ++r) {
    ASSERT_EQ(replica(bits, r), replica(expected, r)) << one.name << ", " << to_string(isa) << ", replica " << r;
    EXPECT_EQ(energies[r], search.energy(replica(bits, r))) << one.name << ", " << to_string(isa);
  }
}

TEST(ReplicaKernels, walk_as_one_replica_after_the_other_does) {
  const simd::KernelTables<AllReplicaKernels> tables = {&portable::kReplicaKernels, &avx2::kReplicaKernels,
                                                        &avx512::kReplicaKernels};
  for (const Named& one : models_of_all_kinds()) {
    const SearchModel search = search_model(one.bqm);
    if (!ReplicaModel::fits(search)) continue;
    const ReplicaModel model(search);
    for (const simd::Isa isa : simd::runnable_isas()) {
      if (model.narrow()) expect_plain(one, simd::kernels_for(tables, isa).narrow, model, isa);
      expect_plain(one, simd::kernels_for(tables, isa).wide, model, isa);
    }
  }
}

TEST(ReplicaKernels, count_more_neighbours_than_a_byte_does) {
  // 300 leaves of equal weight: the field of the hub is the number of high ones.
  const SearchModel search = search_model(star(300, 300));
  const ReplicaModel model(search);
  const std::vector<ReplicaBits> bits(301, [] {
    ReplicaBits one{};
    std::ranges::fill(one.high, std::int8_t{-1});
    return one;
  }());
  std::array<std::int64_t, kReplicas> twice{};
  ReplicaWalk walk = model.start();
  portable::kReplicaKernels.narrow.score(walk, model.size(), bits.data(), twice.data());
  EXPECT_THAT(twice, testing::Each(2 * (300 - 300)));
}

TEST(ReplicaModel, takes_the_narrowest_lanes_that_hold_every_field) {
  const auto narrow = [](const Bqm& bqm) {
    const SearchModel search = search_model(bqm);
    return ReplicaModel(search).narrow();
  };
  const auto fits = [](const Bqm& bqm) { return ReplicaModel::fits(search_model(bqm)); };
  EXPECT_TRUE(narrow(star(INT16_MAX, 15)));
  EXPECT_FALSE(narrow(star(INT16_MAX + 1, 15)));
  // From -20000 to 20000: what counts is the field, not the sum of all weights.
  EXPECT_TRUE(narrow(Bqm::create(Vartype::kBinary, {-20001, -19999}, {{0, 1, 40000}}, 0).value()));
  EXPECT_FALSE(narrow(Bqm::create(Vartype::kBinary, {-40000, 3}, {{0, 1, 40000}}, 0).value()));
  EXPECT_TRUE(fits(star(SearchModel::kFieldMax, 15)));
  EXPECT_FALSE(fits(star(SearchModel::kFieldMax + 1, 15)));
}

TEST(ReplicaModel, knows_whether_the_opposite_is_as_good) {
  const auto symmetric = [](const Bqm& bqm) {
    const SearchModel search = search_model(bqm);
    return ReplicaModel(search).symmetric();
  };
  EXPECT_TRUE(symmetric(ring(8, 2)));
  EXPECT_FALSE(symmetric(star(8, 3)));
  EXPECT_FALSE(symmetric(Bqm::create(Vartype::kSpin, {0, 1}, {{0, 1, 1}}, 0).value()));
}

/// Runs `search` for some generations of a small model, and returns what it found.
Archive search_for(const ReplicaModel& model, ReplicaSearchOptions options, std::uint64_t units) {
  options.temperatures = measure_temperatures(model.search_model());
  ReplicaSearch search(model, std::move(options));
  ThreadExecutor executor(1);
  const SolveContext context{executor, {}, {}, 1};
  const WorkLimit unlimited;
  Race race({.objective = [](std::int64_t energy) { return static_cast<double>(energy); }}, unlimited, context);
  search.advance(units, Watch(race, 0));
  Archive out(4);
  search.collect(out);
  return out;
}

TEST(ReplicaSearch, finds_every_optimum_of_small_models) {
  for (const Named& one : models_of_all_kinds()) {
    const SearchModel search = search_model(one.bqm);
    if (!ReplicaModel::fits(search)) continue;
    std::int64_t least = INT64_MAX;
    problem::for_each_assignment(Vartype::kBinary, search.size(),
                                 [&](const Assignment& bits) { least = std::min(least, search.energy(bits)); });
    const ReplicaModel model(search);
    const Archive found = search_for(model, {.seed = 5}, 5000 * search.size());
    ASSERT_FALSE(found.empty());
    EXPECT_EQ(found.candidates().front().energy, least) << one.name;
    for (const Candidate& candidate : found.candidates()) {
      EXPECT_EQ(candidate.energy, search.energy(candidate.bits)) << one.name;
    }
  }
}

TEST(ReplicaSearch, has_something_after_its_first_step_and_keeps_a_start) {
  const SearchModel search = search_model(problem::random_bqm(Vartype::kSpin, 300, 0.03, 9));
  const ReplicaModel model(search);
  const Archive first = search_for(model, {.seed = 1}, 1);
  ASSERT_FALSE(first.empty());
  EXPECT_EQ(first.candidates().front().energy, search.energy(first.candidates().front().bits));

  const Candidate good = search_for(model, {.seed = 1}, 20000 * search.size()).candidates().front();
  for (const std::uint64_t units : {std::uint64_t{1}, std::uint64_t{1000} * search.size()}) {
    const Archive kept = search_for(model, {.seed = 2, .starts = {good.bits}}, units);
    EXPECT_LE(kept.candidates().front().energy, good.energy);
  }
}

TEST(ReplicaSearch, a_candidate_from_elsewhere_takes_part) {
  const SearchModel search = search_model(problem::random_bqm(Vartype::kSpin, 300, 0.03, 9));
  const ReplicaModel model(search);
  const Candidate good = search_for(model, {.seed = 1}, 20000 * search.size()).candidates().front();
  ReplicaSearch other(model, {.seed = 2, .sweeps_first = 1, .temperatures = measure_temperatures(search)});
  ThreadExecutor executor(1);
  const SolveContext context{executor, {}, {}, 1};
  const WorkLimit unlimited;
  Race race({.objective = [](std::int64_t energy) { return static_cast<double>(energy); }}, unlimited, context);
  // Past the first anneal of four sweeps and the crossings behind it.
  other.advance(250 * search.size(), Watch(race, 0));
  ASSERT_GT(other.best_energy(), good.energy);
  other.offer(good);
  other.advance(1000 * search.size(), Watch(race, 0));
  EXPECT_LE(other.best_energy(), good.energy);
}

/// The best of all ways to take each component of the difference from either parent.
std::int64_t best_mixture(const SearchModel& search, const Bqm& bqm, const Assignment& a, const Assignment& b) {
  std::vector<std::size_t> root(a.size());
  std::iota(root.begin(), root.end(), 0);
  const auto find = [&](std::size_t i) {
    while (root[i] != i) i = root[i];
    return i;
  };
  for (const QuadraticTerm& term : bqm.terms()) {
    if (a[term.u] != b[term.u] && a[term.v] != b[term.v] && term.bias != 0) root[find(term.u)] = find(term.v);
  }
  std::map<std::size_t, std::size_t> places;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) places.emplace(find(i), places.size());
  }
  std::int64_t best = INT64_MAX;
  for (std::uint64_t taken = 0; taken < std::uint64_t{1} << places.size(); ++taken) {
    Assignment child = a;
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (a[i] != b[i] && (taken >> places[find(i)] & 1) != 0) child[i] = b[i];
    }
    best = std::min(best, search.energy(child));
  }
  return best;
}

TEST(ComponentCrossing, gives_the_best_mixture_of_components) {
  ThreadExecutor executor(1);
  const SolveContext context{executor, {}, {}, 1};
  const WorkLimit unlimited;
  Race race({}, unlimited, context);
  const Watch watch(race, 0);
  Xoshiro256 rng(12);
  for (int round = 0; round < 300; ++round) {
    const auto n = static_cast<std::uint32_t>(1 + rng.below(90));
    const double density = round % 3 == 0 ? 1.0 : 2.5 / n;
    const Bqm bqm = problem::random_bqm(round % 2 == 0 ? Vartype::kSpin : Vartype::kBinary, n, density, rng());
    const SearchModel search = search_model(bqm);
    Assignment a(n);
    Assignment b(n);
    for (std::size_t i = 0; i < n; ++i) {
      a[i] = static_cast<std::int8_t>(rng.below(2));
      b[i] = rng.below(8) == 0 ? static_cast<std::int8_t>(rng.below(2)) : a[i];
    }
    ComponentCrossing crossing(search);
    const std::int64_t best = best_mixture(search, bqm, a, b);
    Assignment child = a;
    const auto gain = crossing.improve(child, b, false, watch);
    EXPECT_EQ(search.energy(child), best);
    EXPECT_EQ(search.energy(a) + gain.value(), best);
    // What the opposite gives beside it is the best mixture of what has come of the first with that.
    Assignment opposite = b;
    for (std::int8_t& bit : opposite) bit ^= 1;
    const std::int64_t better = best_mixture(search, bqm, child, opposite);
    Assignment again = a;
    EXPECT_EQ(search.energy(a) + crossing.improve(again, b, true, watch).value(), better);
    EXPECT_EQ(search.energy(again), better);
  }
}

}  // namespace
}  // namespace tandem::solve

// Each kernel of the tables, called by itself, against a plain loop: every bit position, number of turns, axis, kind of coefficients,
// instruction set and precision. And the same bytes from every set. Not here: what plans make of them (plan.test.cc).
#include <gtest/gtest.h>

#include <numeric>
#include <optional>

#include "tandem/compute/statevector/both_turns.h"
#include "tandem/compute/statevector/ising_model.h"
#include "tandem/compute/statevector/run_plan.h"
#include "tandem/compute/statevector/signed_sums.h"
#include "tandem/compute/statevector/testing/both_checks.h"
#include "tandem/compute/statevector/testing/dense_checks.h"
#include "tandem/compute/statevector/testing/every_isa.h"
#include "tandem/compute/statevector/testing/ising_checks.h"
#include "tandem/compute/statevector/testing/kernel_checks.h"
#include "tandem/compute/statevector/testing/pauli_checks.h"
#include "tandem/compute/statevector/testing/random_circuit.h"

namespace tandem::statevector {
namespace {

using testing::Verdict;

struct Check {
  const char* name;
  std::size_t cases_min;  ///< that nobody thins the table out unseen
  Verdict (*narrow)(simd::Isa isa);
  Verdict (*wide)(simd::Isa isa);
};

template <class Real, Verdict (*kCheck)(const TileKernels<Real>&)>
Verdict of_tiles(simd::Isa isa) {
  return kCheck(tile_kernels<Real>(isa));
}
template <class Real, Verdict (*kCheck)(const PauliKernels<Real>&)>
Verdict of_paulis(simd::Isa isa) {
  return kCheck(pauli_kernels<Real>(isa));
}
template <class Real, Verdict (*kCheck)(const IsingKernels<Real>&)>
Verdict of_ising(simd::Isa isa) {
  return kCheck(*kernels_of<Real>(isa).ising);
}
template <class Real>
Verdict readings(simd::Isa isa) {
  return testing::check_readings<Real>(pauli_kernels<Real>(isa));
}
template <class Real>
Verdict sums(simd::Isa isa) {
  return testing::check_sums(pauli_kernels<Real>(isa).sums);
}

template <class Real>
Verdict dense(simd::Isa isa) {
  return testing::check_dense<Real>(tile_kernels<Real>(isa));
}
template <class Real>
Verdict both(simd::Isa isa) {
  return testing::check_both<Real>(both_kernels<Real>(isa));
}

const Check kChecks[] = {
    {"turns", 500, &of_tiles<float, testing::check_turns<float>>, &of_tiles<double, testing::check_turns<double>>},
    {"turns_on_lanes", 1000, &of_tiles<float, testing::check_lanes<float>>,
     &of_tiles<double, testing::check_lanes<double>>},
    {"turns_of_mirrored_places", 60, &of_tiles<float, testing::check_mirror<float>>,
     &of_tiles<double, testing::check_mirror<double>>},
    {"pairs", 500, &of_tiles<float, testing::check_pairs<float>>, &of_tiles<double, testing::check_pairs<double>>},
    {"tables_of_phases", 3, &of_tiles<float, testing::check_tables<float>>,
     &of_tiles<double, testing::check_tables<double>>},
    {"dense_gates", 80, &dense<float>, &dense<double>},
    {"turns_of_two_states", 150, &both<float>, &both<double>},
    {"turns_that_are_alike", 270, &of_ising<float, testing::check_alike<float>>,
     &of_ising<double, testing::check_alike<double>>},
    {"phases_of_leaves", 1404, &of_ising<float, testing::check_leaves<float>>,
     &of_ising<double, testing::check_leaves<double>>},
    {"overlaps_and_images", 10'000, &of_paulis<float, testing::check_images<float>>,
     &of_paulis<double, testing::check_images<double>>},
    {"sums", 3000, &sums<float>, &sums<double>},
    {"readings", 250, &readings<float>, &readings<double>},
};

class Kernel : public ::testing::TestWithParam<std::tuple<std::size_t, simd::Isa>> {
 protected:
  const Check& check() const { return kChecks[std::get<0>(GetParam())]; }
  simd::Isa isa() const { return std::get<1>(GetParam()); }
};

TEST_P(Kernel, is_the_plain_loop_and_gives_the_bytes_of_the_portable_set) {
  TANDEM_SKIP_WHERE_NOT_RUNNABLE(isa());
  const auto expect = [&](Verdict (*verdict_of)(simd::Isa), double tolerance, const char* precision) {
    const Verdict verdict = verdict_of(isa());
    EXPECT_LT(verdict.worst, tolerance) << precision << ", " << verdict.where;
    EXPECT_GE(verdict.cases, check().cases_min) << precision;
    EXPECT_EQ(verdict.digest, verdict_of(simd::Isa::kPortable).digest) << precision;
  };
  expect(check().narrow, testing::kKernelTolerance<float>, "float");
  expect(check().wide, testing::kKernelTolerance<double>, "double");
}

INSTANTIATE_TEST_SUITE_P(Statevector, Kernel,
                         ::testing::Combine(::testing::Range(std::size_t{0}, std::size(kChecks)),
                                            ::testing::ValuesIn(testing::kEveryIsa)),
                         [](const auto& row) {
                           return fmt::format("{}_{}", kChecks[std::get<0>(row.param)].name,
                                              simd::to_string(std::get<1>(row.param)));
                         });

// ---- the work that is made of kernels, on tiles that have only a part of the bits

/// Bits of a tile, and two outside of it.
template <class Real>
struct Place {
  static constexpr std::uint32_t kInside = kLaneBits<Real> + 7;
  static constexpr std::uint32_t kBits = kInside + 2;
  std::vector<std::uint32_t> position = [] {
    std::vector<std::uint32_t> out(kBits, kOutside);
    std::iota(out.begin(), out.begin() + kInside, 0u);
    return out;
  }();
  TileBits tile_bits = [] {
    TileBits out(kInside);
    std::iota(out.begin(), out.end(), 0u);
    return out;
  }();
};

/// Every gate of the table that is no turn, with its qubits on every two places of the tile (the third one at random), and controls outside.
template <class Real>
Verdict check_gates(simd::Isa isa) {
  using P = Place<Real>;
  const P place;
  Verdict out;
  Xoshiro256 rng(10);
  for (const circuit::GateRecord& record : circuit::gate_table()) {
    if ((record.flags & circuit::kUnitary) == 0 || record.num_qubits < 2) continue;
    for (std::uint32_t a = 0; a < P::kBits; ++a) {
      for (std::uint32_t b = 0; b < P::kBits; ++b) {
        if (a == b) continue;
        circuit::Instruction instruction{.gate = record.gate, .qubits = {a, b, 0}};
        do instruction.qubits[2] = static_cast<std::uint32_t>(rng.below(P::kBits));
        while (instruction.qubits[2] == a || instruction.qubits[2] == b);
        for (std::size_t k = 0; k < record.num_parameters; ++k) instruction.angles[k] = testing::random_angle(rng);
        const PreparedGate gate = prepare(instruction, {});
        if (gate.mixing >> P::kInside != 0) continue;  // such a tile is not made
        TileGate<Real> work(gate, place.position);
        work.bind(gate);
        const std::uint64_t base = rng.below(4) << P::kInside;
        testing::Tile<Real> tile(std::uint64_t{1} << 7, rng);
        // Amplitudes whose two bits outside are those of `base`; no gate here mixes those.
        const testing::Places old = tile.places();
        testing::Places wanted(old.size());
        std::vector<double> angles;
        for (std::size_t k = 0; k < record.num_parameters; ++k) angles.push_back(instruction.angles[k].value({}));
        const std::vector<testing::Amplitude> matrix = circuit::gate_unitary(record.gate, angles);
        const std::size_t dimension = std::size_t{1} << record.num_qubits;
        for (std::uint64_t z = 0; z < old.size(); ++z) {
          std::size_t column = 0;
          for (std::size_t k = 0; k < record.num_qubits; ++k) column |= ((z | base) >> instruction.qubits[k] & 1) << k;
          for (std::size_t row = 0; row < dimension; ++row) {
            const testing::Amplitude entry = matrix[row * dimension + column];
            std::uint64_t to = z | base;
            for (std::size_t k = 0; k < record.num_qubits; ++k) {
              to &= ~(std::uint64_t{1} << instruction.qubits[k]);
              to |= (row >> k & 1) << instruction.qubits[k];
            }
            if (std::abs(entry) < 1e-15) continue;
            wanted.at(to ^ base) += entry * old[z];  // outside of the tile there would be no such place
          }
        }
        work.apply(tile.data(), tile.num_blocks(), base, tile_kernels<Real>(isa));
        out.compare(tile, wanted,
                    fmt::format("{} on {} {} {}, base {}", record.name, a, b, instruction.qubits[2], base));
      }
    }
  }
  return out;
}

/// Phases by the parity of any bits, among the lanes, within a run, above it and outside.
template <class Real>
Verdict check_parities(simd::Isa isa) {
  using P = Place<Real>;
  const P place;
  Verdict out;
  Xoshiro256 rng(12);
  for (int round = 0; round < 300; ++round) {
    const std::uint64_t bits = 1 + rng.below((std::uint64_t{1} << P::kBits) - 1);
    const testing::Amplitude factor = std::polar(1.0, (2 * rng.uniform() - 1) * 7);
    auto work = TileGate<Real>::of_parity(bits, place.position);
    work.bind_parity(factor);
    const std::uint64_t base = rng.below(4) << P::kInside;
    testing::Tile<Real> tile(round % 2 == 0 ? std::uint64_t{1} << 7 : 2, rng);
    testing::Places wanted = tile.places();
    for (std::uint64_t z = 0; z < wanted.size(); ++z)
      if (std::popcount((z | base) & bits) % 2 != 0) wanted[z] *= factor;
    work.apply(tile.data(), tile.num_blocks(), base, tile_kernels<Real>(isa));
    out.compare(tile, wanted, fmt::format("parity of {:b}, base {}", bits, base));
  }
  return out;
}

/// Groups of phases of one and two bits, anywhere, with a scale.
template <class Real>
Verdict check_phases(simd::Isa isa) {
  using P = Place<Real>;
  const P place;
  Verdict out;
  Xoshiro256 rng(11);
  for (int round = 0; round < 150; ++round) {
    PhaseGroup<Real> group(P::kBits);
    std::vector<Step> steps(rng.below(25));
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const std::uint64_t a = std::uint64_t{1} << rng.below(P::kBits), b = std::uint64_t{1} << rng.below(P::kBits);
      const double angle =
          rng.below(5) == 0 ? std::numbers::pi / 2 * static_cast<double>(rng.below(4)) : (2 * rng.uniform() - 1) * 7;
      steps[i] = {.kind = Step::Kind::kPhase, .touched = a | b, .factor = std::polar(1.0, angle)};
      group.add(a | b, static_cast<std::uint32_t>(i));
    }
    group.arrange(place.tile_bits);
    const double scale = round % 3 == 0 ? 1 : 0.5 + rng.uniform();
    group.bind(steps, scale, tile_kernels<Real>(isa));
    const std::uint64_t base = rng.below(4) << P::kInside;
    testing::Tile<Real> tile(std::uint64_t{1} << 7, rng);
    testing::Places wanted = tile.places();
    for (std::uint64_t z = 0; z < wanted.size(); ++z) {
      wanted[z] *= scale;
      for (const Step& step : steps)
        if (((z | base) & step.touched) == step.touched) wanted[z] *= step.factor;
    }
    alignas(64) std::array<Real, PhaseGroup<Real>::kScratch> scratch;
    const TileKernels<Real>& kernels = tile_kernels<Real>(isa);
    group.for_leaves(base, scratch.data(), kernels, [&](const PhaseLeaf<Real>& leaf) {
      constexpr std::uint64_t kBlocks = std::uint64_t{1} << (kRunBits<Real> - kLaneBits<Real>);
      kernels.turn_lanes(tile.data() + 2 * leaf.place, kBlocks, nullptr, 0, leaf.phases, nullptr);
    });
    out.compare(tile, wanted, fmt::format("round {}", round));
  }
  return out;
}

class WorkOfKernels : public ::testing::TestWithParam<simd::Isa> {};

TEST_P(WorkOfKernels, every_gate_of_pairs_on_every_two_places_of_a_tile) {
  TANDEM_SKIP_WHERE_NOT_RUNNABLE(GetParam());
  const Verdict narrow = check_gates<float>(GetParam());
  EXPECT_LT(narrow.worst, 1e-6) << narrow.where;
  const Verdict wide = check_gates<double>(GetParam());
  EXPECT_LT(wide.worst, 2e-15) << wide.where;
  EXPECT_GT(wide.cases, 1000u);
  EXPECT_EQ(narrow.digest, check_gates<float>(simd::Isa::kPortable).digest);
  EXPECT_EQ(wide.digest, check_gates<double>(simd::Isa::kPortable).digest);
}

TEST_P(WorkOfKernels, phases_of_any_bits_inside_and_outside) {
  TANDEM_SKIP_WHERE_NOT_RUNNABLE(GetParam());
  const Verdict narrow = check_phases<float>(GetParam());
  EXPECT_LT(narrow.worst, 5e-6) << narrow.where;  // two dozen products in a row
  const Verdict wide = check_phases<double>(GetParam());
  EXPECT_LT(wide.worst, 1e-14) << wide.where;
  EXPECT_EQ(narrow.digest, check_phases<float>(simd::Isa::kPortable).digest);
  EXPECT_EQ(wide.digest, check_phases<double>(simd::Isa::kPortable).digest);
}

TEST_P(WorkOfKernels, phases_by_the_parity_of_any_bits) {
  TANDEM_SKIP_WHERE_NOT_RUNNABLE(GetParam());
  const Verdict narrow = check_parities<float>(GetParam());
  EXPECT_LT(narrow.worst, 5e-7) << narrow.where;
  const Verdict wide = check_parities<double>(GetParam());
  EXPECT_LT(wide.worst, 1e-15) << wide.where;
  EXPECT_EQ(narrow.digest, check_parities<float>(simd::Isa::kPortable).digest);
  EXPECT_EQ(wide.digest, check_parities<double>(simd::Isa::kPortable).digest);
}

INSTANTIATE_TEST_SUITE_P(Statevector, WorkOfKernels, ::testing::ValuesIn(testing::kEveryIsa),
                         [](const auto& row) { return std::string(simd::to_string(row.param)); });

}  // namespace
}  // namespace tandem::statevector

// Faults planted on purpose in a table of kernels, each of which the comparisons of the tests must see.
// A comparison that overlooks one would prove nothing.
#include <gtest/gtest.h>

#include <functional>

#include "tandem/compute/statevector/both_turns.h"
#include "tandem/compute/statevector/ising_model.h"
#include "tandem/compute/statevector/run_plan.h"
#include "tandem/compute/statevector/signed_sums.h"
#include "tandem/compute/statevector/testing/both_checks.h"
#include "tandem/compute/statevector/testing/dense_checks.h"
#include "tandem/compute/statevector/testing/ising_checks.h"
#include "tandem/compute/statevector/testing/kernel_checks.h"
#include "tandem/compute/statevector/testing/pauli_checks.h"

namespace tandem::statevector {
namespace {

using testing::Verdict;

template <class Real>
const TileKernels<Real>& right() {
  return tile_kernels<Real>(simd::best_isa());
}
template <class Real>
const PauliKernels<Real>& right_pauli() {
  return pauli_kernels<Real>(simd::best_isa());
}

template <class Real>
struct TileFault {
  const char* name;
  void (*plant)(TileKernels<Real>& kernels);
  Verdict (*check)(const TileKernels<Real>& kernels);
};

template <class Real>
using TurnList = std::vector<Turn<Real>>;

template <class Real>
std::vector<TileFault<Real>> tile_faults() {
  using Kernels = TileKernels<Real>;
  using PairOf = PairWork<Real>;
  return {
      {"the last turn has the other sign",
       [](Kernels& k) {
         k.turn = [](Real* tile, std::uint64_t blocks, const Turn<Real>* turns, std::size_t count) {
           TurnList<Real> other(turns, turns + count);
           other.back().ratio = -other.back().ratio;
           right<Real>().turn(tile, blocks, other.data(), count);
         };
       },
       &testing::check_turns<Real>},
      {"the sine is taken for the cosine in the first of three turns",
       [](Kernels& k) {
         k.turn = [](Real* tile, std::uint64_t blocks, const Turn<Real>* turns, std::size_t count) {
           TurnList<Real> other(turns, turns + count);
           if (count == 3) other.front().large = !other.front().large;
           right<Real>().turn(tile, blocks, other.data(), count);
         };
       },
       &testing::check_turns<Real>},
      {"of more than three turns on more than 64 blocks the fourth is left out",
       [](Kernels& k) {
         k.turn = [](Real* tile, std::uint64_t blocks, const Turn<Real>* turns, std::size_t count) {
           TurnList<Real> other(turns, turns + count);
           if (count > 3 && blocks > 64) other.erase(other.begin() + 3);
           right<Real>().turn(tile, blocks, other.data(), other.size());
         };
       },
       &testing::check_turns<Real>},
      {"turns on the highest lane bit are on the one beside it",
       [](Kernels& k) {
         k.turn_lanes = [](Real* tile, std::uint64_t blocks, const Turn<Real>* turns, std::size_t count,
                           const RunPhases<Real>& phases, const Passage<Real>* passage) {
           TurnList<Real> other(turns, turns + count);
           if (count == 1 && other[0].bit == kLaneBits<Real> - 1) --other[0].bit;
           right<Real>().turn_lanes(tile, blocks, other.data(), count, phases, passage);
         };
       },
       &testing::check_lanes<Real>},
      {"of turns on all lanes, one large, the last leaves out the cosine",
       [](Kernels& k) {
         k.turn_lanes = [](Real* tile, std::uint64_t blocks, const Turn<Real>* turns, std::size_t count,
                           const RunPhases<Real>& phases, const Passage<Real>* passage) {
           TurnList<Real> other(turns, turns + count);
           if (count == kLaneBits<Real> && std::ranges::count(other, true, &Turn<Real>::large) == 1)
             other.back().large = false;
           right<Real>().turn_lanes(tile, blocks, other.data(), count, phases, passage);
         };
       },
       &testing::check_lanes<Real>},
      {"phases before turns on two lanes stand behind them",
       [](Kernels& k) {
         k.turn_lanes = [](Real* tile, std::uint64_t blocks, const Turn<Real>* turns, std::size_t count,
                           const RunPhases<Real>& phases, const Passage<Real>* passage) {
           right<Real>().turn_lanes(tile, blocks, turns, count, count == 2 ? RunPhases<Real>{} : phases, passage);
           if (count == 2) right<Real>().turn_lanes(tile, blocks, nullptr, 0, phases, passage);
         };
       },
       &testing::check_lanes<Real>},
      {"mirrored places lack the last block",
       [](Kernels& k) {
         k.turn_mirror = [](Real* a, Real* b, std::uint64_t blocks, std::uint64_t count, const Turn<Real>& turn) {
           right<Real>().turn_mirror(a, b, blocks, count == 0 ? 0 : count - 1, turn);
         };
       },
       &testing::check_mirror<Real>},
      {"an exchange goes to the place beside",
       [](Kernels& k) {
         k.pair = [](Real* tile, std::uint64_t blocks, const PairOf& work) {
           PairOf other = work;
           if (work.kind == PairKind::kExchange) other.lanes ^= 1;
           right<Real>().pair(tile, blocks, other);
         };
       },
       &testing::check_pairs<Real>},
      {"the coefficients of the two blocks of a pair are exchanged",
       [](Kernels& k) {
         k.pair = [](Real* tile, std::uint64_t blocks, const PairOf& work) {
           PairOf other = work;
           if (work.a != work.b && work.kind == PairKind::kGeneral) std::swap(other.a_mix, other.b_mix);
           right<Real>().pair(tile, blocks, other);
         };
       },
       &testing::check_pairs<Real>},
      {"a gate with a control among the blocks acts on all of them",
       [](Kernels& k) {
         k.pair = [](Real* tile, std::uint64_t blocks, const PairOf& work) {
           PairOf other = work;
           if (work.a == work.b) other.operands = other.a = other.b = 0;
           right<Real>().pair(tile, blocks, other);
         };
       },
       &testing::check_pairs<Real>},
      {"the factor beside the table is forgotten",
       [](Kernels& k) {
         k.turn_lanes = [](Real* tile, std::uint64_t blocks, const Turn<Real>* turns, std::size_t count,
                           const RunPhases<Real>& phases, const Passage<Real>* passage) {
           right<Real>().turn_lanes(tile, blocks, turns, count, {.table = phases.table}, passage);
         };
       },
       &testing::check_lanes<Real>},
      {"phases leave their numbers in rows one block further on",
       [](Kernels& k) {
         k.turn_lanes = [](Real* tile, std::uint64_t blocks, const Turn<Real>* turns, std::size_t count,
                           const RunPhases<Real>& phases, const Passage<Real>* passage) {
           Passage<Real> other = passage != nullptr ? *passage : Passage<Real>{};
           if (other.to.first != nullptr) other.to.first += 2 * kLanes<Real>;
           right<Real>().turn_lanes(tile, blocks, turns, count, phases, &other);
         };
       },
       &testing::check_lanes<Real>},
      {"a table is spread by the conjugates",
       [](Kernels& k) {
         k.spread = [](Real* table, const Real* base, const Real* lanes, const Real* re, const Real* im,
                       std::uint64_t blocks) {
           std::vector<Real> other(im, im + blocks);
           for (Real& number : other) number = -number;
           right<Real>().spread(table, base, lanes, re, other.data(), blocks);
         };
       },
       &testing::check_tables<Real>},
  };
}

template <class Real>
Verdict check_dense(const TileKernels<Real>& kernels) {
  return testing::check_dense<Real>(kernels);
}

template <class Real>
std::vector<TileFault<Real>> dense_faults() {
  using Kernels = TileKernels<Real>;
  return {
      {"all dense gates of a tile are the first one",
       [](Kernels& k) {
         k.dense = [](Real* tile, std::uint64_t blocks, const DensePair* pairs, std::size_t count,
                      const Real* coefficients, const Passage<Real>* passage) {
           for (std::size_t i = 0; i < count; ++i)
             right<Real>().dense(tile, blocks, pairs + i, 1, coefficients, passage);
         };
       },
       &check_dense<Real>},
      {"a dense gate on two lanes is on the lane beside",
       [](Kernels& k) {
         k.dense = [](Real* tile, std::uint64_t blocks, const DensePair* pairs, std::size_t count,
                      const Real* coefficients, const Passage<Real>* passage) {
           std::vector<DensePair> other(pairs, pairs + count);
           for (DensePair& pair : other)
             if (pair.low > 0 && pair.high < kLaneBits<Real>) --pair.low;
           right<Real>().dense(tile, blocks, other.data(), count, coefficients, passage);
         };
       },
       &check_dense<Real>},
      {"of a tile larger than a run the second half is left out",
       [](Kernels& k) {
         k.dense = [](Real* tile, std::uint64_t blocks, const DensePair* pairs, std::size_t count,
                      const Real* coefficients, const Passage<Real>* passage) {
           right<Real>().dense(tile, blocks > 64 ? blocks / 2 : blocks, pairs, count, coefficients, passage);
         };
       },
       &check_dense<Real>},
      {"the last of several gates leaves its numbers in the tile and not in rows",
       [](Kernels& k) {
         k.dense = [](Real* tile, std::uint64_t blocks, const DensePair* pairs, std::size_t count,
                      const Real* coefficients, const Passage<Real>* passage) {
           Passage<Real> other = passage != nullptr ? *passage : Passage<Real>{};
           if (count > 1) other.to = {};
           right<Real>().dense(tile, blocks, pairs, count, coefficients, &other);
         };
       },
       &check_dense<Real>},
      {"one block in the middle is read from the tile and not from its row",
       [](Kernels& k) {
         k.dense = [](Real* tile, std::uint64_t blocks, const DensePair* pairs, std::size_t count,
                      const Real* coefficients, const Passage<Real>* passage) {
           if (passage != nullptr && passage->from.first != nullptr && blocks > 2)
             std::copy_n(tile + 2 * kLanes<Real>, 2 * kLanes<Real>, passage->from.block(1));
           right<Real>().dense(tile, blocks, pairs, count, coefficients, passage);
         };
       },
       &check_dense<Real>},
      {"every one of several gates reads rows, and not only the first one",
       [](Kernels& k) {
         k.dense = [](Real* tile, std::uint64_t blocks, const DensePair* pairs, std::size_t count,
                      const Real* coefficients, const Passage<Real>* passage) {
           for (std::size_t i = 0; i < count; ++i) {
             Passage<Real> other = passage != nullptr ? *passage : Passage<Real>{};
             if (i + 1 < count) other.to = {};
             right<Real>().dense(tile, blocks, pairs + i, 1, coefficients + i * kDenseNumbers<Real>, &other);
           }
         };
       },
       &check_dense<Real>},
      {"the matrix of a dense gate is transposed",
       [](Kernels& k) {
         k.dense = [](Real* tile, std::uint64_t blocks, const DensePair* pairs, std::size_t count,
                      const Real* coefficients, const Passage<Real>* passage) {
           simd::AlignedVector<Real> other(coefficients, coefficients + count * kDenseNumbers<Real>);
           for (std::size_t i = 0; i < count; ++i) {
             if (pairs[i].low < kLaneBits<Real>) continue;
             Real* const of = other.data() + i * kDenseNumbers<Real>;
             for (std::size_t row = 0; row < 4; ++row)
               for (std::size_t column = 0; column < row; ++column)
                 std::swap_ranges(of + (4 * row + column) * 2 * kLanes<Real>,
                                  of + (4 * row + column + 1) * 2 * kLanes<Real>,
                                  of + (4 * column + row) * 2 * kLanes<Real>);
           }
           right<Real>().dense(tile, blocks, pairs, count, other.data(), passage);
         };
       },
       &check_dense<Real>},
      {"the two bits of a dense gate are exchanged", [](Kernels&) {},
       [](const Kernels& k) {
         return testing::check_dense<Real>(k, [](auto&, auto& bits) { std::swap(bits[0], bits[1]); });
       }},
      {"the pieces of a dense gate come the other way round", [](Kernels&) {},
       [](const Kernels& k) {
         return testing::check_dense<Real>(k, [](auto& pieces, auto&) { std::ranges::reverse(pieces); });
       }},
      {"a dense gate lacks its last piece", [](Kernels&) {},
       [](const Kernels& k) { return testing::check_dense<Real>(k, [](auto& pieces, auto&) { pieces.pop_back(); }); }},
  };
}

template <class Real>
const BothKernels<Real>& right_both() {
  return both_kernels<Real>(simd::best_isa());
}
template <class Real>
struct BothFault {
  const char* name;
  void (*plant)(BothKernels<Real>& kernels);
};

template <class Real>
std::vector<BothFault<Real>> both_faults() {
  using Kernels = BothKernels<Real>;
  return {
      {"two states are read the other way round",
       [](Kernels& k) {
         k.turn = [](Real* ket, Real* bra, std::uint64_t blocks, const Turn<Real>* turns, std::size_t count,
                     double* found) { right_both<Real>().turn(bra, ket, blocks, turns, count, found); };
       }},
      {"what is read replaces what was found",
       [](Kernels& k) {
         k.turn = [](Real* ket, Real* bra, std::uint64_t blocks, const Turn<Real>* turns, std::size_t count,
                     double* found) {
           std::fill_n(found, count, 0.0);
           right_both<Real>().turn(ket, bra, blocks, turns, count, found);
         };
       }},
      {"readings of three turns have the order of their bits the other way round",
       [](Kernels& k) {
         k.turn = [](Real* ket, Real* bra, std::uint64_t blocks, const Turn<Real>* turns, std::size_t count,
                     double* found) {
           right_both<Real>().turn(ket, bra, blocks, turns, count, found);
           if (count == 3) std::swap(found[0], found[2]);
         };
       }},
      {"the second of two turns is left out of the bra",
       [](Kernels& k) {
         k.turn = [](Real* ket, Real* bra, std::uint64_t blocks, const Turn<Real>* turns, std::size_t count,
                     double* found) {
           std::vector<Real> before(bra, bra + blocks * 2 * kLanes<Real>);
           right_both<Real>().turn(ket, bra, blocks, turns, count, found);
           if (count != 2) return;
           std::ranges::copy(before, bra);
           right<Real>().turn(bra, blocks, turns, 1);
         };
       }},
      {"lanes are read between the states before all of their turns",
       [](Kernels& k) {
         k.turn_lanes = [](Real* ket, Real* bra, std::uint64_t blocks, const Turn<Real>* turns, std::size_t count,
                           double* found) {
           const simd::AlignedVector<Real> a(ket, ket + blocks * 2 * kLanes<Real>);
           const simd::AlignedVector<Real> b(bra, bra + blocks * 2 * kLanes<Real>);
           for (std::size_t i = 0; i < count; ++i) {
             simd::AlignedVector<Real> x = a, y = b;
             right_both<Real>().turn_lanes(x.data(), y.data(), blocks, turns + i, 1, found + i);
           }
           right<Real>().turn_lanes(ket, blocks, turns, count, {}, nullptr);
           right<Real>().turn_lanes(bra, blocks, turns, count, {}, nullptr);
         };
       }},
      {"a turn on the highest lane has the other sign in the ket",
       [](Kernels& k) {
         k.turn_lanes = [](Real* ket, Real* bra, std::uint64_t blocks, const Turn<Real>* turns, std::size_t count,
                           double* found) {
           simd::AlignedVector<Real> before(ket, ket + blocks * 2 * kLanes<Real>);
           right_both<Real>().turn_lanes(ket, bra, blocks, turns, count, found);
           TurnList<Real> other(turns, turns + count);
           if (other.back().bit == kLaneBits<Real> - 1) other.back().ratio = -other.back().ratio;
           std::ranges::copy(before, ket);
           right<Real>().turn_lanes(ket, blocks, other.data(), count, {}, nullptr);
         };
       }},
      {"phases are those of the ket alone",
       [](Kernels& k) {
         k.multiply = [](Real* ket, Real*, std::uint64_t blocks, const RunPhases<Real>& phases) {
           right<Real>().turn_lanes(ket, blocks, nullptr, 0, phases, nullptr);
         };
       }},
  };
}

template <class Real>
const IsingKernels<Real>& right_ising() {
  return *kernels_of<Real>(simd::best_isa()).ising;
}
template <class Real>
struct IsingFault {
  const char* name;
  void (*plant)(IsingKernels<Real>& kernels);
  Verdict (*check)(const IsingKernels<Real>& kernels);
};

/// Phases of a leaf that leave alone what stands at `kPart` beside them.
template <class Real, const Turn<Real>* BesidePhases<Real>::* kPart>
void phase_without(Real* leaf, const Real* pairs, const double* terms, std::uint64_t blocks,
                   const BesidePhases<Real>& beside) {
  BesidePhases<Real> other = beside;
  other.*kPart = nullptr;
  right_ising<Real>().phase(leaf, pairs, terms, blocks, other);
}

template <class Real>
std::vector<IsingFault<Real>> ising_faults() {
  using Kernels = IsingKernels<Real>;
  return {
      {"alike turns are undone",
       [](Kernels& k) {
         k.turn_alike = [](Real* tile, std::uint64_t blocks, const Turn<Real>* turns, std::size_t count) {
           TurnList<Real> other(turns, turns + count);
           for (auto& turn : other) turn.ratio = -turn.ratio;
           right_ising<Real>().turn_alike(tile, blocks, other.data(), count);
         };
       },
       &testing::check_alike<Real>},
      {"of alike turns the sine is taken for the cosine where two are left",
       [](Kernels& k) {
         k.turn_alike = [](Real* tile, std::uint64_t blocks, const Turn<Real>* turns, std::size_t count) {
           TurnList<Real> other(turns, turns + count);
           if (count % 3 == 2)
             for (auto& turn : other) turn.large = !turn.large;
           right_ising<Real>().turn_alike(tile, blocks, other.data(), count);
         };
       },
       &testing::check_alike<Real>},
      {"four alike turns are three and one, which leaves out more",
       [](Kernels& k) {
         k.turn_alike = [](Real* tile, std::uint64_t blocks, const Turn<Real>* turns, std::size_t count) {
           const std::size_t first = count == 4 ? 3 : count;
           right_ising<Real>().turn_alike(tile, blocks, turns, first);
           right_ising<Real>().turn_alike(tile, blocks, turns + first, count - first);
         };
       },
       &testing::check_alike<Real>},
      {"a leaf begins with what it holds", [](Kernels& k) { k.begin = k.phase; }, &testing::check_leaves<Real>},
      {"a leaf begins by energy with what it holds", [](Kernels& k) { k.begin_by = k.phase_by; },
       &testing::check_leaves<Real>},
      {"lanes behind the phases of a leaf are left alone",
       [](Kernels& k) { k.phase = &phase_without<Real, &BesidePhases<Real>::lanes_after>; },
       &testing::check_leaves<Real>},
      {"lanes before the phases of a leaf are left alone",
       [](Kernels& k) { k.phase = &phase_without<Real, &BesidePhases<Real>::lanes_before>; },
       &testing::check_leaves<Real>},
      {"the lowest bits behind the phases of a leaf are left alone",
       [](Kernels& k) { k.phase = &phase_without<Real, &BesidePhases<Real>::turns_after>; },
       &testing::check_leaves<Real>},
      {"the lowest bits before the phases of a leaf are left alone",
       [](Kernels& k) { k.phase = &phase_without<Real, &BesidePhases<Real>::turns_before>; },
       &testing::check_leaves<Real>},
      {"what stands before and behind the phases of a leaf changes places",
       [](Kernels& k) {
         k.phase = [](Real* leaf, const Real* pairs, const double* terms, std::uint64_t blocks,
                      const BesidePhases<Real>& beside) {
           right_ising<Real>().phase(leaf, pairs, terms, blocks,
                                     {.turns_before = beside.turns_after,
                                      .lanes_before = beside.lanes_after,
                                      .lanes_after = beside.lanes_before,
                                      .turns_after = beside.turns_before});
         };
       },
       &testing::check_leaves<Real>},
      {"a leaf's phases are ones", [](Kernels& k) { k.phase = k.begin; }, &testing::check_leaves<Real>},
  };
}

template <class Real>
struct PauliFault {
  const char* name;
  void (*plant)(PauliKernels<Real>& kernels);
  Verdict (*check)(const PauliKernels<Real>& kernels);
};

template <class Real>
Verdict check_readings(const PauliKernels<Real>& kernels) {
  return testing::check_readings<Real>(kernels);
}
template <class Real>
Verdict check_readings_of_half_the_scale(const PauliKernels<Real>& kernels) {
  return testing::check_readings<Real>(kernels, 0.5);
}

template <class Real>
std::vector<PauliFault<Real>> pauli_faults() {
  using Kernels = PauliKernels<Real>;
  return {
      {"overlaps forget the lanes",
       [](Kernels& k) {
         k.overlaps = [](const Real* ket, const Real* bra, std::uint64_t first, std::uint64_t count,
                         std::uint64_t block, std::uint32_t, Part part,
                         double* out) { right_pauli<Real>().overlaps(ket, bra, first, count, block, 0, part, out); };
       },
       &testing::check_images<Real>},
      {"an image has the weights of half a period",
       [](Kernels& k) {
         k.add_image = [](const Real* ket, Real* bra, std::uint64_t blocks, std::uint64_t block, std::uint32_t lane,
                          Part part, const double* weights, std::uint64_t period) {
           right_pauli<Real>().add_image(ket, bra, blocks, block, lane, part, weights,
                                         std::max<std::uint64_t>(kLanes<Real>, period / 2));
         };
       },
       &testing::check_images<Real>},
      {"a product lacks the last block",
       [](Kernels& k) {
         k.product = [](const Real* ket, const Real* bra, std::uint64_t blocks) {
           return right_pauli<Real>().product(ket, bra, blocks - 1);
         };
       },
       &testing::check_images<Real>},
      {"a butterfly subtracts the wrong way round",
       [](Kernels& k) {
         k.sums.butterfly = [](double* a, double* b, std::uint64_t count) {
           right_pauli<Real>().sums.butterfly(a, b, count);
           for (std::uint64_t i = 0; i < count; ++i) b[i] = -b[i];
         };
       },
       &check_readings<Real>},
      {"readings have half their factor", [](Kernels&) {}, &check_readings_of_half_the_scale<Real>},
  };
}

template <class Real>
void expect_faults_are_seen() {
  // Far above the tolerance: what is wrong is wrong by much. That the right kernels keep it: kernels.test.cc.
  constexpr double kSeen = 1e-3;
  for (const TileFault<Real>& fault : tile_faults<Real>()) {
    TileKernels<Real> kernels = right<Real>();
    fault.plant(kernels);
    EXPECT_GT(fault.check(kernels).worst, kSeen) << fault.name;
  }
  for (const TileFault<Real>& fault : dense_faults<Real>()) {
    TileKernels<Real> kernels = right<Real>();
    fault.plant(kernels);
    EXPECT_GT(fault.check(kernels).worst, kSeen) << fault.name;
  }
  for (const BothFault<Real>& fault : both_faults<Real>()) {
    BothKernels<Real> kernels = right_both<Real>();
    fault.plant(kernels);
    EXPECT_GT(testing::check_both<Real>(kernels).worst, kSeen) << fault.name;
  }
  for (const IsingFault<Real>& fault : ising_faults<Real>()) {
    IsingKernels<Real> kernels = right_ising<Real>();
    fault.plant(kernels);
    EXPECT_GT(fault.check(kernels).worst, kSeen) << fault.name;
  }
  for (const PauliFault<Real>& fault : pauli_faults<Real>()) {
    PauliKernels<Real> kernels = right_pauli<Real>();
    fault.plant(kernels);
    EXPECT_GT(fault.check(kernels).worst, kSeen) << fault.name;
  }
}

TEST(PlantedFaults, in_kernels_of_single_precision_are_seen) { expect_faults_are_seen<float>(); }
TEST(PlantedFaults, in_kernels_of_double_precision_are_seen) { expect_faults_are_seen<double>(); }

}  // namespace
}  // namespace tandem::statevector

// Turns of two states with their readings, against a plain loop over pairs of amplitudes.
#include "tandem/compute/statevector/both_turns.h"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>

#include "tandem/base/rng.h"
#include "tandem/compute/simd/aligned.h"
#include "tandem/compute/statevector/amplitudes.h"

namespace tandem::statevector {
namespace {

using Complex = std::complex<double>;

constexpr std::uint32_t kBits = 12;
constexpr std::size_t kSize = std::size_t{1} << kBits;

template <class Real>
simd::AlignedVector<Real> random_tile(Xoshiro256& rng) {
  simd::AlignedVector<Real> out(2 * kSize);
  for (Real& number : out) number = static_cast<Real>(2 * rng.uniform() - 1);
  return out;
}

template <class Real>
std::vector<Complex> amplitudes_of(const simd::AlignedVector<Real>& tile) {
  std::vector<Complex> out(kSize);
  for (std::size_t place = 0; place < kSize; ++place)
    out[place] = {tile[re_at<Real>(place)], tile[re_at<Real>(place) + kLanes<Real>]};
  return out;
}

struct OneTurn {
  std::uint32_t bit;
  double angle;
};

/// The rotation of the pairs; and Im <bra|P|ket>, P being Y on the bit.
void rotate(std::vector<Complex>& state, const OneTurn& turn) {
  const Complex below = std::sin(turn.angle);
  for (std::size_t a = 0; a < kSize; ++a) {
    const std::size_t b = a | std::size_t{1} << turn.bit;
    if (a == b) continue;
    const Complex x = state[a];
    const Complex y = state[b];
    state[a] = std::cos(turn.angle) * x - below * y;
    state[b] = below * x + std::cos(turn.angle) * y;
  }
}
double reading(const std::vector<Complex>& bra, const std::vector<Complex>& ket, const OneTurn& turn) {
  Complex sum = 0;
  for (std::size_t z = 0; z < kSize; ++z) {
    const bool one = (z >> turn.bit & 1) != 0;
    const Complex factor = one ? Complex(0, -1) : Complex(0, 1);
    sum += std::conj(bra[z ^ std::size_t{1} << turn.bit]) * factor * ket[z];
  }
  return sum.imag();
}

template <class Real>
void expect_reference(const std::vector<OneTurn>& turns, std::uint64_t seed) {
  Xoshiro256 rng(seed);
  const auto ket = random_tile<Real>(rng);
  const auto bra = random_tile<Real>(rng);
  std::vector<Step> steps;
  BothTurns<Real> work;
  for (std::size_t i = 0; i < turns.size(); ++i) {
    Step& step = steps.emplace_back();
    step.cosine = std::cos(turns[i].angle);
    step.sine = std::sin(turns[i].angle);
    work.add(turns[i].bit, static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(turns.size() - 1 - i));
  }
  work.arrange();
  constexpr double kBefore = 0.5;
  double scale = kBefore;
  work.bind(steps, scale);

  // Rotations of different bits commute, and each with its own reading.
  std::vector<Complex> wanted_ket = amplitudes_of(ket);
  std::vector<Complex> wanted_bra = amplitudes_of(bra);
  std::vector<double> wanted;
  for (const OneTurn& turn : turns) wanted.push_back(kBefore * kBefore * reading(wanted_bra, wanted_ket, turn));
  for (const OneTurn& turn : turns) {
    rotate(wanted_ket, turn);
    rotate(wanted_bra, turn);
  }
  const double tolerance = sizeof(Real) == 4 ? 2e-5 : 1e-13;
  std::vector<Real> first;
  std::vector<double> first_slots;
  for (const simd::Isa isa : simd::runnable_isas()) {
    SCOPED_TRACE(simd::to_string(isa));
    auto k = ket;
    auto b = bra;
    std::vector<double> slots(turns.size(), 1.0);
    work.apply(k.data(), b.data(), kSize / kLanes<Real>, both_kernels<Real>(isa), slots.data());
    const double grown = scale / kBefore;
    const auto found_ket = amplitudes_of(k);
    const auto found_bra = amplitudes_of(b);
    double worst = 0;
    for (std::size_t place = 0; place < kSize; ++place) {
      worst = std::max(worst, std::abs(found_ket[place] * grown - wanted_ket[place]));
      worst = std::max(worst, std::abs(found_bra[place] * grown - wanted_bra[place]));
    }
    EXPECT_LT(worst, tolerance);
    for (std::size_t i = 0; i < turns.size(); ++i)
      EXPECT_NEAR(slots[turns.size() - 1 - i] - 1, wanted[i], tolerance * kSize) << "bit " << turns[i].bit;
    k.insert(k.end(), b.begin(), b.end());
    if (first.empty()) {
      first.assign(k.begin(), k.end());
      first_slots = slots;
    }
    EXPECT_TRUE(std::ranges::equal(k, first));
    EXPECT_EQ(slots, first_slots);
  }
}

constexpr double kSmall = 0.4;  // its tangent is kept
constexpr double kLarge = 1.3;  // its cotangent

template <class Real>
class BothTurnsTest : public ::testing::Test {};
using Reals = ::testing::Types<double, float>;
TYPED_TEST_SUITE(BothTurnsTest, Reals);

TYPED_TEST(BothTurnsTest, one_turn_on_every_bit) {
  for (std::uint32_t bit = 0; bit < kBits; ++bit)
    for (const double angle : {kSmall, -kSmall, kLarge, -kLarge, 3.0}) expect_reference<TypeParam>({{bit, angle}}, bit);
}

TYPED_TEST(BothTurnsTest, every_combination_of_three_turns_above_the_lanes) {
  for (unsigned which = 0; which < 8; ++which) {
    const auto angle = [&](unsigned i) { return (which >> i & 1) != 0 ? kLarge : -kSmall; };
    expect_reference<TypeParam>({{5, angle(0)}, {7, angle(1)}, {11, angle(2)}}, which);
    expect_reference<TypeParam>({{8, angle(0)}, {4, angle(1)}}, which);
  }
}

TYPED_TEST(BothTurnsTest, layers_of_all_bits) {
  Xoshiro256 rng(1);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::vector<OneTurn> turns;
    for (std::uint32_t bit = 0; bit < kBits; ++bit)
      if (rng.below(8) != 0) turns.push_back({bit, 6 * rng.uniform() - 3});
    expect_reference<TypeParam>(turns, seed);
  }
}

}  // namespace
}  // namespace tandem::statevector

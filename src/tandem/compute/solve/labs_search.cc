#include "tandem/compute/solve/labs_search.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "tandem/base/assert.h"
#include "tandem/compute/solve/labs_kernels.h"

namespace tandem::solve {

namespace {

using problem::Monomial;
using problem::Polynomial;

constexpr simd::KernelTables<LabsKernels> kKernels = {&portable::kLabsKernels, &avx2::kLabsKernels,
                                                      &avx512::kLabsKernels};
/// |s_j F_j| is below 3/4 n^2, which with what is added must stay below the greatest lane.
constexpr std::size_t kNarrowMax = 200;
constexpr std::size_t kArrayLanes = 19;  // lanes of all arrays, by num_lanes

std::size_t whole_blocks(std::size_t num_spins) { return (num_spins + kLabsBlock - 1) / kLabsBlock * kLabsBlock; }

template <class Lane>
class LabsSearch final : public TabuSearch {
 public:
  LabsSearch(std::size_t num_spins, const LabsLaneKernels<Lane>& kernels)
      : TabuSearch(num_spins, num_spins, kIterationsOfLanes),
        kernels_(kernels),
        n_(num_spins),
        lanes_(whole_blocks(num_spins)),
        memory_(kArrayLanes * lanes_ + kLabsBlock) {
    lay_out();
    fill();
  }

 private:
  static constexpr Lane kNever = std::numeric_limits<Lane>::max();
  static constexpr Lane kTenuresMax = 1 << 12;
  static constexpr std::int32_t kIterationsOfLanes =
      std::min<std::int64_t>(kIterationsMax, std::int64_t{kNever} - kTenuresMax);

  void end_search() override { std::fill_n(arrays_.tabu_until, lanes_, Lane{0}); }
  void start_search() override {}
  std::size_t least_of(std::span<const std::uint32_t> variables) const override {
    return place_of_least(variables, [&](std::uint32_t i) { return value(i); });
  }

  void lay_out() {
    void* begin = memory_.data();
    std::size_t space = memory_.size() * sizeof(Lane);
    Lane* next =
        static_cast<Lane*>(std::align(kLabsBlock * sizeof(Lane), kArrayLanes * lanes_ * sizeof(Lane), begin, space));
    const auto take = [&](std::size_t blocks) { return std::exchange(next, next + blocks * lanes_); };
    arrays_ = {.num_spins = n_,
               .num_lanes = lanes_,
               .spins = take(3),
               .reversed = take(3),
               .halves = {take(2), take(2)},
               .correlation = take(2),
               .convolution = take(2),
               .diagonal = take(1),
               .field = take(1),
               .tabu_until = take(1),
               .number = take(1)};
  }

  /// All spins down: every product is 1.
  void fill() {
    const auto n = static_cast<std::int64_t>(n_);
    const auto lanes = static_cast<std::int64_t>(lanes_);
    const auto correlation = [&](std::int64_t d) { return d == 0 ? 0 : std::max<std::int64_t>(0, n - std::abs(d)); };
    for (std::int64_t x = 0; x < n; ++x) {
      arrays_.spins[lanes + x] = -1;
      arrays_.reversed[2 * lanes - x] = -1;
      arrays_.halves[x % 2][lanes + x / 2] = -1;
    }
    for (std::int64_t d = -lanes; d < lanes; ++d) arrays_.correlation[lanes + d] = static_cast<Lane>(correlation(d));
    for (std::int64_t t = 0; t < 2 * n - 1; ++t)
      arrays_.convolution[t] = static_cast<Lane>(std::min(t, 2 * n - 2 - t) + 1);
    for (std::int64_t j = 0; j < lanes; ++j) {
      arrays_.diagonal[j] = j < n ? arrays_.convolution[2 * j] : kNever;
      std::int64_t field = 0;
      for (std::int64_t i = 0; i < n; ++i) field -= correlation(j - i);
      arrays_.field[j] = static_cast<Lane>(field);
      arrays_.number[j] = static_cast<Lane>(j);
    }
    for (std::int64_t k = 1; k < n; ++k) energy_ += (n - k) * (n - k);
  }

  std::int64_t flip_energy(Lane value) const { return 4 * (static_cast<std::int64_t>(n_) - 2 + value); }
  Lane value(std::size_t j) const {
    return static_cast<Lane>(arrays_.diagonal[j] - arrays_.spins[lanes_ + j] * arrays_.field[j]);
  }

  void flip(std::size_t j) override {
    energy_ += flip_energy(value(j));
    kernels_.flip(arrays_, j);
    bits_[j] = static_cast<std::int8_t>(1 - bits_[j]);
  }

  void search_step() override {
    const std::uint64_t random = rng_();
    // A flip adds 4 (n - 2 + value); what leads below the best of the run may be taken whatever its tenure.
    const std::int64_t aspired =
        has_best_ ? (best_energy_ - energy_) / 4 - static_cast<std::int64_t>(n_) + 2 : std::numeric_limits<Lane>::min();
    const auto cycle = static_cast<Lane>(std::bit_ceil(lanes_));
    const LabsChoice<Lane> choice = kernels_.choose(
        arrays_,
        {.iteration = static_cast<Lane>(iteration_),
         .aspired = static_cast<Lane>(std::clamp<std::int64_t>(aspired, std::numeric_limits<Lane>::min(), kNever)),
         .turn = static_cast<Lane>(random & static_cast<std::uint64_t>(cycle - 1)),
         .cycle = cycle});
    if (flip_energy(choice.least) >= 0 && better()) note();
    ++iteration_;
    const std::uint64_t tenure_min = std::min<std::uint64_t>(n_ / 16, kTenuresMax / 4) + 1;
    const std::uint64_t own_tenure = tenure_min + (((random >> 32) * tenure_min) >> 32);
    arrays_.tabu_until[choice.spin] = static_cast<Lane>(iteration_ + static_cast<std::int64_t>(own_tenure));
    flip(choice.spin);
  }

  const LabsLaneKernels<Lane>& kernels_;
  std::size_t n_;
  std::size_t lanes_;
  std::vector<Lane> memory_;
  LabsArrays<Lane> arrays_{};
};

}  // namespace

std::optional<LabsForm> LabsForm::read(const Polynomial& polynomial) {
  const std::size_t n = polynomial.num_variables();
  if (polynomial.vartype() != problem::Vartype::kSpin || n < 4 || polynomial.degree() != 4) return std::nullopt;
  auto terms = polynomial.terms();
  LabsForm out;
  out.size_ = n;
  if (terms.front().variables.empty()) {
    out.constant_ = terms.front().coefficient;
    terms = terms.subspan(1);
  }
  out.factor_ = terms.front().coefficient / 2;
  if (!(out.factor_ > 0)) return std::nullopt;
  // Both run through their terms in the order of a polynomial's.
  std::size_t next = 0;
  const auto is_next = [&](std::initializer_list<std::uint32_t> variables, double coefficient) {
    if (next == terms.size()) return false;
    const Monomial& term = terms[next++];
    return term.coefficient == coefficient && std::ranges::equal(term.variables, variables);
  };
  for (std::uint32_t a = 0; a < n; ++a) {
    for (std::uint32_t d = a + 2; d < n; d += 2)
      if (!is_next({a, d}, 2 * out.factor_)) return std::nullopt;
  }
  for (std::uint32_t a = 0; a < n; ++a) {
    for (std::uint32_t b = a + 1; b < n; ++b) {
      for (std::uint32_t c = b + 1; b + c - a < n; ++c)
        if (!is_next({a, b, c, b + c - a}, 4 * out.factor_)) return std::nullopt;
    }
  }
  return next == terms.size() ? std::optional(out) : std::nullopt;
}

std::optional<std::int64_t> LabsForm::energy_at_most(double objective) const {
  constexpr double kEnergyMax = 0x1p53;
  constexpr double kSlack = 1e-6;
  const double energy = std::floor((objective - constant_) / factor_ + kSlack) + static_cast<double>(offset());
  if (!(energy >= 0)) return std::nullopt;
  return static_cast<std::int64_t>(std::min(energy, kEnergyMax));
}

std::unique_ptr<TabuSearch> make_labs_search(std::size_t num_spins, simd::Isa isa) {
  TANDEM_ASSERT(num_spins > 0);
  const LabsKernels& kernels = simd::kernels_for(kKernels, isa);
  if (num_spins <= kNarrowMax) return std::make_unique<LabsSearch<std::int16_t>>(num_spins, kernels.narrow);
  return std::make_unique<LabsSearch<std::int32_t>>(num_spins, kernels.wide);
}

std::uint64_t labs_search_bytes(std::size_t num_spins) {
  return (kArrayLanes * whole_blocks(num_spins) + kLabsBlock) * sizeof(std::int32_t) + 4 * num_spins;
}

}  // namespace tandem::solve

#include "tandem/compute/statevector/phase_group.h"

#include <algorithm>
#include <bit>

#include "tandem/base/assert.h"
#include "tandem/compute/statevector/amplitudes.h"

namespace tandem::statevector {
namespace {

using Complex = std::complex<double>;

/// Without the library's care for infinities.
Complex times(Complex a, Complex b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

}  // namespace

template <class Real>
void PhaseGroup<Real>::add(std::uint64_t mask, Complex factor) {
  const auto u = static_cast<std::uint32_t>(std::countr_zero(mask));
  const std::uint64_t rest = mask & (mask - 1);
  if (rest == 0) {
    linear_[u] = times(linear_[u], factor);
    return;
  }
  TANDEM_ASSERT((rest & (rest - 1)) == 0);
  const auto v = static_cast<std::uint32_t>(std::countr_zero(rest));
  const auto join = [&](std::uint32_t from, std::uint32_t to) {
    const auto known = std::ranges::find(partners_[from], to, &Partner::bit);
    if (known != partners_[from].end())
      known->factor = times(known->factor, factor);
    else
      partners_[from].push_back({to, factor});
  };
  join(u, v);
  join(v, u);
}

template <class Real>
void PhaseGroup<Real>::prepare(const TileBits& tile_bits) {
  constexpr std::uint32_t kNone = UINT32_MAX;
  tile_bits_ = static_cast<std::uint32_t>(tile_bits.size());
  leaf_bits_ = std::min<std::uint32_t>(tile_bits_, kLeafBits);
  std::vector<std::uint32_t> position(linear_.size(), kNone);
  for (std::uint32_t i = 0; i < tile_bits_; ++i) position[tile_bits[i]] = i;

  tile_linear_.resize(tile_bits_);
  for (std::uint32_t i = 0; i < tile_bits_; ++i) tile_linear_[i] = linear_[tile_bits[i]];
  from_outside_.assign(linear_.size(), {});
  for (std::uint32_t bit = 0; bit < linear_.size(); ++bit) {
    if (position[bit] != kNone) continue;
    bool matters = linear_[bit] != 1.0;
    for (const Partner& partner : partners_[bit]) {
      matters = true;
      if (position[partner.bit] != kNone) from_outside_[bit].push_back({position[partner.bit], partner.factor});
    }
    if (matters) outside_.push_back(bit);
  }

  // Bits that change the leaf's table come first, so that most leaves share one.
  std::vector<char> reaches_leaf(tile_bits_);
  for (std::uint32_t i = leaf_bits_; i < tile_bits_; ++i) {
    order_.push_back(i);
    for (const Partner& partner : partners_[tile_bits[i]])
      if (position[partner.bit] < leaf_bits_) reaches_leaf[i] = 1;
  }
  std::ranges::stable_sort(order_, {}, [&](std::uint32_t i) { return reaches_leaf[i] == 0; });
  below_.resize(order_.size());
  for (std::size_t k = 0; k < order_.size(); ++k) {
    for (const Partner& partner : partners_[tile_bits[order_[k]]]) {
      const std::uint32_t at = position[partner.bit];
      if (at == kNone) continue;
      if (at < leaf_bits_ ||
          std::find(order_.begin() + static_cast<std::ptrdiff_t>(k), order_.end(), at) != order_.end())
        below_[k].push_back({at, partner.factor});
    }
  }

  const std::size_t size = std::size_t{1} << leaf_bits_;
  std::vector<Complex> factors(size, 1.0);
  for (std::uint32_t i = 0; i < leaf_bits_; ++i) {
    for (const Partner& partner : partners_[tile_bits[i]]) {
      const std::uint32_t j = position[partner.bit];
      if (j >= i) continue;  // once; kNone as well
      const std::size_t both = std::size_t{1} << i | std::size_t{1} << j;
      for (std::size_t at = 0; at < size; ++at)
        if ((at & both) == both) factors[at] = times(factors[at], partner.factor);
    }
  }
  const auto in_blocks = [&](simd::AlignedVector<Real>& out) {
    out.resize(2 * size);
    for (std::size_t at = 0; at < size; ++at) {
      out[re_at<Real>(at)] = static_cast<Real>(factors[at].real());
      out[re_at<Real>(at) + kLanes<Real>] = static_cast<Real>(factors[at].imag());
    }
  };
  in_blocks(base_);
  for (std::uint32_t i = 0; i < leaf_bits_; ++i)
    for (std::size_t at = 0; at < size; ++at)
      if ((at >> i & 1) != 0) factors[at] = times(factors[at], tile_linear_[i]);
  in_blocks(table_);
  ones_ = std::ranges::all_of(factors, [](const Complex& factor) { return factor == 1.0; });
}

/// One tile.
template <class Real>
class PhaseGroup<Real>::Walk {
 public:
  Walk(const PhaseGroup& group, Real* tile, Real* table, const TileKernels<Real>& kernels)
      : group_(group), tile_(tile), table_(table), kernels_(kernels) {}

  void run(std::uint64_t base) {
    std::ranges::copy(group_.tile_linear_, linear_.begin());
    Complex factor = group_.scale_;
    for (const std::uint32_t bit : group_.outside_) {
      if ((base >> bit & 1) == 0) continue;
      factor = times(factor, group_.linear_[bit]);
      for (const Partner& partner : group_.partners_[bit])  // pairs outside, each once
        if (partner.bit < bit && (base >> partner.bit & 1) != 0) factor = times(factor, partner.factor);
      for (const Partner& partner : group_.from_outside_[bit]) {
        linear_[partner.bit] = times(linear_[partner.bit], partner.factor);
        if (in_leaf(partner)) ++changes_;
      }
    }
    descend(0, 0, factor);
  }

 private:
  void descend(std::size_t k, std::uint64_t place, Complex factor) {
    if (k == group_.order_.size()) return leaf(place, factor);
    const std::uint32_t bit = group_.order_[k];
    descend(k + 1, place, factor);
    std::array<Complex, kBitsMax> before;
    std::size_t saved = 0;
    for (const Partner& partner : group_.below_[k]) {
      before[saved++] = linear_[partner.bit];
      linear_[partner.bit] = times(linear_[partner.bit], partner.factor);
      if (!in_leaf(partner)) continue;
      ++changes_;
      made_ = false;
    }
    descend(k + 1, place | std::uint64_t{1} << bit, times(factor, linear_[bit]));
    saved = 0;
    for (const Partner& partner : group_.below_[k]) {
      linear_[partner.bit] = before[saved++];
      if (!in_leaf(partner)) continue;
      --changes_;
      made_ = false;
    }
  }

  void leaf(std::uint64_t place, Complex factor) {
    if (changes_ == 0 && group_.ones_ && factor == 1.0) return;
    if (changes_ != 0 && !made_) make_table();
    kernels_.multiply(tile_ + 2 * place, changes_ == 0 ? group_.table_.data() : table_, num_blocks(),
                      static_cast<Real>(factor.real()), static_cast<Real>(factor.imag()));
  }

  bool in_leaf(const Partner& partner) const { return partner.bit < group_.leaf_bits_; }

  std::uint64_t num_blocks() const { return std::uint64_t{1} << (group_.leaf_bits_ - kLaneBits<Real>); }

  void make_table() {
    made_ = true;
    std::array<Complex, kLanes<Real>> lane{1.0};
    for (std::uint32_t j = 0; j < kLaneBits<Real>; ++j)
      for (std::size_t l = 0; l < std::size_t{1} << j; ++l) lane[l | std::size_t{1} << j] = times(lane[l], linear_[j]);
    std::array<Complex, 32> block{1.0};
    for (std::uint32_t j = kLaneBits<Real>; j < group_.leaf_bits_; ++j) {
      const std::size_t step = std::size_t{1} << (j - kLaneBits<Real>);
      for (std::size_t v = 0; v < step; ++v) block[v | step] = times(block[v], linear_[j]);
    }
    alignas(64) std::array<Real, 2 * kLanes<Real>> lanes;
    for (std::size_t l = 0; l < kLanes<Real>; ++l) {
      lanes[l] = static_cast<Real>(lane[l].real());
      lanes[kLanes<Real> + l] = static_cast<Real>(lane[l].imag());
    }
    std::array<Real, 32> re;
    std::array<Real, 32> im;
    for (std::size_t v = 0; v < num_blocks(); ++v) {
      re[v] = static_cast<Real>(block[v].real());
      im[v] = static_cast<Real>(block[v].imag());
    }
    kernels_.spread(table_, group_.base_.data(), lanes.data(), re.data(), im.data(), num_blocks());
  }

  static constexpr std::size_t kBitsMax = 64;
  const PhaseGroup& group_;
  Real* tile_;
  Real* table_;
  const TileKernels<Real>& kernels_;
  std::array<Complex, kBitsMax> linear_;  ///< of the tile's bits, with what the bits decided so far add
  std::uint32_t changes_ = 0;  ///< of bits of the leaf, by bits that are decided
  bool made_ = false;  ///< the table, for those
};

template <class Real>
void PhaseGroup<Real>::apply(Real* tile, std::uint64_t base, Real* scratch, const TileKernels<Real>& kernels) const {
  Walk(*this, tile, scratch, kernels).run(base);
}

template class PhaseGroup<float>;
template class PhaseGroup<double>;

}  // namespace tandem::statevector

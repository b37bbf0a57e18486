#include "tandem/compute/statevector/phase_group.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "tandem/base/assert.h"
#include "tandem/compute/statevector/amplitudes.h"

namespace tandem::statevector {
namespace {

constexpr std::uint32_t kNone = UINT32_MAX;
constexpr std::size_t kBitsMax = 64;

/// To the last bit: a zero of another sign would be another one in what is made of it.
bool same(std::span<const Factor> a, std::span<const Factor> b) {
  return std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

/// The factors of the bits of the leaf, `base` being those of its pairs.
template <class Real>
void make_table(const Factor* linear, std::uint32_t leaf_bits, const Real* base, Real* table,
                const TileKernels<Real>& kernels) {
  constexpr std::size_t kBlocks = std::size_t{1} << (kRunBits<Real> - kLaneBits<Real>);
  std::array<Factor, kLanes<Real>> lane;
  lane[0] = Factor::one();
  for (std::uint32_t j = 0; j < kLaneBits<Real>; ++j)
    for (std::size_t l = 0; l < std::size_t{1} << j; ++l) lane[l | std::size_t{1} << j] = lane[l] * linear[j];
  std::array<Factor, kBlocks> block;
  block[0] = Factor::one();
  for (std::uint32_t j = kLaneBits<Real>; j < leaf_bits; ++j) {
    const std::size_t step = std::size_t{1} << (j - kLaneBits<Real>);
    for (std::size_t v = 0; v < step; ++v) block[v | step] = block[v] * linear[j];
  }
  alignas(64) std::array<Real, 2 * kLanes<Real>> lanes;
  for (std::size_t l = 0; l < kLanes<Real>; ++l) {
    lanes[l] = static_cast<Real>(lane[l].re);
    lanes[kLanes<Real> + l] = static_cast<Real>(lane[l].im);
  }
  const std::size_t num_blocks = std::size_t{1} << (leaf_bits - kLaneBits<Real>);
  std::array<Real, kBlocks> re;
  std::array<Real, kBlocks> im;
  for (std::size_t v = 0; v < num_blocks; ++v) {
    re[v] = static_cast<Real>(block[v].re);
    im[v] = static_cast<Real>(block[v].im);
  }
  kernels.spread(table, base, lanes.data(), re.data(), im.data(), num_blocks);
}

}  // namespace

template <class Real>
void PhaseGroup<Real>::add(std::uint64_t mask, std::uint32_t step) {
  const auto u = static_cast<std::uint32_t>(std::countr_zero(mask));
  const std::uint64_t rest = mask & (mask - 1);
  if (rest == 0) {
    sources_.push_back({.step = step, .slot = u});
    return;
  }
  TANDEM_ASSERT((rest & (rest - 1)) == 0);
  const auto v = static_cast<std::uint32_t>(std::countr_zero(rest));
  const auto known = std::ranges::find(partners_[u], v, &Partner::bit);
  if (known != partners_[u].end()) {
    sources_.push_back({.step = step, .slot = known->slot});
    return;
  }
  sources_.push_back({.step = step, .slot = num_slots_});
  partners_[u].push_back({.bit = v, .slot = num_slots_});
  partners_[v].push_back({.bit = u, .slot = num_slots_});
  ++num_slots_;
}

template <class Real>
void PhaseGroup<Real>::arrange(const TileBits& tile_bits) {
  tile_bits_ = static_cast<std::uint32_t>(tile_bits.size());
  leaf_bits_ = std::min<std::uint32_t>(tile_bits_, kLeafBits);
  tile_slots_ = tile_bits;
  std::vector<std::uint32_t> position(num_bits_, kNone);
  for (std::uint32_t i = 0; i < tile_bits_; ++i) position[tile_bits[i]] = i;

  std::vector<char> matters(num_bits_);
  for (const Source& source : sources_)
    if (source.slot < num_bits_) matters[source.slot] = 1;
  from_outside_.resize(num_bits_);
  for (std::uint32_t bit = 0; bit < num_bits_; ++bit) {
    if (position[bit] != kNone) continue;
    for (const Partner& partner : partners_[bit]) {
      matters[bit] = 1;
      if (position[partner.bit] != kNone)
        from_outside_[bit].push_back({.bit = position[partner.bit], .slot = partner.slot});
    }
    if (matters[bit] != 0) outside_.push_back(bit);
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
        below_[k].push_back({.bit = at, .slot = partner.slot});
    }
  }
  in_leaf_.resize(leaf_bits_);
  for (std::uint32_t i = 0; i < leaf_bits_; ++i)
    for (const Partner& partner : partners_[tile_bits[i]])
      if (position[partner.bit] < i) in_leaf_[i].push_back({.bit = position[partner.bit], .slot = partner.slot});
}

template <class Real>
void PhaseGroup<Real>::bind(std::span<const Step> steps, double scale, const TileKernels<Real>& kernels) {
  scale_ = scale;
  before_.swap(factors_);
  factors_.assign(num_slots_, Factor::one());
  for (const Source& source : sources_)
    factors_[source.slot] = factors_[source.slot] * factor_of(steps[source.step].factor);
  const auto bits = [&](std::vector<Factor>& factors) { return std::span(factors).first(num_bits_); };
  const auto pairs = [&](std::vector<Factor>& factors) { return std::span(factors).subspan(num_bits_); };
  const bool new_pairs = !bound_ || !same(pairs(factors_), pairs(before_));
  if (!new_pairs && same(bits(factors_), bits(before_))) return;
  bound_ = true;
  if (new_pairs) make_base();
  std::array<Factor, kLeafBits> linear;
  for (std::uint32_t i = 0; i < leaf_bits_; ++i) linear[i] = factors_[tile_slots_[i]];
  table_.resize(base_.size());
  make_table(linear.data(), leaf_bits_, base_.data(), table_.data(), kernels);
  ones_ = true;
  for (std::size_t at = 0; at < table_.size() && ones_; ++at)
    ones_ = table_[at] == (at % (2 * kLanes<Real>) < kLanes<Real> ? Real(1) : Real(0));
}

/// By doubling: the upper half of a bit is the lower one times its pairs with the bits below, which are doubled themselves.
template <class Real>
void PhaseGroup<Real>::make_base() {
  constexpr std::size_t kSize = std::size_t{1} << kLeafBits;
  std::array<Factor, kSize> factors;
  std::array<Factor, kSize / 2> with_bit;
  factors[0] = Factor::one();
  for (std::uint32_t i = 0; i < leaf_bits_; ++i) {
    const std::size_t half = std::size_t{1} << i;
    if (in_leaf_[i].empty()) {
      std::copy_n(factors.begin(), half, factors.begin() + static_cast<std::ptrdiff_t>(half));
      continue;
    }
    std::array<Factor, kLeafBits> of_bit;
    of_bit.fill(Factor::one());
    for (const Partner& partner : in_leaf_[i]) of_bit[partner.bit] = factors_[partner.slot];
    with_bit[0] = Factor::one();
    for (std::uint32_t j = 0; j < i; ++j)
      for (std::size_t at = 0; at < std::size_t{1} << j; ++at)
        with_bit[at | std::size_t{1} << j] = with_bit[at] * of_bit[j];
    for (std::size_t at = 0; at < half; ++at) factors[at | half] = factors[at] * with_bit[at];
  }
  const std::size_t size = std::size_t{1} << leaf_bits_;
  base_.resize(2 * size);
  for (std::size_t at = 0; at < size; ++at) {
    base_[re_at<Real>(at)] = static_cast<Real>(factors[at].re);
    base_[re_at<Real>(at) + kLanes<Real>] = static_cast<Real>(factors[at].im);
  }
}

template <class Real>
class PhaseGroup<Real>::Walk {
 public:
  Walk(const PhaseGroup& group, Real* table, const TileKernels<Real>& kernels,
       const std::function<void(const PhaseLeaf<Real>&)>& at_leaf)
      : group_(group), table_(table), kernels_(kernels), at_leaf_(at_leaf) {}

  void run(std::uint64_t base) {
    for (std::uint32_t i = 0; i < group_.tile_bits_; ++i) linear_[i] = group_.factors_[group_.tile_slots_[i]];
    Factor factor{.re = group_.scale_, .im = 0};
    for (const std::uint32_t bit : group_.outside_) {
      if ((base >> bit & 1) == 0) continue;
      factor = factor * group_.factors_[bit];
      for (const Partner& partner : group_.partners_[bit])  // pairs outside, each once
        if (partner.bit < bit && (base >> partner.bit & 1) != 0) factor = factor * group_.factors_[partner.slot];
      for (const Partner& partner : group_.from_outside_[bit]) {
        linear_[partner.bit] = linear_[partner.bit] * group_.factors_[partner.slot];
        if (in_leaf(partner)) ++changes_;
      }
    }
    descend(0, 0, factor);
  }

 private:
  void descend(std::size_t k, std::uint64_t place, Factor factor) {
    if (k == group_.order_.size()) return leaf(place, factor);
    const std::uint32_t bit = group_.order_[k];
    descend(k + 1, place, factor);
    std::array<Factor, kBitsMax> before;
    std::size_t saved = 0;
    for (const Partner& partner : group_.below_[k]) {
      before[saved++] = linear_[partner.bit];
      linear_[partner.bit] = linear_[partner.bit] * group_.factors_[partner.slot];
      if (!in_leaf(partner)) continue;
      ++changes_;
      made_ = false;
    }
    descend(k + 1, place | std::uint64_t{1} << bit, factor * linear_[bit]);
    saved = 0;
    for (const Partner& partner : group_.below_[k]) {
      linear_[partner.bit] = before[saved++];
      if (!in_leaf(partner)) continue;
      --changes_;
      made_ = false;
    }
  }

  void leaf(std::uint64_t place, Factor factor) {
    const std::uint64_t next = after(place);
    if (changes_ == 0 && group_.ones_ && factor.is_one()) return at_leaf_({.place = place, .next = next});
    if (changes_ != 0 && !made_) {
      made_ = true;
      make_table(linear_.data(), group_.leaf_bits_, group_.base_.data(), table_, kernels_);
    }
    at_leaf_({.place = place,
              .next = next,
              .phases = {.table = changes_ == 0 ? group_.table_.data() : table_,
                         .re = static_cast<Real>(factor.re),
                         .im = static_cast<Real>(factor.im)}});
  }

  /// The bits of order_ count, the last one fastest.
  std::uint64_t after(std::uint64_t place) const {
    for (std::size_t k = group_.order_.size(); k-- > 0;) {
      place ^= std::uint64_t{1} << group_.order_[k];
      if ((place >> group_.order_[k] & 1) != 0) return place;
    }
    return PhaseLeaf<Real>::kNone;
  }
  bool in_leaf(const Partner& partner) const { return partner.bit < group_.leaf_bits_; }

  const PhaseGroup& group_;
  Real* table_;
  const TileKernels<Real>& kernels_;
  const std::function<void(const PhaseLeaf<Real>&)>& at_leaf_;
  std::array<Factor, kBitsMax> linear_;  ///< of the tile's bits, with what the bits decided so far add
  std::uint32_t changes_ = 0;  ///< of bits of the leaf, by bits that are decided
  bool made_ = false;  ///< the table, for those
};

template <class Real>
void PhaseGroup<Real>::for_leaves(std::uint64_t base, Real* scratch, const TileKernels<Real>& kernels,
                                  const std::function<void(const PhaseLeaf<Real>&)>& leaf) const {
  Walk(*this, scratch, kernels, leaf).run(base);
}

template <class Real>
std::size_t PhaseGroup<Real>::bytes() const {
  constexpr std::size_t kLists = 5;  // of which each bit has one, with its partners
  return sizeof(PhaseGroup) + num_bits_ * kLists * sizeof(std::vector<Partner>) +
         num_slots_ * (kLists * sizeof(Partner) + 2 * sizeof(Factor)) + sources_.size() * sizeof(Source) +
         2 * kScratch * sizeof(Real);
}

template class PhaseGroup<float>;
template class PhaseGroup<double>;

}  // namespace tandem::statevector

// BasicStateVector: expectations and samples.
#include <bit>
#include <cmath>

#include "tandem/base/assert.h"
#include "tandem/base/rng.h"
#include "tandem/compute/statevector/reductions.h"

namespace tandem::statevector {
namespace {

using observable::PauliSum;
using observable::PauliTerm;

/// Shots drawn and sorted at once: 8 MiB of random numbers. Fixed, because each chunk has a random stream of its own.
constexpr std::uint64_t kShotsInAChunk = 1u << 20;

bool odd(std::uint64_t bits) { return (std::popcount(bits) & 1) != 0; }

/// P |z> = i^popcount(x & z_mask) (-1)^popcount(z & z_mask) |z ^ x>, for Y = i X Z. So <P> is i to that power times the
/// signed sum of conj(psi(z ^ x)) psi(z), whose real or imaginary part is taken.
struct Power {
  bool imaginary;
  double sign;
};
Power power_of(const PauliTerm& term) {
  switch (std::popcount(term.x & term.z) % 4) {
    case 0:
      return {.imaginary = false, .sign = 1};
    case 1:
      return {.imaginary = true, .sign = -1};
    case 2:
      return {.imaginary = false, .sign = -1};
    default:
      return {.imaginary = true, .sign = 1};
  }
}

/// One stretch's share of the terms, which have one x mask.
class ShareOfTerms {
 public:
  ShareOfTerms(std::span<const PauliTerm> terms, std::uint32_t block_bits)
      : terms_(terms), low_((std::uint64_t{1} << block_bits) - 1) {}

  /// `ket` is stretch `index` of `size` places and `bra` the one that x maps it to.
  template <class Real>
  double share(const Real* bra, const Real* ket, std::uint64_t index, std::uint64_t size) {
    return part(bra, ket, index, size, false) + part(bra, ket, index, size, true);
  }

 private:
  template <class Real>
  double part(const Real* bra, const Real* ket, std::uint64_t index, std::uint64_t size, bool imaginary) {
    const std::uint64_t base = index * size;
    double sum = 0;
    bool transformed = false;
    for (const PauliTerm& term : terms_) {
      const Power power = power_of(term);
      if (power.imaginary != imaginary) continue;
      if (!transformed) {
        // After the transform the signed sum of every z mask stands in its place.
        values_.resize(size);
        overlaps(bra, ket, term.x & low_, imaginary, values_);
        walsh_hadamard(values_);
        transformed = true;
      }
      const double signed_sum = odd(term.z & base) ? -values_[term.z & low_] : values_[term.z & low_];
      sum += term.coefficient * power.sign * signed_sum;
    }
    return sum;
  }

  std::span<const PauliTerm> terms_;
  std::uint64_t low_;
  std::vector<double> values_;
};

/// Adds `draws` (ascending) to what the places from `base` on gave: walks them from `before`, the weight of all places below. The states
/// are places still.
template <typename WeightOf>
void place_draws(const WeightOf& weight_of, std::uint64_t base, std::uint64_t size, double before,
                 std::span<const double> draws, std::vector<BasisCount>& out) {
  double sum = before;
  std::size_t next = 0;
  std::uint64_t last_possible = size;
  for (std::uint64_t i = 0; i < size && next < draws.size(); ++i) {
    const double weight = weight_of(base + i);
    if (weight == 0) continue;
    last_possible = i;
    sum += weight;
    const std::size_t first = next;
    while (next < draws.size() && draws[next] < sum) ++next;
    if (next > first) out.push_back({base + i, next - first});
  }
  // The share's own sum was added in another order; what rounding leaves over falls to the last state that can be.
  if (next == draws.size()) return;
  TANDEM_ASSERT(last_possible < size);
  if (!out.empty() && out.back().state == base + last_possible) {
    out.back().count += draws.size() - next;
  } else {
    out.push_back({base + last_possible, draws.size() - next});
  }
}

/// Merges two ascending stretches that meet at `middle`, and adds equal states.
void merge(std::vector<BasisCount>& counts, std::size_t middle) {
  std::ranges::inplace_merge(counts, counts.begin() + static_cast<std::ptrdiff_t>(middle), {}, &BasisCount::state);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (kept > 0 && counts[kept - 1].state == counts[i].state) {
      counts[kept - 1].count += counts[i].count;
    } else {
      counts[kept++] = counts[i];
    }
  }
  counts.resize(kept);
}

}  // namespace

template <class Real>
double BasicStateVector<Real>::expectation(const PauliSum& observable) const {
  TANDEM_ASSERT(observable.num_qubits() == num_qubits());
  const Amplitudes& amplitudes = *amplitudes_;
  const Frame& frame = amplitudes.frame;
  // Terms on places: where a bit is flipped, Z and Y change their sign.
  std::vector<PauliTerm> terms;
  for (const PauliTerm& term : observable.terms()) {
    PauliTerm moved{.x = frame.moved(term.x), .z = frame.moved(term.z), .coefficient = term.coefficient};
    if (odd(moved.z & frame.flipped)) moved.coefficient = -moved.coefficient;
    terms.push_back(moved);
  }
  std::ranges::stable_sort(terms, {}, &PauliTerm::x);
  const std::uint64_t size = amplitudes.share_size();
  double value = 0;
  for (std::size_t first = 0; first < terms.size();) {
    const std::uint64_t x = terms[first].x;
    std::size_t last = first;
    while (last < terms.size() && terms[last].x == x) ++last;
    const auto group = std::span<const PauliTerm>(terms).subspan(first, last - first);
    first = last;
    // Stretches that x exchanges give the same share, so the one with the highest exchanged bit set is left out.
    const std::uint64_t exchanged = x >> amplitudes.share_bits();
    const std::uint64_t skip = std::bit_floor(exchanged);
    const double sum = block_sum(*executor_, amplitudes.num_shares(), [&](std::size_t i) {
      if ((i & skip) != 0) return 0.0;
      const auto stretch = [&](std::uint64_t at) { return amplitudes.memory.get() + 2 * at * size; };
      return ShareOfTerms(group, amplitudes.share_bits()).share(stretch(i ^ exchanged), stretch(i), i, size);
    });
    value += skip != 0 ? 2 * sum : sum;
  }
  return value * std::norm(frame.scale);
}

template <class Real>
std::vector<BasisCount> BasicStateVector<Real>::sample(std::uint64_t shots, std::uint64_t seed) const {
  const Amplitudes& amplitudes = *amplitudes_;
  const std::uint64_t num_blocks = amplitudes.num_shares();
  const std::uint64_t size = amplitudes.share_size();
  std::vector<double> before = block_values(
      *executor_, num_blocks, [&](std::size_t i) { return sum_of_squares(amplitudes.memory.get(), i * size, size); });
  double total = 0;
  for (double& entry : before) {
    const double weight = entry;
    entry = total;
    total += weight;
  }
  std::vector<BasisCount> counts;
  std::vector<double> draws;
  for (std::uint64_t chunk = 0; chunk * kShotsInAChunk < shots; ++chunk) {
    draws.resize(std::min(kShotsInAChunk, shots - chunk * kShotsInAChunk));
    Xoshiro256 rng(derive_seed(seed, chunk));
    for (double& draw : draws) draw = rng.uniform() * total;
    std::ranges::sort(draws);
    // first_draw[b]: the first draw that falls into block b or above. Blocks without weight get none.
    std::vector<std::size_t> first_draw(num_blocks + 1, draws.size());
    for (std::uint64_t block = 0; block < num_blocks; ++block) {
      first_draw[block] = static_cast<std::size_t>(std::ranges::lower_bound(draws, before[block]) - draws.begin());
    }
    std::vector<std::vector<BasisCount>> placed(num_blocks);
    for_blocks(*executor_, num_blocks, [&](std::size_t i) {
      const auto own = std::span(draws).subspan(first_draw[i], first_draw[i + 1] - first_draw[i]);
      if (own.empty()) return;
      place_draws([&](std::uint64_t place) { return amplitudes.weight(place); }, i * size, size, before[i], own,
                  placed[i]);
    });
    const std::size_t middle = counts.size();
    for (const auto& block : placed) counts.insert(counts.end(), block.begin(), block.end());
    merge(counts, middle);
  }
  if (!amplitudes.frame.is_trivial()) {
    for (BasisCount& count : counts) count.state = amplitudes.frame.state(count.state);
    std::ranges::sort(counts, {}, &BasisCount::state);
  }
  return counts;
}

template double BasicStateVector<double>::expectation(const PauliSum&) const;
template double BasicStateVector<float>::expectation(const PauliSum&) const;
template std::vector<BasisCount> BasicStateVector<double>::sample(std::uint64_t, std::uint64_t) const;
template std::vector<BasisCount> BasicStateVector<float>::sample(std::uint64_t, std::uint64_t) const;

}  // namespace tandem::statevector

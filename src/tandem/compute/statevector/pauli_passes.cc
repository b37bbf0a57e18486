#include "tandem/compute/statevector/pauli_passes.h"

#include <algorithm>
#include <map>

#include "tandem/compute/statevector/tiles.h"

namespace tandem::statevector {
namespace {

using observable::PauliTerm;

/// The bits of `value` where `mask` has ones, together.
std::uint64_t extract(std::uint64_t value, std::uint64_t mask) {
  std::uint64_t out = 0;
  for (std::uint32_t at = 0; mask != 0; mask &= mask - 1, ++at)
    if ((value & mask & (0 - mask)) != 0) out |= std::uint64_t{1} << at;
  return out;
}

/// As many desks as threads, or as the machine gives memory for.
template <class Real>
Result<std::unique_ptr<Desks<Desk<Real>>>> desks_for(const Tiling& tiling, std::size_t num_states,
                                                     const Executor& executor) {
  const std::uint64_t numbers = tiling.in_a_row() ? 0 : 2 * tiling.size();
  auto out = std::make_unique<Desks<Desk<Real>>>(
      threads_of(executor), [&] { return new_desk<Real>(numbers, num_states, tiling.size() + SignedSums::kRun); });
  if (out->count() == 0) {
    return fail(errors::kOutOfMemory,
                "the machine refused {} bytes to work in beside the state vector; use fewer qubits",
                numbers * num_states * sizeof(Real) + (tiling.size() + SignedSums::kRun) * sizeof(double));
  }
  return out;
}

/// body(tile) for all tiles, by at most as many threads as there are desks.
template <typename Body>
void for_tiles(Executor& executor, std::uint64_t count, std::size_t threads, const Body& body) {
  if (count == 1)
    body(std::size_t{0});
  else
    executor.parallel(count, threads, body);
}

}  // namespace

template <class Real>
PauliPasses<Real>::PauliPasses(std::span<const PauliTerm> terms, const Frame& frame, std::uint32_t num_bits)
    : num_bits_(num_bits) {
  const TileShape shape = kPairShape<Real>;
  std::vector<PauliTerm> moved;
  moved.reserve(terms.size());
  for (const PauliTerm& term : terms) {
    // Where a bit is flipped, Z and Y change their sign.
    const std::uint64_t z = frame.moved(term.z);
    moved.push_back({.x = frame.moved(term.x),
                     .z = z,
                     .coefficient = odd(z & frame.flipped) ? -term.coefficient : term.coefficient});
  }
  if (num_bits <= shape.most) {
    if (!moved.empty()) add_pass(moved, ones(num_bits), 0);
    return;
  }
  // Masks with few bits above the rows are gathered into tiles, the first that fits; the others take the lowest tile and exchange it.
  const std::uint64_t rows = ones(shape.row);
  const std::uint64_t lowest = ones(shape.most);
  struct Bin {
    std::uint64_t tile;
    std::uint64_t exchanged;
    std::vector<PauliTerm> terms;
  };
  std::vector<Bin> bins;
  std::map<std::uint64_t, std::size_t> bin_of;  // by the bits above the rows
  for (const PauliTerm& term : moved) {
    const std::uint64_t high = term.x & ~rows;
    auto known = bin_of.find(high);
    if (known == bin_of.end()) {
      const auto fits = [&](std::uint64_t tile) {
        return static_cast<std::uint32_t>(std::popcount(tile | high)) <= shape.most;
      };
      std::size_t at = 0;
      if (fits(rows)) {
        while (at < bins.size() && (bins[at].exchanged != 0 || !fits(bins[at].tile))) ++at;
        if (at == bins.size()) bins.push_back({rows, 0, {}});
        bins[at].tile |= high;
      } else {
        while (at < bins.size() && (bins[at].exchanged == 0 || bins[at].exchanged != (high & ~lowest))) ++at;
        if (at == bins.size()) bins.push_back({lowest, high & ~lowest, {}});
      }
      known = bin_of.emplace(high, at).first;
    }
    bins[known->second].terms.push_back(term);
  }
  for (Bin& bin : bins) {
    for (std::uint64_t rest = ones(num_bits) & ~bin.tile; std::popcount(bin.tile) < static_cast<int>(shape.most);
         rest &= rest - 1)
      bin.tile |= rest & (0 - rest);
    add_pass(bin.terms, bin.tile, bin.exchanged);
  }
}

template <class Real>
void PauliPasses<Real>::add_pass(std::span<const PauliTerm> terms, std::uint64_t tile, std::uint64_t exchanged) {
  Pass pass{.exchanged = exchanged};
  for (std::uint64_t rest = tile; rest != 0; rest &= rest - 1)
    pass.tile_bits.push_back(static_cast<std::uint32_t>(std::countr_zero(rest)));
  std::map<std::pair<std::uint64_t, Part>, std::vector<Term>> groups;
  for (const PauliTerm& term : terms) {
    // P takes |z> to i^k (-1)^|z & mask| |z ^ x>, k being the number of Y.
    const int k = std::popcount(term.x & term.z) % 4;
    const bool negative = k == 1 || k == 2;  // of the real part: Re(i s) = -Im s
    groups[{extract(term.x, tile), k % 2 == 0 ? Part::kReal : Part::kImaginary}].push_back(
        {.outside = term.z & ~tile,
         .mask = extract(term.z, tile),
         .place = 0,
         .coefficient = negative ? -term.coefficient : term.coefficient});
  }
  for (auto& [key, members] : groups) {
    Group group{.x = key.first, .part = key.second, .terms = std::move(members), .period = kLanes<Real>, .sums = {}};
    std::vector<std::uint64_t> masks;
    for (const Term& term : group.terms) {
      masks.push_back(term.mask);
      group.period = std::max(group.period, std::bit_ceil(term.mask + 1));
    }
    std::ranges::sort(masks);
    masks.erase(std::unique(masks.begin(), masks.end()), masks.end());
    group.sums = SignedSums(std::move(masks), static_cast<std::uint32_t>(std::popcount(tile)));
    for (Term& term : group.terms) term.place = group.sums.place_of(term.mask);
    pass.groups.push_back(std::move(group));
  }
  passes_.push_back(std::move(pass));
}

template <class Real>
std::size_t PauliPasses<Real>::bytes() const {
  std::size_t out = sizeof(PauliPasses);
  for (const Pass& pass : passes_) {
    out += sizeof(Pass);
    for (const Group& group : pass.groups)
      out += sizeof(Group) + group.terms.size() * (sizeof(Term) + 5 * sizeof(std::uint64_t));  // and their signed sums
  }
  return out;
}

template <class Real>
Result<double> PauliPasses<Real>::expectation(const Real* ket, simd::Isa isa, Executor& executor) const {
  const PauliKernels<Real>& kernels = pauli_kernels<Real>(isa);
  double value = 0;
  for (const Pass& pass : passes_) {
    const Tiling tiling(pass.tile_bits, kPairShape<Real>.row, num_bits_);
    const bool pairs = pass.exchanged != 0;
    TANDEM_TRY_ASSIGN(const auto desks, desks_for<Real>(tiling, pairs ? 2 : 1, executor));
    // Tiles that are exchanged have the same share, so the one with the highest exchanged bit set is left out.
    const std::uint64_t skip = std::bit_floor(pass.exchanged);
    std::vector<double> shares(tiling.num_tiles());
    for_tiles(executor, tiling.num_tiles(), desks->count(), [&](std::size_t number) {
      const std::uint64_t base = tiling.base(number);
      if ((base & skip) != 0) return;
      auto desk = desks->take();
      const Real* const own = tiling.take(ket, base, desk->tiles[0].get());
      const Real* const other = pairs ? tiling.take(ket, base ^ pass.exchanged, desk->tiles[1].get()) : own;
      double share = 0;
      for (const Group& group : pass.groups) {
        group.sums.sums(desk->values(), kernels.sums, [&](std::uint64_t first, std::uint64_t count, double* out) {
          kernels.overlaps(own, other, first / kLanes<Real>, count / kLanes<Real>, group.x >> kLaneBits<Real>,
                           static_cast<std::uint32_t>(group.x & (kLanes<Real> - 1)), group.part, out);
        });
        for (const Term& term : group.terms) {
          const double part = term.coefficient * desk->values()[term.place];
          share += odd(term.outside & base) ? -part : part;
        }
      }
      desks->give(std::move(desk));
      shares[number] = share;
    });
    double sum = 0;
    for (const double share : shares) sum += share;
    value += pairs ? 2 * sum : sum;
  }
  return value;
}

template <class Real>
Result<void> PauliPasses<Real>::apply(const Real* ket, Real* bra, simd::Isa isa, Executor& executor) const {
  const PauliKernels<Real>& kernels = pauli_kernels<Real>(isa);
  if (passes_.empty()) {
    const std::uint64_t run = std::min<std::uint64_t>(std::uint64_t{2} << kShareBits, std::uint64_t{2} << num_bits_);
    for_blocks(executor, (std::uint64_t{2} << num_bits_) / run,
               [&](std::size_t i) { std::fill_n(bra + i * run, run, Real(0)); });
  }
  for (const Pass& pass : passes_) {
    const bool first = &pass == &passes_.front();
    const Tiling tiling(pass.tile_bits, kPairShape<Real>.row, num_bits_);
    TANDEM_TRY_ASSIGN(const auto desks, desks_for<Real>(tiling, 2, executor));
    for_tiles(executor, tiling.num_tiles(), desks->count(), [&](std::size_t number) {
      const std::uint64_t base = tiling.base(number);
      const std::uint64_t image = base ^ pass.exchanged;
      auto desk = desks->take();
      const std::span<double> weights = desk->values();
      const Real* const own = tiling.take(ket, base, desk->tiles[0].get());
      Real* const other = first ? tiling.in_a_row() ? bra + 2 * image : desk->tiles[1].get()
                                : tiling.take(bra, image, desk->tiles[1].get());
      if (first) std::fill_n(other, 2 * tiling.size(), Real(0));
      for (const Group& group : pass.groups) {
        // i^k as it stands: the coefficient has the sign of the real part, which differs where i is left over.
        const double sign = group.part == Part::kReal ? 1 : -1;
        for (const Term& term : group.terms) weights[term.mask] = 0;
        for (const Term& term : group.terms)
          weights[term.mask] += odd(term.outside & base) ? -sign * term.coefficient : sign * term.coefficient;
        group.sums.spread(weights.first(group.period), kernels.sums);
        kernels.add_image(own, other, tiling.size() / kLanes<Real>, group.x >> kLaneBits<Real>,
                          static_cast<std::uint32_t>(group.x & (kLanes<Real> - 1)), group.part, weights.data(),
                          group.period);
      }
      tiling.put(other, image, bra);
      desks->give(std::move(desk));
    });
  }
  return {};
}

template class PauliPasses<float>;
template class PauliPasses<double>;

}  // namespace tandem::statevector

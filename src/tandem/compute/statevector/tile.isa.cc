#include "tandem/compute/statevector/lane_kernels.h"
#include "tandem/compute/statevector/route_kernels.h"
#include "tandem/compute/statevector/tile_kernels.h"
#include "tandem/compute/statevector/turn_kernels.h"
#include "tandem/compute/statevector/vector_kernels.h"

namespace tandem::statevector::TANDEM_ISA {
namespace {

// ---- turns on bits above the lanes

/// A reading of the tile has half the numbers of 2^kTurnsAtOnce blocks in registers: of any set there are 16 at least.
constexpr std::size_t kTurnsAtOnce = 3;

/// `kLarge`: a bit for each of `kCount` turns.
template <class Real, std::size_t kCount, unsigned kLarge, bool kAboutX>
void turn_blocks(Real* tile, std::uint64_t num_blocks, const Turn<Real>* turns) {
  const Group<Real, kCount> group(turns, num_blocks);
  std::uint64_t run = 0;
  for (std::uint64_t left = group.num_runs; left > 0; --left, run = group.after(run)) {
    Real* const begin = tile + run;
    for (Real* block = begin; block < begin + group.length; block += group.step)
      for (std::size_t k = 0; k < kLanes<Real>; k += kWidth<Real>)
        turn_systems<Real, kCount, kLarge, kAboutX>(block + k, group);
  }
}

template <class Real, std::size_t kCount, bool kAboutX, unsigned kLarge = 0>
void turn_as(unsigned large, Real* tile, std::uint64_t num_blocks, const Turn<Real>* turns) {
  if (large == kLarge)
    turn_blocks<Real, kCount, kLarge, kAboutX>(tile, num_blocks, turns);
  else if constexpr (kLarge + 1 < 1u << kCount)
    turn_as<Real, kCount, kAboutX, kLarge + 1>(large, tile, num_blocks, turns);
}

template <class Real, std::size_t kCount>
void turn_together(Real* tile, std::uint64_t num_blocks, const Turn<Real>* turns) {
  unsigned large = 0;
  for (std::size_t i = 0; i < kCount; ++i) large |= static_cast<unsigned>(turns[i].large) << i;
  if (turns[0].about_x)
    turn_as<Real, kCount, true>(large, tile, num_blocks, turns);
  else
    turn_as<Real, kCount, false>(large, tile, num_blocks, turns);
}

template <class Real>
void turn(Real* tile, std::uint64_t num_blocks, const Turn<Real>* turns, std::size_t count) {
  while (count > 0) {
    const std::size_t now = count < kTurnsAtOnce ? count : kTurnsAtOnce;
    if (now == 1) turn_together<Real, 1>(tile, num_blocks, turns);
    if (now == 2) turn_together<Real, 2>(tile, num_blocks, turns);
    if (now == 3) turn_together<Real, 3>(tile, num_blocks, turns);
    turns += now;
    count -= now;
  }
}

// ---- mirrored blocks

template <class Real, bool kLarge>
void turn_mirror_by(Real* a, Real* b, std::uint64_t num_blocks, std::uint64_t count, Vector<Real> ratio) {
  b += (num_blocks - 1) * 2 * kLanes<Real>;
  for (std::uint64_t i = 0; i < count; ++i, a += 2 * kLanes<Real>, b -= 2 * kLanes<Real>) {
    Half<Real> ar = load(a), ai = load(a + kLanes<Real>);
    Half<Real> br = reversed(load(b)), bi = reversed(load(b + kLanes<Real>));
    for (std::size_t k = 0; k < kVectors<Real>; ++k) {
      turn_pair<Real, kLarge, true, true, true>(ar.v[k], bi.v[k], ratio);
      turn_pair<Real, kLarge, true, false, true>(ai.v[k], br.v[k], ratio);
    }
    store(a, ar);
    store(a + kLanes<Real>, ai);
    store(b, reversed(br));
    store(b + kLanes<Real>, reversed(bi));
  }
}

template <class Real>
void turn_mirror(Real* a, Real* b, std::uint64_t num_blocks, std::uint64_t count, const Turn<Real>& turn) {
  (turn.large ? turn_mirror_by<Real, true> : turn_mirror_by<Real, false>)(a, b, num_blocks, count, all(turn.ratio));
}

/// keep x + mix y, complex, lane by lane.
template <class Real, PairKind kKind>
inline void combine(const Half<Real>& xr, const Half<Real>& xi, const Half<Real>& yr, const Half<Real>& yi,
                    const Real* keep, const Real* mix, Real* to) {
  for (std::size_t k = 0; k < kVectors<Real>; ++k) {
    const std::size_t l = k * kWidth<Real>;
    const Vector<Real> mr = at(mix + l), mi = at(mix + kLanes<Real> + l);
    if constexpr (kKind == PairKind::kExchange) {
      at(to + l) = mr != 0 ? yr.v[k] : xr.v[k];
      at(to + kLanes<Real> + l) = mr != 0 ? yi.v[k] : xi.v[k];
      continue;
    }
    const Vector<Real> kr = at(keep + l), ki = at(keep + kLanes<Real> + l);
    if constexpr (kKind == PairKind::kReal) {
      at(to + l) = mul_add<true>(kr, xr.v[k], mr * yr.v[k]);
      at(to + kLanes<Real> + l) = mul_add<true>(kr, xi.v[k], mr * yi.v[k]);
    } else if constexpr (kKind == PairKind::kImaginaryMix) {
      at(to + l) = mul_sub<true>(kr, xr.v[k], mi * yi.v[k]);
      at(to + kLanes<Real> + l) = mul_add<true>(kr, xi.v[k], mi * yr.v[k]);
    } else {
      Vector<Real> re = mr * yr.v[k];
      re = fnma(mi, yi.v[k], re);
      re = fma(kr, xr.v[k], re);
      at(to + l) = sub_mul<true>(ki, xi.v[k], re);
      Vector<Real> im = mr * yi.v[k];
      im = fma(mi, yr.v[k], im);
      im = fma(kr, xi.v[k], im);
      at(to + kLanes<Real> + l) = mul_add<true>(ki, xr.v[k], im);
    }
  }
}

/// `kMoved`: lanes change their place, which is slow where they do not.
template <class Real, PairKind kKind, bool kMoved>
void pairs(Real* tile, std::uint64_t num_blocks, const PairWork<Real>& work) {
  constexpr std::size_t kBlock = 2 * kLanes<Real>;
  const auto partner = [&](const Half<Real>& half) { return kMoved ? moved(half, work.lanes) : half; };
  std::uint64_t block = 0;  // its operand bits are 0
  do {
    Real* const a = tile + (block | work.a) * kBlock;
    Real* const b = tile + (block | work.b) * kBlock;
    const Half<Real> ar = load(a), ai = load(a + kLanes<Real>);
    if (work.a == work.b) {
      combine<Real, kKind>(ar, ai, partner(ar), partner(ai), work.a_keep, work.a_mix, a);
    } else {
      const Half<Real> br = load(b), bi = load(b + kLanes<Real>);
      combine<Real, kKind>(ar, ai, partner(br), partner(bi), work.a_keep, work.a_mix, a);
      combine<Real, kKind>(br, bi, partner(ar), partner(ai), work.b_keep, work.b_mix, b);
    }
    block = ((block | work.operands) + 1) & ~work.operands;  // the carry runs through the operand bits
  } while (block < num_blocks && block != 0);
}

template <class Real, PairKind kKind>
void pairs_of(Real* tile, std::uint64_t num_blocks, const PairWork<Real>& work) {
  (work.lanes == 0 ? pairs<Real, kKind, false> : pairs<Real, kKind, true>)(tile, num_blocks, work);
}

template <class Real>
void pair(Real* tile, std::uint64_t num_blocks, const PairWork<Real>& work) {
  switch (work.kind) {
    case PairKind::kExchange:
      return pairs_of<Real, PairKind::kExchange>(tile, num_blocks, work);
    case PairKind::kReal:
      return pairs_of<Real, PairKind::kReal>(tile, num_blocks, work);
    case PairKind::kImaginaryMix:
      return pairs_of<Real, PairKind::kImaginaryMix>(tile, num_blocks, work);
    case PairKind::kGeneral:
      return pairs_of<Real, PairKind::kGeneral>(tile, num_blocks, work);
  }
}

// ---- dense gates

/// re + i im, which `kFresh` was nothing, += lanes of c times x + i y.
template <class Real, bool kFresh>
inline void add_product(Vector<Real>& re, Vector<Real>& im, const Real* c, Vector<Real> x, Vector<Real> y) {
  const Vector<Real> cr = held(at(c)), ci = held(at(c + kLanes<Real>));
  re = kFresh ? cr * x : fma(cr, x, re);
  im = kFresh ? cr * y : fma(cr, y, im);
  re = fnma(ci, y, re);
  im = fma(ci, x, im);
}

/// `Ends`: Within or Route. Both bits above the lanes. All sums at once, so that none waits for its last term.
template <class Real, class Ends>
void dense_blocks(Ends ends, std::uint64_t num_blocks, DensePair pair, const Real* c, Asking<Real> asking) {
  constexpr std::size_t kHalf = kLanes<Real>;
  const std::uint64_t low = std::uint64_t{1} << (pair.low - kLaneBits<Real>);
  const std::uint64_t high = std::uint64_t{1} << (pair.high - kLaneBits<Real>);
  for (std::uint64_t upper = 0; upper < num_blocks; upper += 2 * high) {
    for (std::uint64_t begin = upper; begin < upper + high; begin += 2 * low) {
      for (std::uint64_t block = begin; block < begin + low; ++block) {
        asking.blocks(4);
        const Real* const read[4] = {ends.from(block), ends.from(block + low), ends.from(block + high),
                                     ends.from(block + low + high)};
        Real* const left[4] = {ends.to(block), ends.to(block + low), ends.to(block + high),
                               ends.to(block + low + high)};
        for (std::size_t k = 0; k < kHalf; k += kWidth<Real>) {
          Vector<Real> re[4], im[4];
#pragma GCC unroll 4
          for (std::size_t from = 0; from < 4; ++from) {
            const Vector<Real> x = at(read[from] + k), y = at(read[from] + kHalf + k);
#pragma GCC unroll 4
            for (std::size_t to = 0; to < 4; ++to) {
              const Real* const factor = c + (from * 4 + to) * 2 * kHalf;
              if (from == 0)
                add_product<Real, true>(re[to], im[to], factor, x, y);
              else
                add_product<Real, false>(re[to], im[to], factor, x, y);
            }
          }
#pragma GCC unroll 4
          for (std::size_t to = 0; to < 4; ++to) {
            ends.leave(left[to] + k, re[to]);
            ends.leave(left[to] + kHalf + k, im[to]);
          }
        }
      }
    }
  }
}

/// The low bit is lane bit `kLow`, the other one above.
template <class Real, std::uint32_t kLow, class Ends>
void dense_lane(Ends ends, std::uint64_t num_blocks, DensePair pair, const Real* c, Asking<Real> asking) {
  constexpr std::size_t kHalf = kLanes<Real>;
  constexpr std::size_t kStep = std::size_t{1} << kLow;
  const std::uint64_t distance = std::uint64_t{1} << (pair.high - kLaneBits<Real>);
  for (std::uint64_t begin = 0; begin < num_blocks; begin += 2 * distance) {
    for (std::uint64_t block = begin; block < begin + distance; ++block) {
      asking.blocks(2);
      const Real* const read[2] = {ends.from(block), ends.from(block + distance)};
      Real* const left[2] = {ends.to(block), ends.to(block + distance)};
      const Half<Real> xr[2] = {load(read[0]), load(read[1])};
      const Half<Real> xi[2] = {load(read[0] + kHalf), load(read[1] + kHalf)};
#pragma GCC unroll 4
      for (std::size_t k = 0; k < kVectors<Real>; ++k) {
        Vector<Real> re[2], im[2];
#pragma GCC unroll 4
        for (std::size_t from = 0; from < 4; ++from) {
          const bool exchanged = (from & 1) != 0;
          const Vector<Real> x = exchanged ? swapped(xr[from >> 1], kStep, k) : xr[from >> 1].v[k];
          const Vector<Real> y = exchanged ? swapped(xi[from >> 1], kStep, k) : xi[from >> 1].v[k];
#pragma GCC unroll 2
          for (std::size_t to = 0; to < 2; ++to) {
            const Real* const factor = c + (from * 2 + to) * 2 * kHalf + k * kWidth<Real>;
            if (from == 0)
              add_product<Real, true>(re[to], im[to], factor, x, y);
            else
              add_product<Real, false>(re[to], im[to], factor, x, y);
          }
        }
#pragma GCC unroll 2
        for (std::size_t to = 0; to < 2; ++to) {
          ends.leave(left[to] + k * kWidth<Real>, re[to]);
          ends.leave(left[to] + kHalf + k * kWidth<Real>, im[to]);
        }
      }
    }
  }
}

/// Both bits are lane bits.
template <class Real, std::uint32_t kLow, std::uint32_t kHigh, class Ends>
void dense_lanes(Ends ends, std::uint64_t num_blocks, const Real* c, Asking<Real> asking) {
  constexpr std::size_t kHalf = kLanes<Real>;
  constexpr std::size_t kLowStep = std::size_t{1} << kLow, kHighStep = std::size_t{1} << kHigh;
  for (std::uint64_t block = 0; block < num_blocks; ++block) {
    asking.blocks(1);
    const Real* const read = ends.from(block);
    Real* const left = ends.to(block);
    const Half<Real> xr[2] = {load(read), swapped(load(read), kHighStep)};
    const Half<Real> xi[2] = {load(read + kHalf), swapped(load(read + kHalf), kHighStep)};
#pragma GCC unroll 4
    for (std::size_t k = 0; k < kVectors<Real>; ++k) {
      Vector<Real> re, im;
#pragma GCC unroll 4
      for (std::size_t from = 0; from < 4; ++from) {
        const bool exchanged = (from & 1) != 0;
        const Vector<Real> x = exchanged ? swapped(xr[from >> 1], kLowStep, k) : xr[from >> 1].v[k];
        const Vector<Real> y = exchanged ? swapped(xi[from >> 1], kLowStep, k) : xi[from >> 1].v[k];
        const Real* const factor = c + from * 2 * kHalf + k * kWidth<Real>;
        if (from == 0)
          add_product<Real, true>(re, im, factor, x, y);
        else
          add_product<Real, false>(re, im, factor, x, y);
      }
      ends.leave(left + k * kWidth<Real>, re);
      ends.leave(left + kHalf + k * kWidth<Real>, im);
    }
  }
}

template <class Real, std::uint32_t kLow, class Ends>
void dense_lanes_from(Ends ends, std::uint64_t num_blocks, std::uint32_t high, const Real* c, Asking<Real> asking) {
  if (high == kLow + 1) return dense_lanes<Real, kLow, kLow + 1>(ends, num_blocks, c, asking);
  if constexpr (kLow + 2 < kLaneBits<Real>)
    if (high == kLow + 2) return dense_lanes<Real, kLow, kLow + 2>(ends, num_blocks, c, asking);
  if constexpr (kLow + 3 < kLaneBits<Real>) dense_lanes<Real, kLow, kLow + 3>(ends, num_blocks, c, asking);
}

/// `kLow`: lane bits below it are not the low one.
template <class Real, std::uint32_t kLow = 0, class Ends>
void dense_pair(Ends ends, std::uint64_t num_blocks, DensePair pair, const Real* c, Asking<Real> asking) {
  if constexpr (kLow == kLaneBits<Real>) {
    dense_blocks<Real>(ends, num_blocks, pair, c, asking);
  } else if (pair.low != kLow) {
    dense_pair<Real, kLow + 1>(ends, num_blocks, pair, c, asking);
  } else if (pair.high >= kLaneBits<Real>) {
    dense_lane<Real, kLow>(ends, num_blocks, pair, c, asking);
  } else if constexpr (kLow + 1 < kLaneBits<Real>) {
    dense_lanes_from<Real, kLow>(ends, num_blocks, pair.high, c, asking);
  }
}

template <class Real>
void dense(Real* tile, std::uint64_t num_blocks, const DensePair* pairs, std::size_t count, const Real* coefficients,
           const Passage<Real>* passage) {
  for (std::size_t i = 0; i < count; ++i, coefficients += kDenseNumbers<Real>) {
    const Asking<Real> asking(i == 0 ? passage : nullptr);
    if (passage != nullptr) {
      const Route<Real> route(tile, *passage, i == 0, i + 1 == count);
      if (!route.is_within_tile()) {
        dense_pair<Real>(route, num_blocks, pairs[i], coefficients, asking);
        continue;
      }
    }
    dense_pair<Real>(Within<Real>(tile), num_blocks, pairs[i], coefficients, asking);
  }
}

// ---- tables of phases

template <class Real>
void spread(Real* table, const Real* base, const Real* lanes, const Real* re, const Real* im,
            std::uint64_t num_blocks) {
  for (std::uint64_t i = 0; i < num_blocks; ++i, table += 2 * kLanes<Real>, base += 2 * kLanes<Real>) {
    const Vector<Real> sr = all(re[i]), si = all(im[i]);
    for (std::size_t k = 0; k < kLanes<Real>; k += kWidth<Real>) {
      const Vector<Real> lr = at(lanes + k), li = at(lanes + k + kLanes<Real>);
      const Vector<Real> fr = fnma(si, li, sr * lr), fi = fma(si, lr, sr * li);
      const Vector<Real> br = at(base + k), bi = at(base + k + kLanes<Real>);
      at(table + k) = fnma(fi, bi, fr * br);
      at(table + k + kLanes<Real>) = fma(fi, br, fr * bi);
    }
  }
}

}  // namespace

extern const AllTileKernels kTileKernels = {{kVectorBytes == 64, &turn<float>, &turn_lanes<float>, &turn_mirror<float>,
                                             &pair<float>, &dense<float>, &spread<float>},
                                            {kVectorBytes == 64, &turn<double>, &turn_lanes<double>,
                                             &turn_mirror<double>, &pair<double>, &dense<double>, &spread<double>}};

}  // namespace tandem::statevector::TANDEM_ISA

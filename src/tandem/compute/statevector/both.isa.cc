#include "tandem/compute/statevector/both_kernels.h"
#include "tandem/compute/statevector/turn_kernels.h"
#include "tandem/compute/statevector/vector_kernels.h"

namespace tandem::statevector::TANDEM_ISA {
namespace {

// ---- turns on bits above the lanes

/// Im <bra|Y|ket> is the sum over pairs of b a' - a b', (a, b) being parts of bra and (a', b') the same ones of ket: real parts are one system,
/// imaginary ones the other.
/// bra: in registers. As many of ket are held as one.
template <class Real, std::size_t kCount, std::size_t kSystem>
inline void read_registers(const Vector<Real>* bra, const Real* ket, const std::uint64_t* place, Vector<Real>* sums) {
#pragma GCC unroll 8
  for (std::size_t j = 0; j < std::size_t{1} << kCount; ++j) {
    const Vector<Real> own = at(ket + place[j] + (kSystem == 1 ? kLanes<Real> : 0));
#pragma GCC unroll 3
    for (std::size_t i = 0; i < kCount; ++i) {
      const Vector<Real> other = bra[j ^ std::size_t{1} << i];
      const bool positive = (j >> i & 1) == 0;
      sums[i] = positive ? fma(other, own, sums[i]) : fnma(other, own, sums[i]);
    }
  }
}

template <class Real, std::size_t kCount, unsigned kLarge, std::size_t kSystem>
inline void turn_system(Real* ket, Real* bra, const Group<Real, kCount>& group, Sums<Real>* found, std::size_t lane) {
  Vector<Real> v[std::size_t{1} << kCount];
  load_system<Real, kCount, false, kSystem>(v, bra, group);
  Vector<Real> sums[kCount] = {};
  read_registers<Real, kCount, kSystem>(v, ket, group.place, sums);
#pragma GCC unroll 3
  for (std::size_t i = 0; i < kCount; ++i) found[i].add(lane, sums[i]);
  turn_and_store<Real, kCount, kLarge, false, kSystem>(bra, v, group);
  load_system<Real, kCount, false, kSystem>(v, ket, group);
  turn_and_store<Real, kCount, kLarge, false, kSystem>(ket, v, group);
}

/// `kLarge`: a bit for each of `kCount` turns.
template <class Real, std::size_t kCount, unsigned kLarge>
void turn_blocks(Real* ket, Real* bra, std::uint64_t num_blocks, const Turn<Real>* turns, double* found) {
  constexpr std::size_t kHalf = kLanes<Real>;
  const Group<Real, kCount> group(turns, num_blocks);
  Sums<Real> sums[kCount];
  std::uint64_t run = 0;
  for (std::uint64_t left = group.num_runs; left > 0; --left, run = group.after(run)) {
    for (std::uint64_t block = run; block < run + group.length; block += group.step) {
      for (std::size_t k = 0; k < kHalf; k += kWidth<Real>) {
        turn_system<Real, kCount, kLarge, 0>(ket + block + k, bra + block + k, group, sums, k);
        turn_system<Real, kCount, kLarge, 1>(ket + block + k, bra + block + k, group, sums, k);
      }
    }
  }
  for (std::size_t i = 0; i < kCount; ++i) found[i] += sums[i].total();
}

template <class Real, std::size_t kCount, unsigned kLarge = 0>
void turn_as(unsigned large, Real* ket, Real* bra, std::uint64_t num_blocks, const Turn<Real>* turns, double* found) {
  if (large == kLarge)
    turn_blocks<Real, kCount, kLarge>(ket, bra, num_blocks, turns, found);
  else if constexpr (kLarge + 1 < 1u << kCount)
    turn_as<Real, kCount, kLarge + 1>(large, ket, bra, num_blocks, turns, found);
}

template <class Real, std::size_t kCount>
void turn_together(Real* ket, Real* bra, std::uint64_t num_blocks, const Turn<Real>* turns, double* found) {
  unsigned large = 0;
  for (std::size_t i = 0; i < kCount; ++i) large |= static_cast<unsigned>(turns[i].large) << i;
  turn_as<Real, kCount>(large, ket, bra, num_blocks, turns, found);
}

template <class Real>
void turn(Real* ket, Real* bra, std::uint64_t num_blocks, const Turn<Real>* turns, std::size_t count, double* found) {
  static_assert(kBothAtOnce == 3);
  if (count == 1) turn_together<Real, 1>(ket, bra, num_blocks, turns, found);
  if (count == 2) turn_together<Real, 2>(ket, bra, num_blocks, turns, found);
  if (count == 3) turn_together<Real, 3>(ket, bra, num_blocks, turns, found);
}

// ---- within a block

enum class LaneTurn : std::uint8_t { kNone, kSmall, kLarge };

/// What is done to each bit of the lanes.
template <class Real>
struct Lanes {
  LaneTurn turn[kLaneBits<Real>] = {};
  Vector<Real> ratio[kLaneBits<Real>] = {};
  Half<Real> mix[kLaneBits<Real>] = {};
  Half<Real> sum[kLaneBits<Real>] = {};
};

template <class Real>
struct Block {
  Half<Real> re;
  Half<Real> im;
};

template <class Real, std::uint32_t kBit>
inline void turn_lane(Block<Real>& ket, Block<Real>& bra, Lanes<Real>& lanes) {
  if (lanes.turn[kBit] == LaneTurn::kNone) return;
  const Half<Real> pr = swapped(ket.re, std::size_t{1} << kBit);
  const Half<Real> pi = swapped(ket.im, std::size_t{1} << kBit);
  Half<Real>& sum = lanes.sum[kBit];
  for (std::size_t k = 0; k < kVectors<Real>; ++k) {
    sum.v[k] = fma(bra.re.v[k], pr.v[k], sum.v[k]);
    sum.v[k] = fma(bra.im.v[k], pi.v[k], sum.v[k]);
  }
  if (lanes.turn[kBit] == LaneTurn::kSmall) {
    turn_half<Real, false>(ket.re, ket.im, pr, pi, lanes.ratio[kBit], lanes.mix[kBit]);
    turn_half<Real, kBit, false>(bra.re, bra.im, lanes.ratio[kBit], lanes.mix[kBit]);
  } else {
    turn_half<Real, true>(ket.re, ket.im, pr, pi, lanes.ratio[kBit], lanes.mix[kBit]);
    turn_half<Real, kBit, true>(bra.re, bra.im, lanes.ratio[kBit], lanes.mix[kBit]);
  }
}

template <class Real, std::uint32_t kBit>
void set_lane(Lanes<Real>& lanes, const Turn<Real>& turn) {
  lanes.turn[kBit] = turn.large ? LaneTurn::kLarge : LaneTurn::kSmall;
  lanes.ratio[kBit] = all(turn.ratio);
  lanes.mix[kBit] = turn.large ? lane_mix<Real, kBit, true>(turn.ratio) : lane_mix<Real, kBit, false>(turn.ratio);
}

template <class Real>
void turn_lanes(Real* ket, Real* bra, std::uint64_t num_blocks, const Turn<Real>* turns, std::size_t count,
                double* found) {
  constexpr std::uint64_t kBlocksInASum = 4;  // of two products each
  Lanes<Real> lanes;
  for (std::size_t i = 0; i < count; ++i) {
    if (turns[i].bit == 0) set_lane<Real, 0>(lanes, turns[i]);
    if (turns[i].bit == 1) set_lane<Real, 1>(lanes, turns[i]);
    if (turns[i].bit == 2) set_lane<Real, 2>(lanes, turns[i]);
    if constexpr (kLaneBits<Real> == 4)
      if (turns[i].bit == 3) set_lane<Real, 3>(lanes, turns[i]);
  }
  Sums<Real> sums[kLaneBits<Real>];
  const std::uint64_t step = num_blocks < kBlocksInASum ? num_blocks : kBlocksInASum;
  for (std::uint64_t first = 0; first < num_blocks; first += step) {
    for (std::size_t i = 0; i < kLaneBits<Real>; ++i) lanes.sum[i] = {};
    for (std::uint64_t block = first * 2 * kLanes<Real>; block < (first + step) * 2 * kLanes<Real>;
         block += 2 * kLanes<Real>) {
      Block<Real> k{load(ket + block), load(ket + block + kLanes<Real>)};
      Block<Real> b{load(bra + block), load(bra + block + kLanes<Real>)};
      turn_lane<Real, 0>(k, b, lanes);
      turn_lane<Real, 1>(k, b, lanes);
      turn_lane<Real, 2>(k, b, lanes);
      if constexpr (kLaneBits<Real> == 4) turn_lane<Real, 3>(k, b, lanes);
      store(ket + block, k.re);
      store(ket + block + kLanes<Real>, k.im);
      store(bra + block, b.re);
      store(bra + block + kLanes<Real>, b.im);
    }
    for (std::size_t i = 0; i < kLaneBits<Real>; ++i)
      for (std::size_t k = 0; k < kVectors<Real>; ++k) sums[i].add(k * kWidth<Real>, lanes.sum[i].v[k]);
  }
  for (std::size_t i = 0; i < count; ++i) {
    Sums<Real>& sum = sums[turns[i].bit];
    // Y takes |0> to i|1> and |1> to -i|0>.
    for (std::size_t l = 0; l < kLanes<Real>; ++l)
      if ((l >> turns[i].bit & 1) == 0) sum.lanes[l] = -sum.lanes[l];
    found[i] += sum.total();
  }
}

// ---- phases

/// `kAlone`: the factor beside the table is 1.
template <class Real, bool kAlone>
void multiply_by(Real* ket, Real* bra, std::uint64_t num_blocks, const RunPhases<Real>& phases) {
  const Vector<Real> sr = all(phases.re), si = all(phases.im);
  const Real* const table = phases.table;
  for (std::uint64_t at_block = 0; at_block < num_blocks * 2 * kLanes<Real>; at_block += 2 * kLanes<Real>) {
    for (std::size_t k = at_block; k < at_block + kLanes<Real>; k += kWidth<Real>) {
      Vector<Real> fr = at(table + k), fi = at(table + k + kLanes<Real>);
      if constexpr (!kAlone) {
        const Vector<Real> tr = fr, ti = fi;
        fr = fnma(si, ti, sr * tr);
        fi = fma(si, tr, sr * ti);
      }
      Real* const states[2] = {ket, bra};
      for (Real* const state : states) {
        const Vector<Real> xr = at(state + k), xi = at(state + k + kLanes<Real>);
        at(state + k) = sub_mul<true>(fi, xi, fr * xr);
        at(state + k + kLanes<Real>) = mul_add<true>(fi, xr, fr * xi);
      }
    }
  }
}

template <class Real>
void multiply(Real* ket, Real* bra, std::uint64_t num_blocks, const RunPhases<Real>& phases) {
  (phases.re == 1 && phases.im == 0 ? multiply_by<Real, true> : multiply_by<Real, false>)(ket, bra, num_blocks, phases);
}

}  // namespace

extern const AllBothKernels kBothKernels = {{&turn<float>, &turn_lanes<float>, &multiply<float>},
                                            {&turn<double>, &turn_lanes<double>, &multiply<double>}};

}  // namespace tandem::statevector::TANDEM_ISA

// tandem/compute/statevector/turn_kernels.h - groups of blocks that turns mix, in registers.
//
// Room: compute, inside statevector; for its kernels only (compute/simd/isa.h): those on one tile, and those on a tile of each of two states.
#pragma once

#include "tandem/compute/statevector/vector_kernels.h"

namespace tandem::statevector::TANDEM_ISA {

constexpr bool is_odd(std::size_t j) { return __builtin_parityll(j) != 0; }

/// About y, real parts mix with real parts. About x, they mix with imaginary ones: then of blocks whose number has an even number of ones
/// the one, of the others the other part makes a system by itself, and a the real one (`kRealFirst`) or not.
/// `kStored`: see mul_add.
template <class Real, bool kLarge, bool kAboutX, bool kRealFirst, bool kStored>
inline void turn_pair(Vector<Real>& a, Vector<Real>& b, Vector<Real> r) {
  const Vector<Real> x = a, y = b;
  if constexpr (!kAboutX || !kRealFirst) {
    a = kLarge ? mul_sub<kStored>(r, x, y) : sub_mul<kStored>(r, y, x);
    b = kLarge ? mul_add<kStored>(r, y, x) : mul_add<kStored>(r, x, y);
  } else {
    a = kLarge ? mul_add<kStored>(r, x, y) : mul_add<kStored>(r, y, x);
    b = kLarge ? mul_sub<kStored>(r, y, x) : sub_mul<kStored>(r, x, y);
  }
}

/// Whether the part of block j of a group that belongs to the system is the imaginary one.
template <bool kAboutX, std::size_t kSystem>
constexpr bool is_imaginary(std::size_t j) {
  return (kAboutX && is_odd(j)) != (kSystem == 1);
}

/// v: that part of each block, to be stored afterwards; `kLarge`: a bit for each of `kCount` turns; those from `kFirst` on.
template <class Real, std::size_t kCount, unsigned kLarge, bool kAboutX, std::size_t kSystem, std::size_t kFirst = 0>
__attribute__((always_inline)) inline void turn_registers(Vector<Real>* v, const Vector<Real>* ratio) {
  constexpr std::size_t kStep = std::size_t{1} << kFirst;
  constexpr bool kIsLarge = (kLarge >> kFirst & 1) != 0, kStored = kFirst + 1 == kCount;
#pragma GCC unroll 8
  for (std::size_t j = 0; j < std::size_t{1} << kCount; ++j) {
    if ((j & kStep) != 0) continue;
    if (is_odd(j) == (kSystem == 1))
      turn_pair<Real, kIsLarge, kAboutX, true, kStored>(v[j], v[j | kStep], ratio[kFirst]);
    else
      turn_pair<Real, kIsLarge, kAboutX, false, kStored>(v[j], v[j | kStep], ratio[kFirst]);
  }
  if constexpr (!kStored) turn_registers<Real, kCount, kLarge, kAboutX, kSystem, kFirst + 1>(v, ratio);
}

/// Groups of the 2^kCount blocks that `kCount` turns on bits above the lanes mix, ascending, of a tile of 2^n blocks: gone through by runs of groups
/// that are a step apart: over the lowest three bits or more in a row that are not turned, or the most there are.
template <class Real, std::size_t kCount>
struct Group {
  std::uint64_t place[std::size_t{1} << kCount] = {};  ///< of each block, in numbers from the first
  Vector<Real> ratio[kCount];
  std::uint64_t num_runs;
  std::uint64_t step;  ///< in numbers, from a group to the next one of a run
  std::uint64_t length;  ///< from the first group of a run to behind the last one

  __attribute__((always_inline)) Group(const Turn<Real>* turns, std::uint64_t num_blocks) {
    constexpr std::uint32_t kLongEnough = 3;
    std::uint32_t low = kLaneBits<Real>, run_bits = 0;
    const auto look = [&](std::uint32_t from, std::uint32_t to) {
      if (run_bits >= kLongEnough || to - from <= run_bits) return;
      low = from;
      run_bits = to - from;
    };
    std::uint32_t next = kLaneBits<Real>;
    for (std::size_t i = 0; i < kCount; ++i) {
      const std::uint64_t distance = std::uint64_t{2} << turns[i].bit;
      ratio[i] = all(turns[i].ratio);
      for (std::size_t j = 0; j < std::size_t{1} << kCount; ++j)
        if ((j >> i & 1) != 0) place[j] += distance;
      look(next, turns[i].bit);
      next = turns[i].bit + 1;
    }
    look(next, kLaneBits<Real> + static_cast<std::uint32_t>(__builtin_ctzll(num_blocks)));
    num_runs = num_blocks >> kCount >> run_bits;
    step = std::uint64_t{2} << low;
    length = step << run_bits;
    mixed_or_run_ = place[(std::size_t{1} << kCount) - 1] | (length - step);
  }
  /// Where the first block of the next run lies, in numbers from the first one of all: the carry goes through the bits that are turned or run.
  __attribute__((always_inline)) std::uint64_t after(std::uint64_t run) const {
    return ~mixed_or_run_ & ((run | mixed_or_run_) + 2 * kLanes<Real>);
  }

 private:
  std::uint64_t mixed_or_run_;
};

// ---- within a block

/// What a turn about y needs beside its ratio: -ratio where the bit is 0, ratio where it is 1; or -1 and 1.
template <class Real, std::uint32_t kBit, bool kLarge>
inline Half<Real> lane_mix(Real ratio) {
  Half<Real> mix;
  for (std::size_t l = 0; l < kLanes<Real>; ++l)
    mix.v[l / kWidth<Real>][l % kWidth<Real>] = ((l >> kBit & 1) != 0 ? 1 : -1) * (kLarge ? 1 : ratio);
  return mix;
}

template <std::size_t kSystem>
struct System {
  static constexpr std::size_t value = kSystem;
};
template <class Real, std::size_t kCount, bool kAboutX, std::size_t kSystem>
__attribute__((always_inline)) inline void load_system(Vector<Real>* v, const Real* block,
                                                       const Group<Real, kCount>& group) {
#pragma GCC unroll 8
  for (std::size_t j = 0; j < std::size_t{1} << kCount; ++j)
    v[j] = held(at(block + group.place[j] + (is_imaginary<kAboutX, kSystem>(j) ? kLanes<Real> : 0)));
}
/// body(System, numbers of a group that belong to it), which stores them: the one and the other. Both are read first where registers allow:
/// about x, what the second reads lies where the first has written in other blocks, but for bits above those that a core compares at once,
/// and one of AVX-512 waits for that (Zen 4, blocks 64 KiB apart: 0.17 instead of 0.10 ns an amplitude).
template <class Real, std::size_t kCount, bool kAboutX, class Body>
__attribute__((always_inline)) inline void for_systems(const Real* block, const Group<Real, kCount>& group,
                                                       const Body& body) {
  constexpr std::size_t kGroup = std::size_t{1} << kCount;
  Vector<Real> first[kGroup], second[kGroup];
  load_system<Real, kCount, kAboutX, 0>(first, block, group);
  if constexpr (kVectorBytes == 64) load_system<Real, kCount, kAboutX, 1>(second, block, group);
  body(System<0>{}, first);
  if constexpr (kVectorBytes != 64) load_system<Real, kCount, kAboutX, 1>(second, block, group);
  body(System<1>{}, second);
}

/// v: what load_system() gave; `kLarge`: a bit for each of `kCount` turns.
template <class Real, std::size_t kCount, unsigned kLarge, bool kAboutX, std::size_t kSystem>
__attribute__((always_inline)) inline void turn_and_store(Real* block, Vector<Real>* v,
                                                          const Group<Real, kCount>& group) {
  turn_registers<Real, kCount, kLarge, kAboutX, kSystem>(v, group.ratio);
#pragma GCC unroll 8
  for (std::size_t j = 0; j < std::size_t{1} << kCount; ++j)
    at(block + group.place[j] + (is_imaginary<kAboutX, kSystem>(j) ? kLanes<Real> : 0)) = v[j];
}
template <class Real, std::size_t kCount, unsigned kLarge, bool kAboutX>
__attribute__((always_inline)) inline void turn_systems(Real* block, const Group<Real, kCount>& group) {
  for_systems<Real, kCount, kAboutX>(block, group, [&](auto system, Vector<Real>* v) {
    turn_and_store<Real, kCount, kLarge, kAboutX, decltype(system)::value>(block, v, group);
  });
}

/// About y; pr and pi: the other lanes' parts.
template <class Real, bool kLarge>
inline void turn_half(Half<Real>& re, Half<Real>& im, const Half<Real>& pr, const Half<Real>& pi, Vector<Real> ratio,
                      const Half<Real>& mix) {
  for (std::size_t k = 0; k < kVectors<Real>; ++k) {
    re.v[k] = kLarge ? fma(ratio, re.v[k], mix.v[k] * pr.v[k]) : fma(mix.v[k], pr.v[k], re.v[k]);
    im.v[k] = kLarge ? fma(ratio, im.v[k], mix.v[k] * pi.v[k]) : fma(mix.v[k], pi.v[k], im.v[k]);
  }
}
template <class Real, std::uint32_t kBit, bool kLarge>
inline void turn_half(Half<Real>& re, Half<Real>& im, Vector<Real> ratio, const Half<Real>& mix) {
  const Half<Real> pr = swapped(re, std::size_t{1} << kBit);
  const Half<Real> pi = swapped(im, std::size_t{1} << kBit);
  turn_half<Real, kLarge>(re, im, pr, pi, ratio, mix);
}

}  // namespace tandem::statevector::TANDEM_ISA

#include "tandem/compute/statevector/lane_kernels.h"
#include "tandem/compute/statevector/route_kernels.h"

namespace tandem::statevector::TANDEM_ISA {
namespace {

enum class Phases : std::uint8_t { kNone, kTable, kTableAndFactor };

/// What phases multiply a block by.
template <class Real, Phases kPhases>
struct BlockPhases {
  Vector<Real> re;
  Vector<Real> im;

  explicit BlockPhases(const RunPhases<Real>& phases) : re(all(phases.re)), im(all(phases.im)) {}

  __attribute__((always_inline)) void apply(Half<Real>& x, Half<Real>& y, const Real* table) const {
    if constexpr (kPhases == Phases::kNone) return;
#pragma GCC unroll 4
    for (std::size_t k = 0; k < kVectors<Real>; ++k) {
      Vector<Real> fr = held(at(table + k * kWidth<Real>)), fi = held(at(table + kLanes<Real> + k * kWidth<Real>));
      if constexpr (kPhases == Phases::kTableAndFactor) {
        const Vector<Real> tr = fr, ti = fi;
        fr = fnma(im, ti, re * tr);
        fi = fma(im, tr, re * ti);
      }
      const Vector<Real> xr = x.v[k], xi = y.v[k];
      x.v[k] = fnma(fi, xi, fr * xr);
      y.v[k] = fma(fi, xr, fr * xi);
    }
  }
};

template <class Real, unsigned kBits, bool kAboutX, bool kAnyLarge, Phases kPhases>
void turn_blocks(Real* tile, std::uint64_t num_blocks, const Turn<Real>* turns, const RunPhases<Real>& phases,
                 const Passage<Real>* passage) {
  const LaneTurns<Real, kBits, kAboutX> lanes(turns);
  const BlockPhases<Real, kPhases> factors(phases);
  Asking<Real> asking(passage);
  const Real* table = phases.table;
  for (Real* block = tile; block < tile + num_blocks * 2 * kLanes<Real>; block += 2 * kLanes<Real>) {
    Half<Real> re[] = {load(block)}, im[] = {load(block + kLanes<Real>)};
    factors.apply(re[0], im[0], table);
    lanes.template apply<kAnyLarge>(re, im);
    store(block, re[0]);
    store(block + kLanes<Real>, im[0]);
    if constexpr (kPhases != Phases::kNone) table += 2 * kLanes<Real>;
    asking.blocks(1);
  }
}

/// Phases alone, where blocks come from rows or go there.
template <class Real, Phases kPhases>
void multiply_between(Route<Real> route, std::uint64_t num_blocks, const RunPhases<Real>& phases, Asking<Real> asking) {
  const BlockPhases<Real, kPhases> factors(phases);
  const Real* table = phases.table;
  for (std::uint64_t i = 0; i < num_blocks; ++i) {
    const Real* const from = route.from(i);
    Real* const to = route.to(i);
    Half<Real> re = load(from), im = load(from + kLanes<Real>);
    factors.apply(re, im, table);
#pragma GCC unroll 4
    for (std::size_t k = 0; k < kVectors<Real>; ++k) {
      route.leave(to + k * kWidth<Real>, re.v[k]);
      route.leave(to + kLanes<Real> + k * kWidth<Real>, im.v[k]);
    }
    if constexpr (kPhases != Phases::kNone) table += 2 * kLanes<Real>;
    asking.blocks(1);
  }
}

/// `bits`: those that are turned.
template <class Real, bool kAboutX, bool kAnyLarge, Phases kPhases, unsigned kBits = 0>
void turn_by(unsigned bits, Real* tile, std::uint64_t num_blocks, const Turn<Real>* turns,
             const RunPhases<Real>& phases, const Passage<Real>* passage) {
  if (bits == kBits)
    turn_blocks<Real, kBits, kAboutX, kAnyLarge, kPhases>(tile, num_blocks, turns, phases, passage);
  else if constexpr (kBits + 1 < kLanes<Real>)
    turn_by<Real, kAboutX, kAnyLarge, kPhases, kBits + 1>(bits, tile, num_blocks, turns, phases, passage);
}

}  // namespace

// A factor of 1 is rare where lanes turn, and so are phases before turns about x: neither has loops of its own.
template <class Real>
void turn_lanes(Real* tile, std::uint64_t num_blocks, const Turn<Real>* turns, std::size_t count,
                const RunPhases<Real>& phases, const Passage<Real>* passage) {
  const bool is_factor_one = phases.re == 1 && phases.im == 0;
  if (passage != nullptr) {
    const Route<Real> route(tile, *passage, true, true);
    const auto multiply = phases.table == nullptr ? multiply_between<Real, Phases::kNone>
                          : is_factor_one         ? multiply_between<Real, Phases::kTable>
                                                  : multiply_between<Real, Phases::kTableAndFactor>;
    if (!route.is_within_tile()) return multiply(route, num_blocks, phases, Asking<Real>(passage));
  }
  const bool about_x = count > 0 && turns[0].about_x;
  if (phases.table != nullptr && (count == 0 || about_x)) {
    (is_factor_one
         ? turn_blocks<Real, 0, false, false, Phases::kTable>
         : turn_blocks<Real, 0, false, false, Phases::kTableAndFactor>)(tile, num_blocks, nullptr, phases, passage);
    passage = nullptr;
    if (count == 0) return;
  }
  unsigned bits = 0;
  bool any_large = false;
  for (std::size_t i = 0; i < count; ++i) {
    bits |= 1u << turns[i].bit;
    any_large = any_large || turns[i].large;
  }
  if (about_x)
    (any_large ? turn_by<Real, true, true, Phases::kNone>
               : turn_by<Real, true, false, Phases::kNone>)(bits, tile, num_blocks, turns, phases, passage);
  else if (phases.table == nullptr)
    (any_large ? turn_by<Real, false, true, Phases::kNone>
               : turn_by<Real, false, false, Phases::kNone>)(bits, tile, num_blocks, turns, phases, passage);
  else
    (any_large ? turn_by<Real, false, true, Phases::kTableAndFactor>
               : turn_by<Real, false, false, Phases::kTableAndFactor>)(bits, tile, num_blocks, turns, phases, passage);
}

template void turn_lanes<float>(float*, std::uint64_t, const Turn<float>*, std::size_t, const RunPhases<float>&,
                                const Passage<float>*);
template void turn_lanes<double>(double*, std::uint64_t, const Turn<double>*, std::size_t, const RunPhases<double>&,
                                 const Passage<double>*);

}  // namespace tandem::statevector::TANDEM_ISA

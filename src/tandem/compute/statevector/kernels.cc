#include "tandem/compute/statevector/kernels.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "tandem/base/assert.h"
#include "tandem/base/trig.h"

namespace tandem::statevector {
namespace {

constexpr std::uint64_t kRunMin = 8;  // amplitudes in a row from which on an inner loop pays

/// State of group `group`: zeros are inserted at the places of `operands`.
std::uint64_t state_of(std::uint64_t group, std::uint64_t operands) {
  std::uint64_t state = group;
  for (std::uint64_t rest = operands; rest != 0; rest &= rest - 1) {
    const std::uint64_t below = (rest & (0 - rest)) - 1;
    state = ((state & ~below) << 1) | (state & below);
  }
  return state;
}

/// Calls body(state, run) for the groups [first, last): `run` of them stand in a row from `state` on.
template <typename Body>
void for_runs(std::uint64_t operands, std::uint64_t first, std::uint64_t last, Body body) {
  // Below the lowest operand states are contiguous; without operands all are.
  const std::uint64_t run_max = operands == 0 ? last : operands & (0 - operands);
  for (std::uint64_t group = first; group < last;) {
    const std::uint64_t run = operands == 0 ? last - first : std::min(last, (group | (run_max - 1)) + 1) - group;
    body(state_of(group, operands), run);
    group += run;
  }
}

/// Calls body(state) for the groups [first, last), one by one.
template <typename Body>
void for_states(std::uint64_t operands, std::uint64_t first, std::uint64_t last, Body body) {
  std::uint64_t state = state_of(first, operands);
  for (std::uint64_t group = first; group < last; ++group) {
    body(state);
    state = ((state | operands) + 1) & ~operands;  // the carry runs through the operand bits
  }
}

bool runs_pay(std::uint64_t operands) { return operands == 0 || (operands & (0 - operands)) >= kRunMin; }

struct Exchange {
  void operator()(double& a_re, double& a_im, double& b_re, double& b_im) const {
    std::swap(a_re, b_re);
    std::swap(a_im, b_im);
  }
};

struct Real {
  double m00, m01, m10, m11;
  void operator()(double& a_re, double& a_im, double& b_re, double& b_im) const {
    const double ar = a_re, ai = a_im, br = b_re, bi = b_im;
    a_re = m00 * ar + m01 * br;
    a_im = m00 * ai + m01 * bi;
    b_re = m10 * ar + m11 * br;
    b_im = m10 * ai + m11 * bi;
  }
};

struct RotationX {
  double m00, m01, m10, m11;  // m01 and m10 are the imaginary parts
  void operator()(double& a_re, double& a_im, double& b_re, double& b_im) const {
    const double ar = a_re, ai = a_im, br = b_re, bi = b_im;
    a_re = m00 * ar - m01 * bi;
    a_im = m00 * ai + m01 * br;
    b_re = m11 * br - m10 * ai;
    b_im = m11 * bi + m10 * ar;
  }
};

struct General {
  double m00_re, m00_im, m01_re, m01_im, m10_re, m10_im, m11_re, m11_im;
  void operator()(double& a_re, double& a_im, double& b_re, double& b_im) const {
    const double ar = a_re, ai = a_im, br = b_re, bi = b_im;
    a_re = (m00_re * ar - m00_im * ai) + (m01_re * br - m01_im * bi);
    a_im = (m00_re * ai + m00_im * ar) + (m01_re * bi + m01_im * br);
    b_re = (m10_re * ar - m10_im * ai) + (m11_re * br - m11_im * bi);
    b_im = (m10_re * ai + m10_im * ar) + (m11_re * bi + m11_im * br);
  }
};

template <typename Step>
void run_of_pairs(double* __restrict a_re, double* __restrict a_im, double* __restrict b_re, double* __restrict b_im,
                  std::uint64_t count, const Step step) {
  for (std::uint64_t i = 0; i < count; ++i) step(a_re[i], a_im[i], b_re[i], b_im[i]);
}

/// A gate on one low qubit: pairs lie within a cache line, and a fixed distance lets the compiler shuffle them.
template <std::uint64_t distance, typename Step>
void near_pairs(double* __restrict re, double* __restrict im, std::uint64_t first, std::uint64_t last,
                const Step step) {
  for (std::uint64_t i = 2 * first; i < 2 * last; i += 2 * distance) {
    for (std::uint64_t j = i; j < i + distance; ++j) step(re[j], im[j], re[j + distance], im[j + distance]);
  }
}

template <typename Step>
void apply_pairs(const Pair& pair, std::uint64_t operands, Parts parts, std::uint64_t first, std::uint64_t last,
                 const Step step) {
  double* const re = parts.re.data();
  double* const im = parts.im.data();
  const std::uint64_t a = pair.a;
  const std::uint64_t b = pair.b;
  const bool alone = a == 0 && b == operands && (first | last) % kRunMin == 0;
  if (alone && operands == 1) {
    near_pairs<1>(re, im, first, last, step);
  } else if (alone && operands == 2) {
    near_pairs<2>(re, im, first, last, step);
  } else if (alone && operands == 4) {
    near_pairs<4>(re, im, first, last, step);
  } else if (runs_pay(operands)) {
    for_runs(operands, first, last, [=](std::uint64_t state, std::uint64_t run) {
      run_of_pairs(re + (state | a), im + (state | a), re + (state | b), im + (state | b), run, step);
    });
  } else {
    for_states(operands, first, last,
               [=](std::uint64_t state) { step(re[state | a], im[state | a], re[state | b], im[state | b]); });
  }
}

void apply_pair(const Pair& pair, std::uint64_t operands, Parts parts, std::uint64_t first, std::uint64_t last) {
  const auto& m = pair.matrix;
  switch (pair.kind) {
    case PairKind::kExchange:
      apply_pairs(pair, operands, parts, first, last, Exchange{});
      break;
    case PairKind::kReal:
      apply_pairs(pair, operands, parts, first, last, Real{m[0].real(), m[1].real(), m[2].real(), m[3].real()});
      break;
    case PairKind::kRotationX:
      apply_pairs(pair, operands, parts, first, last, RotationX{m[0].real(), m[1].imag(), m[2].imag(), m[3].real()});
      break;
    case PairKind::kGeneral:
      apply_pairs(pair, operands, parts, first, last,
                  General{m[0].real(), m[0].imag(), m[1].real(), m[1].imag(), m[2].real(), m[2].imag(), m[3].real(),
                          m[3].imag()});
      break;
  }
}

void apply_phase(const Phase& phase, std::uint64_t operands, Parts parts, std::uint64_t first, std::uint64_t last) {
  double* const re = parts.re.data();
  double* const im = parts.im.data();
  const double factor_re = phase.factor.real();
  const double factor_im = phase.factor.imag();
  const auto step = [=](double& amplitude_re, double& amplitude_im) {
    const double r = amplitude_re;
    amplitude_re = factor_re * r - factor_im * amplitude_im;
    amplitude_im = factor_re * amplitude_im + factor_im * r;
  };
  if (runs_pay(operands)) {
    for_runs(operands, first, last, [=, pattern = phase.pattern](std::uint64_t state, std::uint64_t run) {
      double* __restrict run_re = re + (state | pattern);
      double* __restrict run_im = im + (state | pattern);
      for (std::uint64_t i = 0; i < run; ++i) step(run_re[i], run_im[i]);
    });
  } else {
    for_states(operands, first, last,
               [=, pattern = phase.pattern](std::uint64_t state) { step(re[state | pattern], im[state | pattern]); });
  }
}

/// Fixed lanes: the compiler may not reorder a sum, so the order that vectorises is written down.
constexpr std::size_t kLanes = 8;

template <typename Term>
double sum_in_lanes(std::size_t size, Term term) {
  std::array<double, kLanes> sums{};
  const std::size_t whole = size - size % kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += term(i + lane);
  }
  for (std::size_t i = whole; i < size; ++i) sums[i - whole] += term(i);
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

/// One stage between two halves: (a, b) -> (a + b, a - b).
void walsh_hadamard_stage(std::span<double> a, std::span<double> b) {
  double* __restrict x = a.data();
  double* __restrict y = b.data();
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double sum = x[i] + y[i];
    y[i] = x[i] - y[i];
    x[i] = sum;
  }
}

}  // namespace

std::uint64_t num_groups(const PreparedGate& gate, std::size_t num_amplitudes) {
  return num_amplitudes >> std::popcount(gate.operands);
}

void apply_gate(const PreparedGate& gate, Parts parts, std::uint64_t first, std::uint64_t last) {
  for (std::size_t i = 0; i < gate.num_phases; ++i) apply_phase(gate.phases[i], gate.operands, parts, first, last);
  for (std::size_t i = 0; i < gate.num_pairs; ++i) apply_pair(gate.pairs[i], gate.operands, parts, first, last);
}

double sum_of_squares(ConstParts parts) {
  const double* const re = parts.re.data();
  const double* const im = parts.im.data();
  return sum_in_lanes(parts.size(), [=](std::size_t i) { return re[i] * re[i] + im[i] * im[i]; });
}

void overlaps_re(ConstParts bra, ConstParts ket, std::uint64_t flip, std::span<double> out) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = bra.re[i ^ flip] * ket.re[i] + bra.im[i ^ flip] * ket.im[i];
}

void overlaps_im(ConstParts bra, ConstParts ket, std::uint64_t flip, std::span<double> out) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = bra.re[i ^ flip] * ket.im[i] - bra.im[i ^ flip] * ket.re[i];
}

void walsh_hadamard(std::span<double> values) {
  for (std::size_t half = 1; half < values.size(); half *= 2) {
    for (std::size_t i = 0; i < values.size(); i += 2 * half) {
      walsh_hadamard_stage(values.subspan(i, half), values.subspan(i + half, half));
    }
  }
}

}  // namespace tandem::statevector

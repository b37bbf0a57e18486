// tandem/middleware/ansatz/minimize.h - minimises a smooth function of a few variables by its slopes: L-BFGS.
//
// Room: middleware. Deterministic: +, -, *, / and roots in a fixed order. Not here: what is minimised (training.h).
// Source: Nocedal, Wright, Numerical Optimization, 2nd edition, algorithms 7.4 and 7.5; weak Wolfe conditions by bisection, Lewis, Overton,
// Math. Program. 141 (2013).
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "tandem/base/result.h"

namespace tandem::ansatz {

/// A value and its slopes by all variables.
struct Slopes {
  double value = 0;
  std::vector<double> slopes;
};
using Differentiable = std::function<Result<Slopes>(const std::vector<double>& at)>;

struct MinimizeOptions {
  std::uint32_t evaluations_max = 100;  ///< at least one
  double first_step = 0.1;  ///< length of the first step, and at most of any in one variable five times that
  double slope_max = 1e-4;  ///< where no slope is larger nothing is left to gain
  double gain_min = 1e-5;  ///< the least that two steps one after the other gain
};

struct Minimum {
  std::vector<double> at;  ///< the lowest that was seen: never above the start
  double value = 0;
  double start_value = 0;
  std::uint32_t evaluations = 0;
  std::string_view stop;  ///< "flat", "no_gain", "no_step", "evaluations"
};

/// Errors: those of the function; 1102 not_finite - a value or a slope.
Result<Minimum> minimize(const Differentiable& function, std::vector<double> start, const MinimizeOptions& options);

}  // namespace tandem::ansatz

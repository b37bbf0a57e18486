#include "tandem/middleware/ansatz/minimize.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>

#include "tandem/base/assert.h"

namespace tandem::ansatz {
namespace {

using Vector = std::vector<double>;

constexpr std::size_t kMemory = 8;  // pairs of changes that stand for the curvature
constexpr double kDecrease = 1e-4;  // of the slope along a step that it has to gain
constexpr double kCurvature = 0.9;  // of that slope may be left
constexpr int kTriesMax = 12;  // of one line

double dot(const Vector& a, const Vector& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

double largest(const Vector& v) {
  double out = 0;
  for (const double x : v) out = std::max(out, std::abs(x));
  return out;
}

Vector moved(const Vector& from, const Vector& along, double by) {
  Vector out = from;
  for (std::size_t i = 0; i < out.size(); ++i) out[i] += by * along[i];
  return out;
}

/// The inverse curvature by the last changes of variables and slopes.
class Curvature {
 public:
  void learn(Vector step, Vector change) {
    const double along = dot(step, change);
    if (!(along > 0)) return;
    pairs_.push_back({.step = std::move(step), .change = std::move(change), .rho = 1 / along});
    if (pairs_.size() > kMemory) pairs_.pop_front();
  }
  bool knows_nothing() const { return pairs_.empty(); }
  void forget() { pairs_.clear(); }

  /// The two loops of algorithm 7.4, downhill.
  Vector direction(const Vector& slopes, double first_step) const {
    Vector out = slopes;
    std::vector<double> shares(pairs_.size());
    for (std::size_t i = pairs_.size(); i-- > 0;) {
      shares[i] = pairs_[i].rho * dot(pairs_[i].step, out);
      out = moved(out, pairs_[i].change, -shares[i]);
    }
    const double scale = pairs_.empty() ? first_step / std::sqrt(dot(slopes, slopes))
                                        : 1 / (pairs_.back().rho * dot(pairs_.back().change, pairs_.back().change));
    for (double& x : out) x *= -scale;
    for (std::size_t i = 0; i < pairs_.size(); ++i)
      out = moved(out, pairs_[i].step, -shares[i] - pairs_[i].rho * dot(pairs_[i].change, out));
    return out;
  }

 private:
  struct Pair {
    Vector step;
    Vector change;
    double rho;
  };
  std::deque<Pair> pairs_;
};

struct Point {
  Vector at;
  Slopes here;
};

class Descent {
 public:
  Descent(const Differentiable& function, const MinimizeOptions& options) : function_(function), options_(options) {}

  Result<Minimum> run(Vector start) {
    TANDEM_TRY_ASSIGN(Point now, evaluate(std::move(start)));
    best_ = now;
    const double start_value = now.here.value;
    std::string_view stop;
    Curvature curvature;
    double last_gain = options_.gain_min;
    while (stop.empty()) {
      if (largest(now.here.slopes) <= options_.slope_max) {
        stop = "flat";
        break;
      }
      Vector direction = curvature.direction(now.here.slopes, options_.first_step);
      const double widest = largest(direction);
      if (widest > 5 * options_.first_step)
        for (double& x : direction) x *= 5 * options_.first_step / widest;
      TANDEM_TRY_ASSIGN(const Line line, search(now, direction));
      if (line.out_of_evaluations) {
        stop = "evaluations";
      } else if (!line.found) {
        if (curvature.knows_nothing()) stop = "no_step";
        curvature.forget();
      } else {
        const double gain = now.here.value - line.to.here.value;
        curvature.learn(moved(line.to.at, now.at, -1), moved(line.to.here.slopes, now.here.slopes, -1));
        if (gain + last_gain < options_.gain_min) stop = "no_gain";
        last_gain = gain;
        now = line.to;
      }
    }
    return Minimum{.at = best_.at,
                   .value = best_.here.value,
                   .start_value = start_value,
                   .evaluations = evaluations_,
                   .stop = stop};
  }

 private:
  struct Line {
    Point to;
    bool found = false;
    bool out_of_evaluations = false;
  };

  Result<Point> evaluate(Vector at) {
    ++evaluations_;
    TANDEM_TRY_ASSIGN(Slopes here, function_(at));
    TANDEM_ASSERT(here.slopes.size() == at.size());
    if (!std::isfinite(here.value) || !std::isfinite(dot(here.slopes, here.slopes))) {
      return fail(errors::kNotFinite, "a function that is minimised is {} at evaluation {}", here.value, evaluations_);
    }
    return Point{.at = std::move(at), .here = std::move(here)};
  }

  /// A step with enough gain behind which the slope is smaller.
  Result<Line> search(const Point& from, const Vector& direction) {
    const double slope = dot(from.here.slopes, direction);
    if (!(slope < 0)) return Line{};
    double low = 0;
    double high = 0;  // 0: not known
    double step = 1;
    for (int tries = 0; tries < kTriesMax; ++tries) {
      if (evaluations_ >= options_.evaluations_max) return Line{.to = {}, .out_of_evaluations = true};
      TANDEM_TRY_ASSIGN(Point to, evaluate(moved(from.at, direction, step)));
      if (to.here.value < best_.here.value) best_ = to;
      if (to.here.value > from.here.value + kDecrease * step * slope)
        high = step;
      else if (dot(to.here.slopes, direction) < kCurvature * slope)
        low = step;
      else
        return Line{.to = std::move(to), .found = true};
      step = high == 0 ? 2 * low : (low + high) / 2;
    }
    return Line{};
  }

  const Differentiable& function_;
  const MinimizeOptions& options_;
  Point best_;
  std::uint32_t evaluations_ = 0;
};

}  // namespace

Result<Minimum> minimize(const Differentiable& function, std::vector<double> start, const MinimizeOptions& options) {
  TANDEM_ASSERT(options.evaluations_max >= 1);
  return Descent(function, options).run(std::move(start));
}

}  // namespace tandem::ansatz

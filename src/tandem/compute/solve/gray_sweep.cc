#include "tandem/compute/solve/gray_sweep.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>

#include "tandem/compute/solve/landscape.h"

namespace tandem::solve {

namespace {

/// Landscape: see landscape.h; all its bits are low at first.
template <class Landscape>
class SweepOf final : public GraySweep {
 public:
  SweepOf(Landscape landscape, const SweepOptions& options)
      : GraySweep(options.candidates_max), land_(std::move(landscape)), options_(options) {
    energy_ = land_.first_energy();
    window_ = static_cast<std::int64_t>(std::ceil(options.order.window));
    if (options.constraints != nullptr) state_.emplace(*options.constraints);
  }

  void advance(std::uint64_t units_end, const Watch& watch) override {
    const std::uint64_t end = std::uint64_t{1} << land_.size();
    while (!done_ && !reached_target_ && units_ < units_end && !watch.stopped()) {
      const std::uint64_t batch_end = std::min(end, next_ + kBatch);
      const std::uint64_t before = next_;
      for (; next_ < batch_end; ++next_) {
        if (next_ != 0) flip(static_cast<std::size_t>(std::countr_zero(next_)));
        if (energy_ <= worst_) consider();
      }
      units_ += options_.batch_units != 0 ? options_.batch_units : next_ - before;
      done_ = next_ == end;
      if (archive_.empty() || archive_.candidates().front().energy >= best_) continue;
      best_ = archive_.candidates().front().energy;
      reached_target_ = watch.found(best_, units_);
    }
  }

 private:
  void flip(std::size_t i) {
    if (state_) state_->flip(i, land_.bits()[i] == 0);
    energy_ += land_.flip_energy(i);
    land_.flip(i);
  }

  void consider() {
    if (state_ && !state_->feasible()) return;
    if (options_.cqm != nullptr && !options_.cqm->feasible(land_.bits())) return;
    archive_.offer(energy_, land_.bits());
    if (options_.order.window > 0) compare();
    const auto kept = archive_.candidates();
    if (kept.size() < options_.candidates_max) return;
    worst_ = kept.back().energy;
    if (options_.order.window > 0) worst_ = std::max(worst_, best_energy_ + window_);
  }

  /// Takes what lies close to the best by what it is, not by its rounded energy.
  void compare() {
    const bool far = best_bits_.empty() || energy_ < best_energy_ - window_;
    if (!far && (energy_ > best_energy_ + window_ || !options_.order.better(land_.bits(), best_bits_))) return;
    best_energy_ = energy_;
    best_bits_.assign(land_.bits().begin(), land_.bits().end());
  }

  Landscape land_;
  SweepOptions options_;
  std::optional<ConstraintState> state_;
  std::uint64_t next_ = 0;
  std::int64_t energy_ = 0;
  std::int64_t window_ = 0;  ///< of the order, rounded up
  std::int64_t best_energy_ = 0;  ///< of best_bits_
  std::int64_t worst_ = INT64_MAX;  ///< what is above it does not enter the archive
  std::int64_t best_ = INT64_MAX;
};

}  // namespace

std::unique_ptr<GraySweep> make_sweep(const SearchModel& model, const SweepOptions& options) {
  return std::visit(
      [&](const auto& rows) -> std::unique_ptr<GraySweep> {
        using Landscape = QuadraticLandscape<std::decay_t<decltype(rows)>>;
        return std::make_unique<SweepOf<Landscape>>(Landscape(model, rows), options);
      },
      model.rows());
}

std::unique_ptr<GraySweep> make_sweep(const PolynomialModel& model, const SweepOptions& options) {
  return std::make_unique<SweepOf<PolynomialLandscape>>(PolynomialLandscape(model), options);
}

}  // namespace tandem::solve

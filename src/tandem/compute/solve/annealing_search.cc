#include "tandem/compute/solve/annealing_search.h"

#include <algorithm>
#include <cmath>

#include "tandem/base/rng.h"
#include "tandem/base/stopped.h"
#include "tandem/compute/solve/exponential.h"
#include "tandem/compute/solve/landscape.h"

namespace tandem::solve {

namespace {

constexpr std::uint64_t kCalibrationSeed = 20240229;
constexpr std::size_t kLookOfMeasuring = 1 << 10;  // visits; those of dense rows take the longest
constexpr std::uint64_t kStopEvery = 64;  // visits between two looks at the stop token
constexpr double kNeverTaken = 45;        // exp(-45) is below 2^-64: no random number takes such a step
// The best of a few on Gset, lattices and Beasley models at equal visits; the temperature falls in equal steps between them.
constexpr double kHotShare = 0.35;
constexpr double kColdShare = 0.1;
constexpr std::size_t kSmallShare = 20;  // cold is measured at the step up that one in 20 stays below

/// Measured at a random assignment and at the local optimum below it: the same for every strand.
template <class Landscape>
Temperatures measured(Landscape land, const std::stop_token& stop) {
  Temperatures out;
  Xoshiro256 rng(kCalibrationSeed);
  for (std::size_t i = 0; i < land.size(); ++i) {
    if (i % kLookOfMeasuring == 0) throw_if(stop);
    if ((rng() >> 63) != 0) land.flip(i);
  }
  double squares = 0;
  for (std::size_t i = 0; i < land.size(); ++i) {
    const auto d = static_cast<double>(land.flip_energy(i));
    squares += d * d;
  }
  for (bool moved = true; moved;) {
    moved = false;
    for (std::size_t i = 0; i < land.size(); ++i) {
      if (i % kLookOfMeasuring == 0) throw_if(stop);
      if (land.flip_energy(i) < 0) {
        land.flip(i);
        moved = true;
      }
    }
  }
  std::vector<double> steps_up;
  for (std::size_t i = 0; i < land.size(); ++i) {
    if (land.flip_energy(i) > 0) steps_up.push_back(static_cast<double>(land.flip_energy(i)));
  }
  if (steps_up.empty()) return out;
  const auto small = steps_up.begin() + static_cast<std::ptrdiff_t>(steps_up.size() / kSmallShare);
  std::ranges::nth_element(steps_up, small);
  out.hot = kHotShare * std::sqrt(squares / static_cast<double>(land.size()));
  out.cold = std::min(kColdShare * *small, out.hot);
  return out;
}

template <class Landscape>
class Search final : public AnnealingSearch {
 public:
  Search(Landscape landscape, const AnnealingOptions& options)
      : land_(std::move(landscape)), options_(options), archive_(options.candidates_max), best_bits_(land_.size()) {
    temperatures_ = options.temperatures ? *options.temperatures : measured(land_, {});
    flip_units_ = options.flip_units * land_.flip_cost();
    energy_ = land_.first_energy();
  }

  problem::AssignmentView bits() const override { return land_.bits(); }

  void begin(const Read& read) override {
    rng_ = Xoshiro256(read.seed);
    goal_.resize(land_.size());
    for (std::int8_t& bit : goal_) bit = static_cast<std::int8_t>(rng_() >> 63);
    if (read.start != nullptr) goal_ = *read.start;
    sweeps_ = std::max<std::uint64_t>(1, read.sweeps);
    sweep_ = 0;
    next_ = 0;
    phase_ = Phase::kSetting;
    best_of_read_ = INT64_MAX;
    done_ = false;
  }

  void advance(std::uint64_t units_end, const Watch& watch) override {
    if (watch.stopped()) return;
    while (!done_ && units_ < units_end) {
      const std::size_t end = std::min(land_.size(), next_ + kStopEvery);
      switch (phase_) {
        case Phase::kSetting:
          set(end, units_end);
          break;
        case Phase::kCooling:
          cool(end, units_end);
          break;
        case Phase::kDescending:
          descend(end, units_end);
          break;
      }
      if (next_ == land_.size()) end_sweep(watch);
      if (reached_target_ || watch.stopped()) return;
    }
  }

  void collect(Archive& into) const override {
    into.offer(archive_);
    // A read under way is still hot: it counts only where it has what the finished ones have not.
    const bool better = archive_.empty() || best_of_read_ < archive_.candidates().front().energy;
    if (better && best_of_read_ != INT64_MAX) into.offer(best_of_read_, best_bits_);
    if (units_ > 0 && energy_ < best_energy_) into.offer(energy_, land_.bits());
  }

 private:
  enum class Phase : std::uint8_t { kSetting, kCooling, kDescending };

  void flip(std::size_t i) {
    energy_ += land_.flip_energy(i);
    land_.flip(i);
    units_ += flip_units_;
    ++flips_of_sweep_;
  }

  void set(std::size_t end, std::uint64_t units_end) {
    for (; next_ < end && units_ < units_end; ++next_) {
      units_ += options_.visit_units;
      if (land_.bits()[next_] != goal_[next_]) flip(next_);
    }
  }

  void cool(std::size_t end, std::uint64_t units_end) {
    // Copies: the compiler cannot know that writing a field of the landscape leaves the members alone.
    const double temperature = temperature_;
    const double limit = kNeverTaken * temperature;
    const std::uint64_t visit_units = options_.visit_units;
    const std::uint64_t flip_units = flip_units_;
    Xoshiro256 rng = rng_;
    std::uint64_t units = units_;
    std::int64_t energy = energy_;
    std::size_t i = next_;
    for (; i < end && units < units_end; ++i) {
      units += visit_units;
      const auto d = land_.flip_energy(i);
      if (d > 0) {
        const auto up = static_cast<double>(d);
        if (up > limit || up >= temperature * exponential(rng())) continue;
      }
      energy += d;
      land_.flip(i);
      units += flip_units;
    }
    rng_ = rng;
    units_ = units;
    energy_ = energy;
    next_ = i;
  }

  void descend(std::size_t end, std::uint64_t units_end) {
    for (; next_ < end && units_ < units_end; ++next_) {
      units_ += options_.visit_units;
      if (land_.flip_energy(next_) < 0) flip(next_);
    }
  }

  void end_sweep(const Watch& watch) {
    next_ = 0;
    switch (phase_) {
      case Phase::kSetting:
        phase_ = Phase::kCooling;
        temperature_ = temperatures_.hot;
        break;
      case Phase::kCooling:
        ++sweep_;
        if (sweep_ == sweeps_) {
          phase_ = Phase::kDescending;
        } else {
          const double share = static_cast<double>(sweep_) / static_cast<double>(sweeps_ - 1);
          temperature_ = temperatures_.hot + share * (temperatures_.cold - temperatures_.hot);
        }
        break;
      case Phase::kDescending:
        done_ = flips_of_sweep_ == 0;
        break;
    }
    flips_of_sweep_ = 0;
    if (energy_ < best_of_read_) {
      best_of_read_ = energy_;
      best_bits_ = land_.bits();
      if (energy_ < best_energy_) {
        best_energy_ = energy_;
        reached_target_ = watch.found(energy_, units_);
      }
    }
    if (done_) archive_.offer(best_of_read_, best_bits_);
  }

  Landscape land_;
  AnnealingOptions options_;
  std::uint64_t flip_units_ = 0;
  Archive archive_;
  Xoshiro256 rng_{0};
  problem::Assignment goal_;
  Phase phase_ = Phase::kSetting;
  std::uint64_t sweeps_ = 1;
  std::uint64_t sweep_ = 0;
  std::size_t next_ = 0;
  std::uint64_t flips_of_sweep_ = 0;
  double temperature_ = 1;
  std::int64_t best_of_read_ = INT64_MAX;
  problem::Assignment best_bits_;
};

}  // namespace

Read lengthening_read(std::uint64_t seed, std::uint64_t number, std::uint64_t done, std::uint64_t sweeps_first) {
  constexpr std::uint64_t kReadsPerLength = 4;
  constexpr std::uint64_t kDoublingsMax = 30;
  const std::uint64_t doublings = std::min(done / kReadsPerLength, kDoublingsMax);
  return {.seed = derive_seed(seed, number),
          .sweeps = std::min(sweeps_first, UINT64_MAX >> kDoublingsMax) << doublings};
}

Temperatures measure_temperatures(const SearchModel& model, const std::stop_token& stop) {
  return std::visit(
      [&](const auto& rows) { return measured(QuadraticLandscape<std::decay_t<decltype(rows)>>(model, rows), stop); },
      model.rows());
}

Temperatures measure_temperatures(const PolynomialModel& model, const std::stop_token& stop) {
  return measured(PolynomialLandscape(model), stop);
}

std::unique_ptr<AnnealingSearch> AnnealingSearch::create(const SearchModel& model, const AnnealingOptions& options) {
  return std::visit(
      [&](const auto& rows) -> std::unique_ptr<AnnealingSearch> {
        using Landscape = QuadraticLandscape<std::decay_t<decltype(rows)>>;
        return std::make_unique<Search<Landscape>>(Landscape(model, rows), options);
      },
      model.rows());
}

std::unique_ptr<AnnealingSearch> AnnealingSearch::create(const PolynomialModel& model,
                                                         const AnnealingOptions& options) {
  return std::make_unique<Search<PolynomialLandscape>>(PolynomialLandscape(model), options);
}

std::uint64_t AnnealingSearch::bytes(std::size_t num_variables, std::size_t candidates_max) {
  return num_variables * (16 + candidates_max + 4);
}

}  // namespace tandem::solve

#include "tandem/compute/solve/replica_tempering.h"

#include <algorithm>

#include "tandem/base/assert.h"
#include "tandem/compute/solve/exponential.h"

namespace tandem::solve {

namespace {

constexpr simd::KernelTables<AllReplicaKernels> kKernels = {&portable::kReplicaKernels, &avx2::kReplicaKernels,
                                                            &avx512::kReplicaKernels};
constexpr std::uint64_t kExchangeVisits = 16;  // time of an exchange at all levels, in visits by all replicas

/// The number whose power `exponent` is `value` >= 1, by halving: sums and products are the same on every machine.
double root(double value, std::uint32_t exponent) {
  double low = 1;
  double high = value;
  for (int step = 0; step < 64; ++step) {
    const double middle = (low + high) / 2;
    double power = 1;
    for (std::uint32_t k = 0; k < exponent && power <= value; ++k) power *= middle;
    (power <= value ? low : high) = middle;
  }
  return low;
}

}  // namespace

ReplicaTempering::ReplicaTempering(const ReplicaModel& model, const TemperingOptions& options)
    : model_(model),
      options_(options),
      rng_(options.seed),
      random_(rng_() | 1),
      walk_(model.start()),
      bits_(model.size()),
      copies_(model.size()) {
  TANDEM_ASSERT(options.levels >= 1 && kReplicas % options.levels == 0);
  const double ratio =
      options.levels == 1 ? 1 : root(options.temperatures.hot / options.temperatures.cold, options.levels - 1);
  ladder_[0] = options.temperatures.cold;
  for (std::uint32_t level = 1; level < options.levels; ++level) ladder_[level] = ladder_[level - 1] * ratio;
  for (std::uint32_t r = 0; r < kReplicas; ++r) {
    at_[r] = r;
    level_[r] = r % options.levels;
  }
}

void ReplicaTempering::begin(std::uint64_t sweeps, std::uint64_t quenches) {
  TANDEM_ASSERT(done());
  sweeps_left_ = std::max<std::uint64_t>(1, sweeps);
  quenches_left_ = quenches;
  phase_ = started_ ? Phase::kTempering : Phase::kSetting;
  begin_sweep();
}

void ReplicaTempering::begin_sweep() {
  constexpr std::size_t kPlaces = ReplicaModel::kExponentials - kThresholds - kReplicas;
  walk_ = model_.start();
  samples_ = model_.exponentials() + rng_.below(kPlaces);
  for (std::size_t r = 0; r < kReplicas; ++r) {
    temperatures_[r] = phase_ == Phase::kQuenching ? 0 : static_cast<float>(ladder_[level_[r]]);
  }
}

void ReplicaTempering::advance(std::uint64_t units_end, const Watch& watch) {
  const AllReplicaKernels& all = simd::kernels_for(kKernels, model_.search_model().isa());
  const auto temper = model_.narrow() ? all.narrow.temper : all.wide.temper;
  const auto score = model_.narrow() ? all.narrow.score : all.wide.score;
  while (!done() && units_ < units_end && !watch.stopped()) {
    const std::uint64_t visits = (units_end - units_ - 1) / options_.visit_units + 1;
    const std::size_t first = walk_.next;
    const std::size_t end = first + std::min<std::uint64_t>({model_.size() - first, model_.variables_per_look(),
                                                             std::uint64_t{kTemperedMax}, visits});
    switch (phase_) {
      case Phase::kSetting:
        set(end);
        break;
      case Phase::kScoring:
        score(walk_, end, bits_.data(), energies_.data());
        break;
      case Phase::kTempering:
        temper(walk_, end, bits_.data(), samples_, temperatures_.data(), random_, energies_.data());
        break;
      case Phase::kCopying:
        copy_until(end);
        break;
      case Phase::kQuenching:
        temper(walk_, end, copies_.data(), samples_, temperatures_.data(), random_, copied_energies_.data());
        break;
      case Phase::kDone:
        break;
    }
    units_ += (end - first) * options_.visit_units;
    if (end == model_.size()) end_sweep();
  }
}

void ReplicaTempering::set(std::size_t end) {
  for (; walk_.next < end; ++walk_.next) {
    std::int8_t* own = bits_[walk_.next].high;
    const std::uint64_t random = rng_();
    for (std::size_t r = 0; r < kReplicas; ++r) own[r] = static_cast<std::int8_t>(-((random >> r) & 1));
    for (std::size_t r = 0; r < std::min(kReplicas, options_.starts.size()); ++r) {
      own[r] = static_cast<std::int8_t>(-options_.starts[r][walk_.next]);
    }
  }
}

void ReplicaTempering::copy_until(std::size_t end) {
  for (; walk_.next < end; ++walk_.next) copies_[walk_.next] = bits_[walk_.next];
}

void ReplicaTempering::end_sweep() {
  switch (phase_) {
    case Phase::kSetting:
      phase_ = Phase::kScoring;
      break;
    case Phase::kScoring:
      for (std::int64_t& energy : energies_) energy /= 2;
      started_ = true;
      phase_ = Phase::kTempering;
      break;
    case Phase::kTempering:
      exchange();
      units_ += kExchangeVisits * options_.visit_units;
      if (--sweeps_left_ == 0) phase_ = Phase::kCopying;
      break;
    case Phase::kCopying:
      copied_energies_ = energies_;
      phase_ = quenches_left_ == 0 ? Phase::kDone : Phase::kQuenching;
      break;
    case Phase::kQuenching:
      if (--quenches_left_ == 0) phase_ = Phase::kDone;
      break;
    case Phase::kDone:
      break;
  }
  begin_sweep();
}

void ReplicaTempering::exchange() {
  for (std::size_t chain = 0; chain < kReplicas; chain += options_.levels) {
    for (std::size_t low = odd_ ? 1 : 0; low + 1 < options_.levels; low += 2) {
      std::uint32_t& cold = at_[chain + low];
      std::uint32_t& hot = at_[chain + low + 1];
      const double rise = static_cast<double>(energies_[hot] - energies_[cold]);
      const double exponent = rise * (1 / ladder_[low] - 1 / ladder_[low + 1]);
      if (exponent >= exponential(rng_())) continue;
      std::swap(cold, hot);
      std::swap(level_[cold], level_[hot]);
    }
  }
  odd_ = !odd_;
}

void ReplicaTempering::copy(std::size_t replica, problem::Assignment& bits) const {
  const std::vector<ReplicaBits>& from = phase_ == Phase::kQuenching || done() ? copies_ : bits_;
  bits.resize(from.size());
  for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<std::int8_t>(-from[i].high[replica]);
}

}  // namespace tandem::solve

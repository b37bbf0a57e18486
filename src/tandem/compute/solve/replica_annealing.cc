#include "tandem/compute/solve/replica_annealing.h"

#include <algorithm>

#include "tandem/base/rng.h"

namespace tandem::solve {

namespace {

constexpr simd::KernelTables<AllReplicaKernels> kKernels = {&portable::kReplicaKernels, &avx2::kReplicaKernels,
                                                            &avx512::kReplicaKernels};
constexpr std::uint64_t kVisitsPerTable = 1024;  // a table of thresholds costs about as much as a hundred visits
constexpr std::uint64_t kTablesPerRead = 32;     // at least, or one a sweep

template <class Field>
const ReplicaKernels<Field>& kernels_of(simd::Isa isa) {
  const AllReplicaKernels& all = simd::kernels_for(kKernels, isa);
  if constexpr (sizeof(Field) == 2)
    return all.narrow;
  else
    return all.wide;
}

template <class Field>
class Annealing final : public ReplicaAnnealing {
 public:
  Annealing(const ReplicaModel& model, const Temperatures& temperatures, std::uint64_t visit_units)
      : model_(model),
        kernels_(kernels_of<Field>(model.search_model().isa())),
        temperatures_(temperatures),
        visit_units_(visit_units),
        walk_(model.start()),
        bits_(model.size()),
        thresholds_(kThresholds + kReplicas) {}

  void begin(const ReplicaRead& read) override {
    read_ = read;
    read_.sweeps = std::max<std::uint64_t>(1, read.sweeps);
    rng_ = Xoshiro256(read.seed);
    random_ = rng_() | 1;
    sweep_ = 0;
    sweeps_per_table_ =
        std::max<std::uint64_t>(1, std::min(kVisitsPerTable / model_.size(), read_.sweeps / kTablesPerRead));
    walk_ = model_.start();
    phase_ = Phase::kSetting;
    done_ = false;
  }

  void advance(std::uint64_t units_end, const Watch& watch) override {
    if (watch.stopped()) return;
    while (!done_ && units_ < units_end) {
      const std::uint64_t visits = (units_end - units_ - 1) / visit_units_ + 1;
      const std::size_t first = walk_.next;
      const std::size_t end =
          first + std::min<std::uint64_t>({model_.size() - first, model_.variables_per_look(), visits});
      if (phase_ == Phase::kSetting) {
        set(end);
      } else {
        moved_ |= kernels_.visit(walk_, end, bits_.data(), thresholds_.data(), random_);
      }
      units_ += (end - first) * visit_units_;
      if (end == model_.size()) end_sweep();
      if (watch.stopped()) return;
    }
  }

  std::array<std::int64_t, kReplicas> energies() const override {
    std::array<std::int64_t, kReplicas> out{};
    ReplicaWalk walk = model_.start();
    kernels_.score(walk, model_.size(), bits_.data(), out.data());
    for (std::int64_t& energy : out) energy /= 2;
    return out;
  }

  void copy(std::size_t replica, problem::Assignment& bits) const override {
    bits.resize(model_.size());
    for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<std::int8_t>(-bits_[i].high[replica]);
  }

  void collect(Archive& into) const override {
    problem::Assignment bits;
    copy(0, bits);
    into.offer(model_.search_model().energy(bits), bits);
  }

 private:
  enum class Phase : std::uint8_t { kSetting, kCooling, kDescending };

  void set(std::size_t end) {
    for (; walk_.next < end; ++walk_.next) {
      std::int8_t* own = bits_[walk_.next].high;
      const std::uint64_t random = rng_();
      for (std::size_t r = 0; r < kReplicas; ++r) own[r] = static_cast<std::int8_t>(-((random >> r) & 1));
      if (read_.starts.empty()) continue;
      for (std::size_t r = 0; r < kReplicas; ++r) {
        own[r] = static_cast<std::int8_t>(-read_.starts[r % read_.starts.size()].bits[walk_.next]);
      }
    }
  }

  void end_sweep() {
    walk_ = model_.start();
    switch (phase_) {
      case Phase::kSetting:
        phase_ = Phase::kCooling;
        cool();
        break;
      case Phase::kCooling:
        ++sweep_;
        if (sweep_ < read_.sweeps) {
          if (sweep_ % sweeps_per_table_ == 0) cool();
        } else {
          phase_ = Phase::kDescending;
          std::ranges::fill(thresholds_, Field{-1});
        }
        break;
      case Phase::kDescending:
        done_ = !moved_;
        break;
    }
    moved_ = false;
  }

  /// The thresholds of the sweep, from another part of the samples each time.
  void cool() {
    const double share = read_.sweeps == 1 ? 0 : static_cast<double>(sweep_) / static_cast<double>(read_.sweeps - 1);
    const double hot = std::max(read_.hot_share * temperatures_.hot, temperatures_.cold);
    const double temperature = hot + share * (temperatures_.cold - hot);
    constexpr std::size_t kPlaces = ReplicaModel::kExponentials - kThresholds - kReplicas;
    kernels_.cool(model_.exponentials() + rng_.below(kPlaces), static_cast<float>(temperature), thresholds_.data());
  }

  const ReplicaModel& model_;
  const ReplicaKernels<Field>& kernels_;
  Temperatures temperatures_;
  std::uint64_t visit_units_;
  ReplicaRead read_;
  Phase phase_ = Phase::kSetting;
  std::uint64_t sweep_ = 0;
  std::uint64_t sweeps_per_table_ = 1;
  bool moved_ = false;
  Xoshiro256 rng_{0};
  std::uint64_t random_ = 1;
  ReplicaWalk walk_;
  std::vector<ReplicaBits> bits_;
  std::vector<Field> thresholds_;
};

}  // namespace

std::unique_ptr<ReplicaAnnealing> ReplicaAnnealing::create(const ReplicaModel& model, const Temperatures& temperatures,
                                                           std::uint64_t visit_units) {
  if (model.narrow()) return std::make_unique<Annealing<std::int16_t>>(model, temperatures, visit_units);
  return std::make_unique<Annealing<std::int32_t>>(model, temperatures, visit_units);
}

std::uint64_t ReplicaAnnealing::bytes(std::size_t num_variables) {
  return num_variables * kReplicas + (kThresholds + kReplicas) * sizeof(std::int32_t);
}

}  // namespace tandem::solve

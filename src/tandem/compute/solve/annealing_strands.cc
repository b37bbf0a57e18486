#include "tandem/compute/solve/annealing_strands.h"

#include <algorithm>

#include "tandem/base/rng.h"
#include "tandem/compute/solve/outcome.h"

namespace tandem::solve {

namespace {

constexpr std::uint64_t kSweepsOfRead = 1000;  // of num_samples reads where sweeps is 0

std::uint64_t sweeps_of_read(const AnnealingShare& share) { return share.sweeps != 0 ? share.sweeps : kSweepsOfRead; }

/// One replica: the reads counted, or longer and longer ones.
class ScalarStrand final : public AnnealingStrand {
 public:
  ScalarStrand(std::unique_ptr<AnnealingSearch> search, const AnnealingShare& share,
               const std::vector<problem::Assignment>& starts)
      : search_(std::move(search)), share_(share), starts_(starts), next_(share.index) {}

  void advance(std::uint64_t units_end, const Watch& watch) override {
    if (watch.stopped()) return;
    while (units() < units_end && state() == StrandState::kWorking) {
      if (search_->done()) begin_read();
      search_->advance(units_end, watch);
      if (counted() && (search_->done() || search_->reached_target())) {
        results_.push_back({search_->energy(), {search_->bits().begin(), search_->bits().end()}});
      }
      if (search_->reached_target() || watch.stopped()) return;
    }
  }
  std::uint64_t units() const override { return search_->units(); }
  StrandState state() const override {
    if (search_->reached_target()) return StrandState::kTarget;
    const bool all = counted() && next_ >= share_.num_samples && search_->done();
    return all ? StrandState::kFinished : StrandState::kWorking;
  }
  void collect(Archive& into) const override { search_->collect(into); }

 private:
  bool counted() const { return share_.num_samples != 0; }
  void begin_read() {
    const std::uint64_t first = share_.sweeps != 0 ? share_.sweeps : kSweepsFirst;
    Read read = lengthening_read(share_.seed, next_, next_ / share_.count, first);
    if (counted()) read.sweeps = sweeps_of_read(share_);
    if (!starts_.empty() && (counted() || next_ < starts_.size())) read.start = &starts_[next_ % starts_.size()];
    search_->begin(read);
    next_ += share_.count;
  }

  std::unique_ptr<AnnealingSearch> search_;
  AnnealingShare share_;
  const std::vector<problem::Assignment>& starts_;
  std::uint64_t next_;
};

/// Reads counted, kReplicas at a time.
class ReplicaReads final : public AnnealingStrand {
 public:
  ReplicaReads(const ReplicaModel& model, const Temperatures& temperatures, const AnnealingShare& share,
               const std::vector<problem::Assignment>& starts)
      : annealing_(ReplicaAnnealing::create(model, temperatures, kReplicas)),
        share_(share),
        starts_(starts),
        next_(share.index) {}

  void advance(std::uint64_t units_end, const Watch& watch) override {
    while (units() < units_end && state() == StrandState::kWorking && !watch.stopped()) {
      if (annealing_->done()) begin_batch();
      annealing_->advance(units_end, watch);
      if (annealing_->done()) end_batch(watch);
    }
  }
  std::uint64_t units() const override { return annealing_->units(); }
  StrandState state() const override {
    if (reached_target_) return StrandState::kTarget;
    const bool all = next_ * kReplicas >= share_.num_samples && annealing_->done();
    return all ? StrandState::kFinished : StrandState::kWorking;
  }
  void collect(Archive& into) const override {
    for (const Candidate& result : results_) into.offer(result.energy, result.bits);
    if (results_.empty()) annealing_->collect(into);
  }

 private:
  void begin_batch() {
    batch_starts_.clear();
    for (std::size_t r = 0; r < kReplicas && !starts_.empty(); ++r) {
      batch_starts_.push_back({0, starts_[(next_ * kReplicas + r) % starts_.size()]});
    }
    annealing_->begin(
        {.seed = derive_seed(share_.seed, next_), .sweeps = sweeps_of_read(share_), .starts = batch_starts_});
    batch_ = next_;
    next_ += share_.count;
  }

  void end_batch(const Watch& watch) {
    const auto energies = annealing_->energies();
    const std::size_t wanted = std::min<std::uint64_t>(kReplicas, share_.num_samples - batch_ * kReplicas);
    for (std::size_t r = 0; r < wanted; ++r) {
      results_.push_back({energies[r], {}});
      annealing_->copy(r, results_.back().bits);
      if (energies[r] >= best_energy_) continue;
      best_energy_ = energies[r];
      reached_target_ = watch.found(best_energy_, units()) || reached_target_;
    }
  }

  std::unique_ptr<ReplicaAnnealing> annealing_;
  AnnealingShare share_;
  const std::vector<problem::Assignment>& starts_;
  std::vector<Candidate> batch_starts_;
  std::uint64_t next_;  ///< batch
  std::uint64_t batch_ = 0;
  std::int64_t best_energy_ = INT64_MAX;
  bool reached_target_ = false;
};

/// A search until stopped.
class ReplicaStrand final : public AnnealingStrand {
 public:
  ReplicaStrand(const ReplicaModel& model, ReplicaSearchOptions options) : search_(model, std::move(options)) {}
  void advance(std::uint64_t units_end, const Watch& watch) override { search_.advance(units_end, watch); }
  std::uint64_t units() const override { return search_.units(); }
  StrandState state() const override { return search_.reached_target() ? StrandState::kTarget : StrandState::kWorking; }
  void collect(Archive& into) const override { search_.collect(into); }

 private:
  ReplicaSearch search_;
};

/// Results that a strand may have to keep, rounded up to whole batches.
std::uint64_t results_max(const AnnealingShare& share) {
  return share.num_samples == 0 ? 0 : share.num_samples / share.count + 2 * kReplicas;
}

}  // namespace

std::unique_ptr<AnnealingStrand> make_scalar_strand(std::unique_ptr<AnnealingSearch> search,
                                                    const AnnealingShare& share,
                                                    const std::vector<problem::Assignment>& starts) {
  return std::make_unique<ScalarStrand>(std::move(search), share, starts);
}

std::unique_ptr<AnnealingStrand> make_replica_strand(const ReplicaModel& model, const Temperatures& temperatures,
                                                     const AnnealingShare& share,
                                                     const std::vector<problem::Assignment>& starts) {
  if (share.num_samples != 0) return std::make_unique<ReplicaReads>(model, temperatures, share, starts);
  ReplicaSearchOptions options{.seed = derive_seed(share.seed, share.index),
                               .visit_units = kReplicas,
                               .sweeps_first = share.sweeps,
                               .candidates_max = share.candidates_max,
                               .temperatures = temperatures};
  options.starts = starts_of(starts, share.index, share.count);
  return std::make_unique<ReplicaStrand>(model, std::move(options));
}

std::uint64_t scalar_strand_bytes(std::size_t num_variables, const AnnealingShare& share) {
  return AnnealingSearch::bytes(num_variables, share.candidates_max + results_max(share));
}

std::uint64_t replica_strand_bytes(std::size_t num_variables, const AnnealingShare& share) {
  return share.num_samples == 0
             ? ReplicaSearch::bytes(num_variables, share.candidates_max)
             : ReplicaAnnealing::bytes(num_variables) + num_variables * (kReplicas + results_max(share));
}

}  // namespace tandem::solve

// tandem/compute/solve/mixed_strand.h - one strand that shares its time among several engines.
//
// Room: compute, inside solve. Which engine works next depends on the steps done and on shares set at round borders, never on
// time.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "tandem/compute/solve/engine.h"

namespace tandem::solve {

/// Threads: one at a time; between rounds whoever holds the race.
class MixedStrand final : public Strand {
 public:
  /// With a share of its units; 0: it rests.
  void add(std::unique_ptr<Engine> engine, std::uint32_t share);

  void advance(std::uint64_t units_end, const Watch& watch) override;
  std::uint64_t units() const override;
  StrandState state() const override;

  std::size_t num_engines() const { return members_.size(); }
  const Engine& engine(std::size_t i) const { return *members_[i].engine; }
  void set_share(std::size_t i, std::uint32_t share) { members_[i].share = share; }
  /// Best of the strand, empty before its first step.
  Archive best(std::size_t count) const;
  /// Takes in what others, or the other engines of this strand, have found.
  void offer(const Candidate& candidate);
  void collect(Archive& into) const;

 private:
  struct Member {
    std::unique_ptr<Engine> engine;
    std::uint32_t share = 1;
    bool rests() const { return share == 0 || engine->state() == StrandState::kFinished; }
  };
  Member* neediest();

  std::vector<Member> members_;
  Member* current_ = nullptr;
  std::uint64_t slice_end_ = 0;  ///< units() at which the next engine is chosen
};

/// What each engine of each strand did; `objective` is that of an energy.
std::vector<EngineRecord> engine_records(std::span<MixedStrand* const> strands,
                                         const std::function<double(std::int64_t)>& objective);

/// The engines of the first strand, which has all that there are: "tabu, replicas".
std::string engine_names(std::span<const EngineRecord> records);

/// At a round border: engines that found the best of all strands get the share `lead` and the others 1. While all are equal, each gets its
/// `first`, which has an entry for those engines, in the order of add(), that take part; one that has found nothing yet keeps it, for a
/// first result of a large model can take longer than many rounds.
void share_by_results(std::span<MixedStrand* const> strands, std::span<const std::uint32_t> first, std::uint32_t lead);

}  // namespace tandem::solve

// tandem/compute/solve/exact_strand.h - branch and bound as a strand of a race.
//
// Room: compute, inside solve.
#pragma once

#include <utility>

#include "tandem/compute/solve/exact_search.h"

namespace tandem::solve {

class ExactStrand final : public Strand {
 public:
  ExactStrand(const SearchModel& model, ExactOptions options) : search_(model, std::move(options)) {}
  void advance(std::uint64_t units_end, const Watch& watch) override { search_.advance(units_end, watch); }
  std::uint64_t units() const override { return search_.units(); }
  StrandState state() const override {
    if (search_.reached_target()) return StrandState::kTarget;
    if (search_.proved()) return StrandState::kProved;
    return search_.done() ? StrandState::kFinished : StrandState::kWorking;
  }
  ExactSearch& search() { return search_; }

 private:
  ExactSearch search_;
};

}  // namespace tandem::solve

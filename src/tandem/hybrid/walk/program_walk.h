// tandem/hybrid/walk/program_walk.h - a program of PUBs walks as one round.
//
// Room: hybrid.
#pragma once

#include "tandem/hybrid/walk/walk.h"

namespace tandem::walk {

class ProgramWalk final : public hybrid::Loop {
 public:
  ProgramWalk(job::JobSpec spec, job::Plan plan) : spec_(std::move(spec)), plan_(std::move(plan)) {}
  Json initial_state() const override { return {{"stage", "run"}}; }
  Result<hybrid::Advance> next(const Json& state, std::span<const hybrid::Reply> replies) override;

 private:
  job::JobSpec spec_;
  job::Plan plan_;
};

}  // namespace tandem::walk

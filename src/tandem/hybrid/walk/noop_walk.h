// tandem/hybrid/walk/noop_walk.h - a no-op walks: so many checkpoints, no orders, an empty answer.
//
// Room: hybrid.
#pragma once

#include "tandem/hybrid/walk/walk.h"

namespace tandem::walk {

class NoopWalk final : public hybrid::Loop {
 public:
  /// `spec` has a problem of the type noop.
  NoopWalk(const job::JobSpec& spec, std::string plan_digest);
  Json initial_state() const override { return {{"stage", "step"}, {"done", 0}}; }
  Result<hybrid::Advance> next(const Json& state, std::span<const hybrid::Reply> replies) override;

 private:
  problem::ProblemPtr problem_;
  std::uint32_t steps_;
  std::string plan_digest_;
};

}  // namespace tandem::walk

#include "tandem/compute/solve/mixed_strand.h"

#include <algorithm>

namespace tandem::solve {

namespace {

constexpr std::uint64_t kSliceFirst = 1 << 17;  // half a millisecond
constexpr std::uint64_t kSliceMax = 1 << 22;    // 16 ms
constexpr std::uint64_t kSlices = 16;           // a slice is at most this part of what the strand has done

}  // namespace

void MixedStrand::add(std::unique_ptr<Engine> engine, std::uint32_t share) {
  members_.push_back({std::move(engine), share});
  current_ = nullptr;  // they may have moved
}

std::uint64_t MixedStrand::units() const {
  std::uint64_t sum = 0;
  for (const Member& member : members_) sum += member.engine->units();
  return sum;
}

StrandState MixedStrand::state() const {
  const auto any = [&](StrandState state) {
    return std::ranges::any_of(members_, [&](const Member& member) { return member.engine->state() == state; });
  };
  if (any(StrandState::kProved)) return StrandState::kProved;
  if (any(StrandState::kTarget)) return StrandState::kTarget;
  return std::ranges::all_of(members_, &Member::rests) ? StrandState::kFinished : StrandState::kWorking;
}

/// Of those that work the one that has had least of its share.
MixedStrand::Member* MixedStrand::neediest() {
  Member* out = nullptr;
  double least = 0;
  for (Member& member : members_) {
    if (member.rests()) continue;
    const double had = static_cast<double>(member.engine->units()) / static_cast<double>(member.share);
    if (out != nullptr && had >= least) continue;
    least = had;
    out = &member;
  }
  return out;
}

void MixedStrand::advance(std::uint64_t units_end, const Watch& watch) {
  while (units() < units_end && state() == StrandState::kWorking && !watch.stopped()) {
    const std::uint64_t before = units();
    if (current_ == nullptr || before >= slice_end_ || current_->rests()) {
      current_ = neediest();
      slice_end_ = before + std::clamp(before / kSlices, kSliceFirst, kSliceMax);
    }
    Engine& engine = *current_->engine;
    const std::uint64_t own = engine.units();
    engine.advance(own + std::min(slice_end_, units_end) - before, watch.after(before - own));
  }
}

Archive MixedStrand::best(std::size_t count) const {
  Archive out(count);
  collect(out);
  return out;
}

void MixedStrand::offer(const Candidate& candidate) {
  for (Member& member : members_) member.engine->offer(candidate);
}

void MixedStrand::collect(Archive& into) const {
  const auto any_with = [&](bool best) {
    bool any = false;
    for (const Member& member : members_) {
      if (member.engine->units() == 0 || (member.engine->best_energy() != INT64_MAX) != best) continue;
      member.engine->collect(into);
      any = true;
    }
    return any;
  };
  // Those that have not found anything yet would score where they are, which takes long on large models.
  if (!any_with(true)) any_with(false);
}

std::vector<EngineRecord> engine_records(std::span<MixedStrand* const> strands,
                                         const std::function<double(std::int64_t)>& objective) {
  std::vector<EngineRecord> out;
  for (std::uint32_t strand = 0; strand < strands.size(); ++strand) {
    for (std::size_t i = 0; i < strands[strand]->num_engines(); ++i) {
      const Engine& engine = strands[strand]->engine(i);
      const bool found = engine.units() > 0 && engine.best_energy() != INT64_MAX;
      out.push_back({.engine = std::string(engine.name()),
                     .strand = strand,
                     .units = engine.units(),
                     .best_energy = found ? std::optional(objective(engine.best_energy())) : std::nullopt});
    }
  }
  return out;
}

std::string engine_names(std::span<const EngineRecord> records) {
  std::string out;
  for (const EngineRecord& one : records)
    if (one.strand == 0) out += fmt::format("{}{}", out.empty() ? "" : ", ", one.engine);
  return out;
}

void share_by_results(std::span<MixedStrand* const> strands, std::span<const std::uint32_t> first, std::uint32_t lead) {
  std::vector<std::int64_t> found(first.size(), INT64_MAX);
  for (const MixedStrand* strand : strands) {
    for (std::size_t i = 0; i < found.size(); ++i) found[i] = std::min(found[i], strand->engine(i).best_energy());
  }
  const std::int64_t least = *std::ranges::min_element(found);
  const bool all = std::ranges::all_of(found, [&](std::int64_t energy) { return energy == least; });
  for (MixedStrand* strand : strands) {
    for (std::size_t i = 0; i < found.size(); ++i) {
      const bool judged = !all && found[i] != INT64_MAX;
      strand->set_share(i, !judged ? first[i] : found[i] == least ? lead : 1);
    }
  }
}

}  // namespace tandem::solve

#include "tandem/orchestrate/engine/progress_board.h"

namespace tandem::engine {

void ProgressBoard::note(const Progress& progress) {
  const std::lock_guard lock(mutex_);
  jobs_.insert_or_assign(progress.job, progress);
}

void ProgressBoard::forget(const JobId& id) {
  const std::lock_guard lock(mutex_);
  jobs_.erase(id);
}

std::optional<Progress> ProgressBoard::of(const JobId& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return std::nullopt;
  return found->second;
}

Json ProgressBoard::document() const {
  const std::lock_guard lock(mutex_);
  Json out = Json::object();
  std::size_t bytes = 0;
  for (const auto& [id, progress] : jobs_) {
    Json entry = progress.document();
    bytes += id.value.size() + entry.dump().size();
    if (out.size() == kToldJobsMax || bytes > kToldBytesMax) break;
    out[id.value] = std::move(entry);
  }
  return out;
}

std::optional<Progress> told_progress(const Json& jobs, const JobId& id) {
  const auto found = jobs.find(id.value);
  if (found == jobs.end() || !found->is_object()) return std::nullopt;
  const auto number = [&](const char* key) -> std::optional<double> {
    const auto value = found->find(key);
    if (value == found->end() || !value->is_number()) return std::nullopt;
    return value->get<double>();
  };
  Progress out{.job = id, .objective = number("objective"), .bound = number("bound")};
  if (const auto step = found->find("step"); step != found->end() && step->is_string()) out.step = *step;
  out.elapsed_ms = number("elapsed_ms").value_or(0);
  return out;
}

}  // namespace tandem::engine

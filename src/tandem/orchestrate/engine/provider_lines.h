// tandem/orchestrate/engine/provider_lines.h - ProviderLines: jobs that this process does not run before there is room at a provider.
//
// Room: orchestrate; for the sources of this part only. In the store they are queued, and another process may take them. Not here: how
// much room there is (resilience/bulkheads.h).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace tandem::engine {

/// Threads: none of its own; under the lock of the engine.
class ProviderLines {
 public:
  /// `compartment`: of the bulkheads.
  void add(const std::string& compartment, const std::string& job) {
    lines_[compartment].insert(job);
    compartment_of_.insert_or_assign(job, compartment);
  }
  bool contains(const std::string& job) const { return compartment_of_.contains(job); }
  bool empty() const { return compartment_of_.empty(); }
  void erase(const std::string& job) {
    const auto found = compartment_of_.find(job);
    if (found == compartment_of_.end()) return;
    const auto line = lines_.find(found->second);
    line->second.erase(job);
    if (line->second.empty()) lines_.erase(line);
    compartment_of_.erase(found);
  }
  /// Of each compartment that has room the first, who leaves the line. First is whoever was admitted first: ids sort by creation.
  template <typename HasRoom>
  std::vector<std::string> take_first(const HasRoom& has_room) {
    std::vector<std::string> out;
    for (const auto& [compartment, line] : lines_)
      if (has_room(compartment)) out.push_back(*line.begin());
    for (const std::string& job : out) erase(job);
    return out;
  }

 private:
  std::map<std::string, std::set<std::string>> lines_;
  std::map<std::string, std::string> compartment_of_;
};

}  // namespace tandem::engine

// tandem/orchestrate/schedule/fair_queue.h - FairQueue: which waiting job is next.
//
// Room: orchestrate. Weighted fair queueing in two levels: tenants share the workers by their weights, and the projects of a tenant
// share what the tenant gets. Within a project jobs go by their rank. It knows neither store nor time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

namespace tandem::schedule {

/// A job that waits.
struct Ticket {
  std::string job;
  std::string tenant;
  std::string project;
  std::int64_t rank = 0;  ///< rank_of(): smaller is earlier
  std::string serial_key;  ///< of a tenant; of the jobs that share one, one runs at a time. Empty: none
  friend bool operator==(const Ticket&, const Ticket&) = default;
};

/// Milliseconds of waiting that make up for one step of priority: what waits long enough overtakes, so nothing starves.
inline constexpr std::int64_t kAgingMs = 60'000;

/// When a job is due, in milliseconds as its clock counts them: its admission, earlier by kAgingMs for each step of priority. The
/// order of two jobs does not change while they wait, since both age alike. A job with a deadline is due at its latest start if
/// that is earlier, though never before its admission on that account.
std::int64_t rank_of(std::int64_t admitted_ms, int priority, std::optional<std::int64_t> latest_start_ms);

/// Weights by "tenant" or "tenant/project"; 1 where none is given. All > 0.
using Weights = std::map<std::string, double, std::less<>>;

/// Start-time fair queueing: whoever had least service for its weight is next; who was idle saves nothing up.
///
/// Threads: none of its own, and not safe to call concurrently. Cost: O(log n) a call, about 200 bytes a ticket.
class FairQueue {
 public:
  explicit FairQueue(Weights weights = {}) : weights_(std::move(weights)) {}
  FairQueue(const FairQueue&) = delete;
  FairQueue& operator=(const FairQueue&) = delete;

  /// False when the job waits already.
  bool push(const Ticket& ticket);
  /// The next whose serial key is free, charged with `cost`; the key is taken until release(). Empty: there is none.
  std::optional<Ticket> pop(double cost);
  /// False when it does not wait.
  bool erase(const std::string& job);
  /// Puts a waiting job before all others of every tenant.
  void hurry(const std::string& job);
  /// The serial key of a ticket that was popped is free again.
  void release(const Ticket& ticket);
  /// Service that a popped ticket took beyond, or below, what pop() charged.
  void charge(const Ticket& ticket, double cost);

  bool contains(const std::string& job) const { return entries_.contains(job); }
  std::size_t size() const { return entries_.size(); }
  /// pop() would give one.
  bool ready() const { return !ready_.empty(); }

 private:
  struct Tenant;
  struct Project;
  struct Line;
  struct Entry {
    std::int64_t rank = 0;
    Project* project = nullptr;
    Line* line = nullptr;  ///< of its serial key; null: none
  };
  using Node = std::pair<const std::string, Entry>;  ///< by job; where it stands does not change
  struct Earlier {
    bool operator()(const Node* a, const Node* b) const {
      return a->second.rank != b->second.rank ? a->second.rank < b->second.rank : a->first < b->first;
    }
  };
  using Waiting = std::set<const Node*, Earlier>;
  /// The jobs that share a serial key. Only the first stands in its project, and none while the key is taken.
  struct Line {
    std::string key;
    Waiting waiting;
    bool taken = false;
  };
  struct Project {
    std::string name;
    Tenant* tenant = nullptr;
    double weight = 1;
    double start = 0;  ///< in the virtual time of its tenant
    std::size_t tickets = 0;  ///< also those held back by a serial key
    Waiting waiting;
  };
  struct LeastServed {
    template <typename T>
    bool operator()(const T* a, const T* b) const {
      return a->start != b->start ? a->start < b->start : a->name < b->name;
    }
  };
  struct Tenant {
    std::string name;
    double weight = 1;
    double start = 0;
    double time = 0;  ///< virtual
    std::map<std::string, Project, std::less<>> projects;
    std::size_t projects_swept_at = 64;  ///< projects without claim to anything are dropped beyond it
    std::map<std::string, Line, std::less<>> lines;
    std::set<Project*, LeastServed> ready;
  };
  Tenant& tenant_of(const Ticket& ticket);
  Project& project_of(const Ticket& ticket);
  static Line& line_of(Tenant& tenant, const std::string& key);
  void stand(const Node& node);  ///< in its project
  void leave(const Node& node);
  Ticket take_out(const Node& node);

  Weights weights_;
  double time_ = 0;  ///< virtual
  std::map<std::string, Tenant, std::less<>> tenants_;
  std::set<Tenant*, LeastServed> ready_;
  std::unordered_map<std::string, Entry> entries_;
  std::string urgent_;  ///< job; empty: none
};

}  // namespace tandem::schedule

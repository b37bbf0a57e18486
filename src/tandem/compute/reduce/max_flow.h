// tandem/compute/reduce/max_flow.h - maximum flow on an undirected network with a supply or a demand at each node.
//
// Room: compute, inside reduce.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

namespace tandem::reduce {

/// Source: Goldberg, Tarjan 1988 (J. ACM 35), push-relabel; highest label first, gaps and labels from scratch as in Cherkassky,
/// Goldberg 1997 (Algorithmica 19).
///
/// Limits:  2^31 edges; supplies, demands and the capacities of a node together are below 2^62.
/// Threads: one. Cost: nodes^2 sqrt(edges) at worst, some tens of looks at each edge as a rule; work() counts them.
class MaxFlow {
 public:
  struct Edge {
    std::uint32_t u = 0;
    std::uint32_t v = 0;
    std::int64_t capacity = 0;  ///< either way
  };
  /// `supplies`: from the source where positive, to the sink where negative. Throws Stopped.
  MaxFlow(std::vector<std::int64_t> supplies, std::span<const Edge> edges, const std::stop_token& stop = {});

  /// False when more than `work_max` looks were needed: then value() is less than the maximum. Throws Stopped.
  bool run(std::uint64_t work_max, const std::stop_token& stop);
  std::int64_t value() const { return value_; }  ///< what has reached the sink
  std::uint64_t work() const { return work_; }

  std::size_t num_nodes() const { return excess_.size(); }
  /// After run() was true: which nodes the source still reaches.
  std::vector<bool> reached_by_source() const;
  /// And which still reach the sink.
  std::vector<bool> reaching_sink() const;
  /// Arc k of a node that has room left leads there; kNone where it has none, or behind the last arc.
  static constexpr std::uint32_t kNone = UINT32_MAX;
  std::uint32_t num_arcs(std::uint32_t node) const { return begin_[node + 1] - begin_[node]; }
  std::uint32_t head(std::uint32_t node, std::uint32_t k) const {
    const Arc& arc = arcs_[begin_[node] + k];
    return arc.room > 0 ? arc.head : kNone;
  }

  static std::uint64_t bytes(std::uint64_t nodes, std::uint64_t edges) { return nodes * 64 + edges * 2 * sizeof(Arc); }

 private:
  struct Arc {
    std::uint32_t head = 0;
    std::uint32_t back = 0;  ///< index of the arc the other way
    std::int64_t room = 0;
  };
  bool drain(std::vector<std::int64_t>& outlets, std::uint64_t work_max, const std::stop_token& stop);
  void relabel_all(const std::vector<std::int64_t>& outlets, const std::stop_token& stop);
  void discharge(std::uint32_t node, std::vector<std::int64_t>& outlets);
  void set_label(std::uint32_t node, std::uint32_t label);
  void activate(std::uint32_t node);
  void close_gap(std::uint32_t label);
  std::uint32_t lost() const {
    return static_cast<std::uint32_t>(excess_.size()) + 1;
  }  ///< label of what leads nowhere

  std::vector<std::uint32_t> begin_;
  std::vector<Arc> arcs_;
  std::vector<std::int64_t> to_sink_;  ///< room left
  std::vector<std::int64_t> to_source_;  ///< taken from there
  std::vector<std::int64_t> from_source_;  ///< given back
  std::vector<std::int64_t> excess_;
  std::vector<std::uint32_t> label_;
  std::vector<std::uint32_t> current_;  ///< arc to look at next
  std::vector<std::uint32_t> first_;  ///< a label: list of its nodes
  std::vector<std::uint32_t> next_;
  std::vector<std::uint32_t> previous_;
  std::vector<std::uint32_t> first_active_;  ///< a label: stack of its nodes with excess
  std::vector<std::uint32_t> next_active_;
  std::uint32_t highest_active_ = 0;
  std::uint32_t highest_ = 0;
  std::uint64_t since_relabel_ = 0;
  std::uint64_t work_ = 0;
  std::uint64_t next_look_ = 0;  ///< at the stop token, by work
  std::int64_t value_ = 0;
};

}  // namespace tandem::reduce

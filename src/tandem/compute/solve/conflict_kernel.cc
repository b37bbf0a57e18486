#include "tandem/compute/solve/conflict_kernel.h"

#include <algorithm>
#include <array>
#include <span>

#include "tandem/base/stopped.h"
#include "tandem/compute/reduce/first_look.h"
#include "tandem/compute/reduce/roof.h"

namespace tandem::solve {

namespace {

constexpr std::size_t kStopEvery = 1024;  // nodes between two looks at the stop token
constexpr std::size_t kFoldDegreeMax = 64;  // of the node that is made: lists of hubs are not written again and again
constexpr std::size_t kUnconfinedLooks = 2'000;  // at neighbours of neighbours, for a node
constexpr std::size_t kUnconfinedSize = 16;  // of the set that a node is followed to
constexpr std::size_t kGoneMax = 8;  // in a list, beside half of it
constexpr std::size_t kAgainShare = 64;  // one in so many nodes gone since the last look at all is worth another

bool has_relaxation(std::size_t num_nodes, std::size_t num_edges) {
  return num_nodes + num_edges <= reduce::kRoofSizeMax && 2 * num_edges <= reduce::kSparseDegree * num_nodes;
}

}  // namespace

/// The graph while rules are applied: nodes go, and fresh ones, called by the next number, come.
class ConflictReducer {
 public:
  ConflictReducer(const ConflictGraph& graph, const std::stop_token& stop, ConflictKernel& out)
      : graph_(graph), stop_(stop), out_(out), left_(graph.size()) {
    for (std::uint32_t node = 0; node < graph.size(); ++node) {
      const auto list = graph.neighbours(node);
      begin_.push_back(entries_.size());
      length_.push_back(static_cast<std::uint32_t>(list.size()));
      entries_.insert(entries_.end(), list.begin(), list.end());
      add_node(list.size());
      enqueue(node);
    }
  }

  void run() {
    std::size_t before = 0;
    do {
      before = left_;
      apply_small_rules();
      for (std::uint32_t node = 0; node < open_.size() && !stopped(); ++node) {
        if (!open_[node] || !unconfined(node)) continue;
        count(ConflictRule::kUnconfined);
        leave_out(node);
        apply_small_rules();
      }
      if (!stopped()) relax();
      apply_small_rules();
    } while (!stopped() && (before - left_) * kAgainShare > left_);
    finish();
  }

 private:
  bool stopped() { return stopped_ = stopped_ || (looks_++ % kStopEvery == 0 && stop_.stop_requested()); }

  void count(ConflictRule rule) { ++out_.counts_[static_cast<std::size_t>(rule)]; }

  void add_node(std::size_t degree) {
    open_.push_back(true);
    waiting_.push_back(false);
    degree_.push_back(static_cast<std::uint32_t>(degree));
    added_.emplace_back();
    mark_.push_back(0);
    shared_.push_back(0);
    out_.outside_.push_back(0);
  }

  void enqueue(std::uint32_t node) {
    if (waiting_[node] || degree_[node] > ConflictKernel::kDegreeMax) return;
    waiting_[node] = true;
    queue_.push_back(node);
  }

  /// Until `visit` says false, which looks at no neighbours of `node` itself. Ascending: numbers of fresh nodes come last.
  template <class Visit>
  bool each_neighbour(std::uint32_t node, const Visit& visit) {
    if (node < graph_.size()) {
      for (const std::uint32_t other : list_of(node))
        if (open_[other] && !visit(other)) return false;
    }
    for (const std::uint32_t other : added_[node])
      if (open_[other] && !visit(other)) return false;
    return true;
  }

  /// Neighbours that the graph gave it, and some that have gone: fewer than half. A hub whose leaves go is not walked in vain again
  /// and again.
  std::span<const std::uint32_t> list_of(std::uint32_t node) {
    const std::span<std::uint32_t> list(entries_.data() + begin_[node], length_[node]);
    if (list.size() <= 2 * std::size_t{degree_[node]} + kGoneMax) return list;
    const auto gone = std::ranges::remove_if(list, [&](std::uint32_t other) { return !open_[other]; });
    length_[node] -= static_cast<std::uint32_t>(gone.size());
    return list.first(length_[node]);
  }

  std::vector<std::uint32_t> neighbours(std::uint32_t node) {
    std::vector<std::uint32_t> all;
    each_neighbour(node, [&](std::uint32_t other) {
      all.push_back(other);
      return true;
    });
    return all;
  }

  bool are_neighbours(std::uint32_t a, std::uint32_t b) const {
    if (a > b) std::swap(a, b);
    if (b >= graph_.size()) return std::ranges::binary_search(added_[a], b);
    const bool shorter = graph_.neighbours(a).size() < graph_.neighbours(b).size();
    return std::ranges::binary_search(graph_.neighbours(shorter ? a : b), shorter ? b : a);
  }

  bool is_clique(std::span<const std::uint32_t> nodes) const {
    for (std::size_t b = 1; b < nodes.size(); ++b)
      for (std::size_t a = 0; a < b; ++a)
        if (!are_neighbours(nodes[a], nodes[b])) return false;
    return true;
  }

  // ---- what happens to nodes -----------------------------------------------------------------------------------------

  void close(std::uint32_t node) {
    open_[node] = false;
    --left_;
  }

  void leave_out(std::uint32_t node) {
    close(node);
    each_neighbour(node, [&](std::uint32_t other) {
      --degree_[other];
      enqueue(other);
      return true;
    });
  }

  void choose(std::uint32_t node) {
    out_.outside_[node] = 1;
    ++out_.num_chosen_;
    const std::vector<std::uint32_t> around = neighbours(node);
    close(node);
    for (const std::uint32_t other : around) leave_out(other);
  }

  /// `around` are all neighbours of `inside`, and one more. False where the node would have too many neighbours.
  bool fold(std::vector<std::uint32_t> inside, std::vector<std::uint32_t> around) {
    std::size_t degrees = 0;
    for (const std::uint32_t node : around) degrees += degree_[node] - inside.size();
    if (degrees > kFoldDegreeMax) return false;
    for (const std::uint32_t node : inside) close(node);
    for (const std::uint32_t node : around) close(node);
    std::vector<std::uint32_t> joined;
    for (const std::uint32_t node : around) {
      each_neighbour(node, [&](std::uint32_t other) {
        --degree_[other];
        joined.push_back(other);
        return true;
      });
    }
    std::ranges::sort(joined);
    joined.erase(std::unique(joined.begin(), joined.end()), joined.end());
    const auto fresh = static_cast<std::uint32_t>(open_.size());
    add_node(joined.size());
    ++left_;
    for (const std::uint32_t other : joined) {
      added_[other].push_back(fresh);
      ++degree_[other];
      enqueue(other);
    }
    added_[fresh] = std::move(joined);
    enqueue(fresh);
    out_.num_chosen_ += inside.size();
    out_.folds_.push_back({fresh, std::move(inside), std::move(around)});
    return true;
  }

  // ---- rules ---------------------------------------------------------------------------------------------------------

  void apply_small_rules() {
    while (!queue_.empty() && !stopped()) {
      const std::uint32_t node = queue_.back();
      queue_.pop_back();
      waiting_[node] = false;
      if (open_[node] && degree_[node] <= ConflictKernel::kDegreeMax) look_at(node);
    }
  }

  void look_at(std::uint32_t node) {
    std::vector<std::uint32_t> around = neighbours(node);
    if (is_clique(around)) {
      count(ConflictRule::kClique);
      choose(node);
    } else if (around.size() == 2) {
      if (fold({node}, std::move(around))) count(ConflictRule::kFold);
    } else if (around.size() == 3) {
      const std::uint32_t twin = twin_of(node, around);
      if (twin == node) return;
      if (are_neighbours(around[0], around[1]) || are_neighbours(around[0], around[2]) ||
          are_neighbours(around[1], around[2])) {
        choose(node);
        choose(twin);
      } else if (!fold({node, twin}, std::move(around))) {
        return;
      }
      count(ConflictRule::kTwins);
    }
  }

  /// The node itself where it has none.
  std::uint32_t twin_of(std::uint32_t node, std::span<const std::uint32_t> around) {
    const std::uint32_t least =
        *std::ranges::min_element(around, {}, [&](std::uint32_t other) { return degree_[other]; });
    if (degree_[least] > kFoldDegreeMax) return node;
    std::uint32_t twin = node;
    each_neighbour(least, [&](std::uint32_t other) {
      if (other == node || degree_[other] != around.size()) return true;
      if (std::ranges::all_of(around, [&](std::uint32_t one) { return are_neighbours(one, other); })) twin = other;
      return twin == node;
    });
    return twin;
  }

  /// Were `node` in all largest sets, so would be a set that grows from it: as long as a neighbour of one of them has but one neighbour
  /// beyond all of their neighbourhoods. One that has none there could take the place of its one in the set.
  bool unconfined(std::uint32_t node) {
    ++stamp_;
    std::vector<std::uint32_t> near;  // neighbours of the set
    std::size_t looks = 0;
    const auto grow = [&](std::uint32_t by) {
      mark_[by] = stamp_;
      return each_neighbour(by, [&](std::uint32_t other) {
        if (mark_[other] != stamp_) {
          mark_[other] = stamp_;
          shared_[other] = 0;
          near.push_back(other);
        }
        ++shared_[other];
        return ++looks < kUnconfinedLooks;
      });
    };
    if (!grow(node)) return false;
    for (std::size_t size = 1; size < kUnconfinedSize; ++size) {
      std::uint32_t next = node;
      for (const std::uint32_t other : near) {
        if (shared_[other] != 1) continue;
        std::size_t beyond = 0;
        std::uint32_t last = node;
        each_neighbour(other, [&](std::uint32_t third) {
          ++looks;
          if (mark_[third] == stamp_) return looks < kUnconfinedLooks;
          last = third;
          return ++beyond < 2;
        });
        if (looks >= kUnconfinedLooks) return false;
        if (beyond == 0) return true;
        if (beyond == 1) next = last;
      }
      if (next == node || !grow(next)) return false;
    }
    return false;
  }

  /// With a node at x in {0, 1}: -sum x + 2 sum x x over the edges, twice that in spins. No optimum has two neighbours.
  void relax() {
    std::vector<std::uint32_t> nodes;
    std::vector<std::uint32_t> name(open_.size());
    std::size_t num_edges = 0;
    for (std::uint32_t node = 0; node < open_.size(); ++node) {
      if (!open_[node]) continue;
      name[node] = static_cast<std::uint32_t>(nodes.size());
      nodes.push_back(node);
      num_edges += degree_[node];
    }
    num_edges /= 2;
    if (nodes.empty() || !has_relaxation(nodes.size(), num_edges)) return;
    std::vector<std::int64_t> fields;
    std::vector<reduce::RoofTerm> terms;
    fields.reserve(nodes.size());
    terms.reserve(num_edges);
    for (const std::uint32_t node : nodes) {
      fields.push_back(std::int64_t{degree_[node]} - 1);
      each_neighbour(node, [&](std::uint32_t other) {
        if (node < other) terms.push_back({name[node], name[other], 1});
        return true;
      });
    }
    reduce::Roof roof;
    try {
      roof = reduce::roof_of(0, fields, terms, stop_);
    } catch (const Stopped&) {
      stopped_ = true;
      return;
    }
    for (std::size_t k = 0; k < roof.values.size(); ++k) {
      if (roof.persistencies[k] == reduce::Persistency::kNone || !open_[nodes[k]]) continue;
      count(ConflictRule::kRelaxation);
      if (roof.values[k] > 0) {
        choose(nodes[k]);
      } else {
        leave_out(nodes[k]);
      }
    }
  }

  void finish() {
    std::vector<std::uint32_t> name(open_.size());
    for (std::uint32_t node = 0; node < open_.size(); ++node) {
      if (!open_[node]) continue;
      name[node] = static_cast<std::uint32_t>(out_.nodes_.size());
      out_.nodes_.push_back(node);
    }
    std::vector<std::pair<std::uint32_t, std::uint32_t>> edges;
    for (const std::uint32_t node : out_.nodes_) {
      each_neighbour(node, [&](std::uint32_t other) {
        if (node < other) edges.emplace_back(name[node], name[other]);
        return true;
      });
    }
    out_.kernel_ = ConflictGraph(out_.nodes_.size(), std::move(edges));
  }

  const ConflictGraph& graph_;
  std::vector<std::uint32_t> entries_;  ///< the lists of the graph, in which what has gone is left out now and then
  std::vector<std::size_t> begin_;
  std::vector<std::uint32_t> length_;
  const std::stop_token& stop_;
  ConflictKernel& out_;
  std::size_t left_;
  std::size_t looks_ = 0;
  bool stopped_ = false;
  std::vector<bool> open_;
  std::vector<bool> waiting_;
  std::vector<std::uint32_t> degree_;
  std::vector<std::vector<std::uint32_t>> added_;  ///< fresh neighbours, ascending; all neighbours of fresh nodes
  std::vector<std::uint32_t> queue_;
  std::uint32_t stamp_ = 0;
  std::vector<std::uint32_t> mark_;  ///< the stamp: in the set or next to it
  std::vector<std::uint32_t> shared_;  ///< neighbours in the set
};

ConflictKernel::ConflictKernel(const ConflictGraph& graph, const std::stop_token& stop)
    : num_nodes_(graph.size()), kernel_(0, {}) {
  ConflictReducer(graph, stop, *this).run();
}

std::uint64_t ConflictKernel::bytes(std::size_t num_nodes, std::size_t num_edges) {
  const std::uint64_t relaxation = has_relaxation(num_nodes, num_edges) ? reduce::roof_bytes(num_nodes, num_edges) : 0;
  return num_nodes * 128 + num_edges * 16 + relaxation;
}

std::optional<ReductionRecord> ConflictKernel::record() const {
  constexpr std::array<std::pair<ConflictRule, const char*>, 5> kNames = {{{ConflictRule::kClique, "clique"},
                                                                           {ConflictRule::kFold, "fold"},
                                                                           {ConflictRule::kTwins, "twins"},
                                                                           {ConflictRule::kUnconfined, "unconfined"},
                                                                           {ConflictRule::kRelaxation, "relaxation"}}};
  ReductionRecord out{.kind = "conflict_graph",
                      .variables_before = num_nodes_,
                      .variables_after = kernel_.size(),
                      .folds = folds_.size()};
  for (const auto& [rule, name] : kNames)
    if (count(rule) > 0) out.by_rule[name] = count(rule);
  return out.by_rule.empty() ? std::nullopt : std::optional(std::move(out));
}

problem::Assignment ConflictKernel::lift(problem::AssignmentView chosen) const {
  problem::Assignment out = outside_;
  for (std::size_t i = 0; i < nodes_.size(); ++i) out[nodes_[i]] = chosen[i];
  for (auto fold = folds_.rbegin(); fold != folds_.rend(); ++fold) {
    const std::int8_t whole = out[fold->fresh];
    for (const std::uint32_t node : fold->around) out[node] = whole;
    for (const std::uint32_t node : fold->inside) out[node] = static_cast<std::int8_t>(1 - whole);
  }
  out.resize(num_nodes_);
  return out;
}

problem::Assignment ConflictKernel::restrict(problem::AssignmentView chosen) const {
  problem::Assignment all(chosen.begin(), chosen.end());
  all.resize(outside_.size());
  for (const Fold& fold : folds_)
    all[fold.fresh] = std::ranges::all_of(fold.around, [&](std::uint32_t node) { return all[node] != 0; }) ? 1 : 0;
  problem::Assignment out(nodes_.size());
  for (std::size_t i = 0; i < nodes_.size(); ++i) out[i] = all[nodes_[i]];
  return out;
}

}  // namespace tandem::solve

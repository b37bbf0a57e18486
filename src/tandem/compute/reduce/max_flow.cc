#include "tandem/compute/reduce/max_flow.h"

#include <algorithm>

#include "tandem/base/stopped.h"

namespace tandem::reduce {

MaxFlow::MaxFlow(std::vector<std::int64_t> supplies, std::span<const Edge> edges, const std::stop_token& stop)
    : begin_(supplies.size() + 1),
      arcs_(2 * edges.size()),
      to_sink_(supplies.size()),
      to_source_(supplies.size()),
      from_source_(supplies.size()),
      excess_(std::move(supplies)),
      label_(excess_.size()),
      current_(excess_.size()),
      first_(excess_.size() + 2),
      next_(excess_.size()),
      previous_(excess_.size()),
      first_active_(excess_.size() + 2),
      next_active_(excess_.size()) {
  for (std::size_t i = 0; i < excess_.size(); ++i) {
    to_sink_[i] = std::max<std::int64_t>(0, -excess_[i]);
    excess_[i] = to_source_[i] = std::max<std::int64_t>(0, excess_[i]);
  }
  for_each(edges, stop, [&](const Edge& edge) {
    ++begin_[edge.u + 1];
    ++begin_[edge.v + 1];
  });
  for (std::size_t i = 0; i < excess_.size(); ++i) begin_[i + 1] += begin_[i];
  std::vector<std::uint32_t> end(begin_.begin(), begin_.end() - 1);
  for_each(edges, stop, [&](const Edge& edge) {
    const std::uint32_t there = end[edge.u]++;
    const std::uint32_t back = end[edge.v]++;
    arcs_[there] = {edge.v, back, edge.capacity};
    arcs_[back] = {edge.u, there, edge.capacity};
  });
}

bool MaxFlow::run(std::uint64_t work_max, const std::stop_token& stop) {
  // What cannot reach the sink goes back, so that the rooms left are those of a flow.
  return drain(to_sink_, work_max, stop) && drain(to_source_, 2 * work_max, stop);
}

/// Moves excess to nodes with an outlet, and out there, until no more can get there.
bool MaxFlow::drain(std::vector<std::int64_t>& outlets, std::uint64_t work_max, const std::stop_token& stop) {
  const std::uint64_t relabel_after = 6 * excess_.size() + arcs_.size() / 2;
  relabel_all(outlets, stop);
  while (true) {
    while (highest_active_ > 0 && first_active_[highest_active_] == kNone) --highest_active_;
    if (highest_active_ == 0) return true;
    const std::uint32_t node = first_active_[highest_active_];
    first_active_[highest_active_] = next_active_[node];
    if (label_[node] == highest_active_) discharge(node, outlets);  // else it was lifted by a gap
    if (work_ >= next_look_) {
      throw_if(stop);
      next_look_ = work_ + kLookEvery;
    }
    if (since_relabel_ < relabel_after) continue;
    if (work_ > work_max) return false;
    relabel_all(outlets, stop);
  }
}

void MaxFlow::set_label(std::uint32_t node, std::uint32_t label) {
  label_[node] = label;
  current_[node] = begin_[node];
  if (label >= lost()) return;
  highest_ = std::max(highest_, label);
  previous_[node] = kNone;
  next_[node] = first_[label];
  if (next_[node] != kNone) previous_[next_[node]] = node;
  first_[label] = node;
}

void MaxFlow::activate(std::uint32_t node) {
  const std::uint32_t label = label_[node];
  if (label >= lost()) return;
  next_active_[node] = first_active_[label];
  first_active_[label] = node;
  highest_active_ = std::max(highest_active_, label);
}

/// Labels are how many arcs with room lead to an outlet: 1 at the outlet itself.
void MaxFlow::relabel_all(const std::vector<std::int64_t>& outlets, const std::stop_token& stop) {
  since_relabel_ = 0;
  std::ranges::fill(label_, lost());
  std::ranges::fill(first_, kNone);
  std::ranges::fill(first_active_, kNone);
  highest_active_ = highest_ = 0;
  std::vector<std::uint32_t> queue;
  queue.reserve(excess_.size());
  const auto reach = [&](std::uint32_t node, std::uint32_t label) {
    set_label(node, label);
    queue.push_back(node);
    if (excess_[node] > 0) activate(node);
  };
  for (std::uint32_t node = 0; node < excess_.size(); ++node)
    if (outlets[node] > 0) reach(node, 1);
  for (std::size_t k = 0; k < queue.size(); ++k) {
    if (k % kLookEvery == 0) throw_if(stop);
    const std::uint32_t node = queue[k];
    for (std::uint32_t a = begin_[node]; a < begin_[node + 1]; ++a) {
      const Arc& arc = arcs_[a];
      if (label_[arc.head] == lost() && arcs_[arc.back].room > 0) reach(arc.head, label_[node] + 1);
    }
    work_ += begin_[node + 1] - begin_[node];
  }
  work_ += excess_.size();
}

void MaxFlow::discharge(std::uint32_t node, std::vector<std::int64_t>& outlets) {
  while (true) {
    if (label_[node] == 1 && outlets[node] > 0) {
      const std::int64_t out = std::min(excess_[node], outlets[node]);
      outlets[node] -= out;
      excess_[node] -= out;
      if (&outlets == &to_sink_) {
        value_ += out;
      } else {
        from_source_[node] += out;
      }
      if (excess_[node] == 0) return;
    }
    const std::uint32_t end = begin_[node + 1];
    std::uint32_t a = current_[node];
    for (; a < end; ++a) {
      Arc& arc = arcs_[a];
      if (arc.room == 0 || label_[arc.head] + 1 != label_[node]) continue;
      const std::int64_t amount = std::min(excess_[node], arc.room);
      arc.room -= amount;
      arcs_[arc.back].room += amount;
      excess_[node] -= amount;
      excess_[arc.head] += amount;
      if (excess_[arc.head] == amount) activate(arc.head);
      if (excess_[node] == 0) break;
    }
    const std::uint32_t looks = a - current_[node] + 1;
    current_[node] = a;
    work_ += looks;
    since_relabel_ += looks;
    if (excess_[node] == 0) return;
    // Nothing leads down any more.
    std::uint32_t least = lost() - 1;
    for (std::uint32_t k = begin_[node]; k < end; ++k)
      if (arcs_[k].room > 0) least = std::min(least, label_[arcs_[k].head]);
    work_ += end - begin_[node];
    since_relabel_ += end - begin_[node] + 12;
    const std::uint32_t old = label_[node];
    if (previous_[node] != kNone) {
      next_[previous_[node]] = next_[node];
    } else {
      first_[old] = next_[node];
    }
    if (next_[node] != kNone) previous_[next_[node]] = previous_[node];
    if (first_[old] == kNone) {
      close_gap(old);
      least = lost() - 1;  // it stood above the gap, or made it
    }
    set_label(node, least + 1);
    if (label_[node] >= lost()) return;
  }
}

/// Nobody has this label: what stands above it leads nowhere.
void MaxFlow::close_gap(std::uint32_t label) {
  for (std::uint32_t above = label + 1; above <= highest_; ++above) {
    for (std::uint32_t node = first_[above]; node != kNone; node = next_[node]) label_[node] = lost();
    first_[above] = kNone;
  }
  highest_ = std::min(highest_, label);
}

std::vector<bool> MaxFlow::reached_by_source() const {
  std::vector<bool> reached(num_nodes());
  std::vector<std::uint32_t> stack;
  const auto reach = [&](std::uint32_t node) {
    if (!reached[node]) stack.push_back(node);
    reached[node] = true;
  };
  for (std::uint32_t node = 0; node < num_nodes(); ++node)
    if (from_source_[node] > 0) reach(node);
  while (!stack.empty()) {
    const std::uint32_t node = stack.back();
    stack.pop_back();
    for (std::uint32_t a = begin_[node]; a < begin_[node + 1]; ++a)
      if (arcs_[a].room > 0) reach(arcs_[a].head);
  }
  return reached;
}

std::vector<bool> MaxFlow::reaching_sink() const {
  std::vector<bool> reaching(num_nodes());
  std::vector<std::uint32_t> stack;
  const auto reach = [&](std::uint32_t node) {
    if (!reaching[node]) stack.push_back(node);
    reaching[node] = true;
  };
  for (std::uint32_t node = 0; node < num_nodes(); ++node)
    if (to_sink_[node] > 0) reach(node);
  while (!stack.empty()) {
    const std::uint32_t node = stack.back();
    stack.pop_back();
    for (std::uint32_t a = begin_[node]; a < begin_[node + 1]; ++a)
      if (arcs_[arcs_[a].back].room > 0) reach(arcs_[a].head);
  }
  return reaching;
}

}  // namespace tandem::reduce

#include "tandem/compute/reduce/roof.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "tandem/base/stopped.h"

namespace tandem::reduce {

namespace {

/// The node of s_i; its negation is the one beside it.
std::uint32_t literal(std::uint32_t i) { return 2 * i; }
std::uint32_t negation(std::uint32_t node) { return node ^ 1; }

/// Components of the couplings without any field: their energies are the same when all their spins turn round.
struct Mirrors {
  static constexpr std::uint32_t kNone = UINT32_MAX;
  std::vector<std::uint32_t> root;  ///< the spin of the component that is held, for each variable of a mirrored one
  bool held(std::uint32_t i) const { return root[i] == i; }
  bool mirrored(std::uint32_t i) const { return root[i] != kNone; }
};

Mirrors mirrors_of(std::span<const std::int64_t> fields, std::span<const RoofTerm> terms, const std::stop_token& stop) {
  Mirrors out;
  std::vector<std::uint32_t>& parent = out.root;
  parent.resize(fields.size());
  std::iota(parent.begin(), parent.end(), 0u);
  const auto root_of = [&](std::uint32_t i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
  };
  for_each(terms, stop, [&](const RoofTerm& term) {
    const std::uint32_t u = root_of(term.u);
    const std::uint32_t v = root_of(term.v);
    parent[std::max(u, v)] = std::min(u, v);
  });
  std::vector<bool> has_field(fields.size());
  for (std::uint32_t i = 0; i < fields.size(); ++i)
    if (fields[i] != 0) has_field[root_of(i)] = true;
  for (std::uint32_t i = 0; i < fields.size(); ++i) parent[i] = parent[root_of(i)];
  for (std::uint32_t& root : parent)
    if (has_field[root]) root = Mirrors::kNone;
  return out;
}

/// Strongly connected components of the room left, each after those that it reaches: calls take(members) in that order.
template <class Take>
void for_each_component(const MaxFlow& flow, const std::vector<bool>& left_out, const std::stop_token& stop,
                        Take take) {
  constexpr std::uint32_t kUnseen = 0;
  struct Frame {
    std::uint32_t node = 0;
    std::uint32_t arc = 0;
  };
  std::vector<std::uint32_t> index(flow.num_nodes(), kUnseen);
  std::vector<std::uint32_t> low(flow.num_nodes());
  std::vector<bool> open(flow.num_nodes());
  std::vector<std::uint32_t> stack;
  std::vector<Frame> path;
  std::uint32_t count = 0;
  std::size_t steps = 0;
  const auto enter = [&](std::uint32_t node) {
    index[node] = low[node] = ++count;
    open[node] = true;
    stack.push_back(node);
    path.push_back({node, 0});
  };
  for (std::uint32_t root = 0; root < flow.num_nodes(); ++root) {
    if (index[root] != kUnseen || left_out[root]) continue;
    enter(root);
    while (!path.empty()) {
      if (steps++ % kLookEvery == 0) throw_if(stop);
      Frame& frame = path.back();
      const std::uint32_t node = frame.node;
      if (frame.arc < flow.num_arcs(node)) {
        const std::uint32_t head = flow.head(node, frame.arc++);
        if (head == MaxFlow::kNone || left_out[head]) continue;
        if (index[head] == kUnseen) {
          enter(head);
        } else if (open[head]) {
          low[node] = std::min(low[node], index[head]);
        }
        continue;
      }
      path.pop_back();
      if (!path.empty()) low[path.back().node] = std::min(low[path.back().node], low[node]);
      if (low[node] != index[node]) continue;
      const auto first = std::ranges::find(stack.rbegin(), stack.rend(), node).base() - 1;
      for (auto member = first; member != stack.end(); ++member) open[*member] = false;
      take(std::span<const std::uint32_t>(first, stack.end()));
      stack.erase(first, stack.end());
    }
  }
}

/// Reads the persistencies off a flow.
class Reading {
 public:
  explicit Reading(const MaxFlow& flow) : flow_(flow), state_(flow.num_nodes(), kOpen), inside_(flow.num_nodes()) {}

  void read(Roof& roof, const Mirrors& mirrors, const std::stop_token& stop) {
    std::vector<bool> settled = flow_.reached_by_source();
    throw_if(stop);
    const std::vector<bool> reaching = flow_.reaching_sink();
    for (std::uint32_t node = 0; node < state_.size(); ++node) {
      if (settled[node]) state_[node] = kTrue;
      if (reaching[node]) state_[node] = kFalse;
      settled[node] = settled[node] || reaching[node];
    }
    for_each_component(flow_, settled, stop, [&](std::span<const std::uint32_t> members) { take(members); });
    roof.persistencies.assign(state_.size() / 2, Persistency::kNone);
    roof.values.assign(state_.size() / 2, 0);
    for (std::uint32_t i = 0; i < roof.values.size(); ++i) {
      if (state_[literal(i)] == kOpen || mirrors.mirrored(i)) continue;
      set(roof, i, settled[literal(i)] ? Persistency::kStrong : Persistency::kWeak);
    }
    // What a held spin decides stands with it.
    std::vector<std::uint32_t> sizes(mirrors.root.size());
    for (std::uint32_t i = 0; i < roof.values.size(); ++i) {
      if (!mirrors.mirrored(i)) continue;
      ++sizes[mirrors.root[i]];
      if (state_[literal(i)] == kOpen || mirrors.held(i)) continue;
      set(roof, i, Persistency::kWeak);
      hold(roof, mirrors.root[i]);
    }
    for (std::uint32_t i = 0; i < roof.values.size(); ++i)
      if (mirrors.held(i) && sizes[i] == 1) hold(roof, i);
  }

 private:
  enum State : std::uint8_t { kOpen, kTrue, kFalse };

  void set(Roof& roof, std::uint32_t i, Persistency persistency) const {
    roof.values[i] = state_[literal(i)] == kTrue ? 1 : -1;
    roof.persistencies[i] = persistency;
  }
  static void hold(Roof& roof, std::uint32_t i) {
    roof.values[i] = 1;
    roof.persistencies[i] = Persistency::kWeak;
  }

  /// All that the members imply was looked at before: they can be true where all that is.
  void take(std::span<const std::uint32_t> members) {
    for (const std::uint32_t node : members) inside_[node] = true;
    const bool good = std::ranges::all_of(members, [&](std::uint32_t node) {
      if (state_[node] != kOpen || inside_[negation(node)]) return false;
      for (std::uint32_t k = 0; k < flow_.num_arcs(node); ++k) {
        const std::uint32_t head = flow_.head(node, k);
        if (head != MaxFlow::kNone && state_[head] != kTrue && !inside_[head]) return false;
      }
      return true;
    });
    for (const std::uint32_t node : members) {
      inside_[node] = false;
      if (!good) continue;
      state_[node] = kTrue;
      state_[negation(node)] = kFalse;
    }
  }

  const MaxFlow& flow_;
  std::vector<State> state_;  ///< of each node
  std::vector<bool> inside_;  ///< scratch of take()
};

/// The least number that is not below `bound` and differs from `energy` by a multiple of what all energies differ by.
std::int64_t next_energy(std::int64_t bound, std::int64_t energy, std::span<const std::int64_t> fields,
                         std::span<const RoofTerm> terms) {
  std::vector<std::int64_t> flips(fields.begin(),
                                  fields.end());  // half of what raising a spin adds where all others are low
  std::int64_t step = 0;
  for (const RoofTerm& term : terms) {
    flips[term.u] -= term.bias;
    flips[term.v] -= term.bias;
    step = std::gcd(step, 2 * term.bias);
  }
  for (const std::int64_t flip : flips) step = std::gcd(step, flip);
  if (step == 0) return energy;
  if (step > kRoofMagnitudeMax / 2) return bound;
  step *= 2;
  const std::int64_t above = (energy - bound) % step;
  return bound + (above < 0 ? above + step : above);
}

}  // namespace

std::string_view to_string(RoofState state) {
  constexpr std::string_view kNames[] = {"complete", "broken", "skipped"};
  return kNames[static_cast<std::size_t>(state)];
}

std::uint64_t roof_bytes(std::uint64_t variables, std::uint64_t terms) {
  variables = std::min(variables, kRoofSizeMax);
  terms = std::min(terms, kRoofSizeMax);
  // The network, its edges while it is made, labels of components; and what goes in.
  return MaxFlow::bytes(2 * variables, 2 * terms) + terms * (2 * sizeof(MaxFlow::Edge) + sizeof(RoofTerm)) +
         variables * 100;
}

Roof roof_of(std::int64_t offset, std::span<const std::int64_t> fields, std::span<const RoofTerm> terms,
             const std::stop_token& stop) {
  Roof roof{.bound = offset};
  std::int64_t lowest = offset;  // the energy where all spins are low
  for (const std::int64_t field : fields) {
    roof.bound -= std::abs(field);
    lowest -= field;
  }
  for (const RoofTerm& term : terms) {
    roof.bound -= std::abs(term.bias);
    lowest += term.bias;
  }
  if (fields.size() + terms.size() <= kRoofSizeMax) {
    const Mirrors mirrors = mirrors_of(fields, terms, stop);
    // A positive coupling asks for s_u = -s_v, a positive field for -s_i, which the source stands for.
    std::vector<std::int64_t> supplies(2 * fields.size());
    std::vector<MaxFlow::Edge> edges;
    edges.reserve(2 * terms.size());
    const auto add_field = [&](std::uint32_t i, std::int64_t field) {
      supplies[literal(i)] -= field;
      supplies[negation(literal(i))] += field;
    };
    for (std::uint32_t i = 0; i < fields.size(); ++i) add_field(i, fields[i]);
    for_each(terms, stop, [&](const RoofTerm& term) {
      if (mirrors.held(term.u) || mirrors.held(term.v)) {
        add_field(mirrors.held(term.u) ? term.v : term.u, term.bias);
        return;
      }
      const std::uint32_t v = term.bias > 0 ? negation(literal(term.v)) : literal(term.v);
      edges.push_back({literal(term.u), v, std::abs(term.bias)});
      edges.push_back({negation(literal(term.u)), negation(v), std::abs(term.bias)});
    });
    MaxFlow flow(std::move(supplies), edges, stop);
    edges = {};
    const std::uint64_t arcs = 4 * terms.size() + 2 * fields.size();
    const bool complete = flow.run(kRoofWorkPerArc * arcs, stop);
    roof.bound += flow.value();
    roof.state = complete ? RoofState::kComplete : RoofState::kBroken;
    if (complete) Reading(flow).read(roof, mirrors, stop);
  }
  roof.bound = next_energy(roof.bound, lowest, fields, terms);
  return roof;
}

}  // namespace tandem::reduce

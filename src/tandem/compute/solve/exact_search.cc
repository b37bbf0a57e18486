#include "tandem/compute/solve/exact_search.h"

#include <algorithm>
#include <cmath>

#include "tandem/base/assert.h"

namespace tandem::solve {

namespace {

constexpr std::uint64_t kFirstFlips = 5000;
constexpr std::uint64_t kFirstFlipsPerVariable = 100;
constexpr std::uint64_t kNodesPerStop = 1000;  // at most 3 ms

/// Calls visit(column, weight) for every coupling of row i.
template <class Visit>
void for_each_coupling(const SearchModel& model, std::size_t i, Visit visit) {
  std::visit(
      [&](const auto& rows) {
        if constexpr (requires { rows.entries; }) {
          for (const auto& entry : rows.row(i)) visit(entry.column, static_cast<std::int64_t>(entry.weight));
        } else {
          const auto* row = rows.row(i);
          for (std::uint32_t j = 0; j < model.size(); ++j) {
            if (row[j] != 0) visit(j, std::int64_t{rows.field(row[j])});
          }
        }
      },
      model.rows());
}

/// The components, or as many as there are up to one of more than `enough` variables, of which not all need be listed.
std::vector<std::vector<std::uint32_t>> components_of(const SearchModel& model, std::size_t enough = SIZE_MAX) {
  std::vector<std::vector<std::uint32_t>> out;
  std::vector<bool> seen(model.size());
  std::vector<std::vector<std::uint32_t>> lost(model.lost_pairs().empty() ? 0 : model.size());
  for (const auto& [u, v] : model.lost_pairs()) {
    lost[u].push_back(v);
    lost[v].push_back(u);
  }
  for (std::uint32_t root = 0; root < model.size(); ++root) {
    if (seen[root]) continue;
    seen[root] = true;
    std::vector<std::uint32_t> members{root};
    for (std::size_t next = 0; next < members.size() && members.size() <= enough; ++next) {
      const std::uint32_t i = members[next];
      const auto reach = [&](std::uint32_t j) {
        if (!seen[j]) members.push_back(j);
        seen[j] = true;
      };
      for_each_coupling(model, i, [&](std::uint32_t j, std::int64_t) { reach(j); });
      if (!lost.empty()) std::ranges::for_each(lost[i], reach);
    }
    const bool last = members.size() > enough;
    std::ranges::sort(members);
    out.push_back(std::move(members));
    if (last) break;
  }
  return out;
}

/// x = (1 + s) / 2: the field of a spin is linear / 2 + sum of weights / 4, its couplings are weights / 4.
SpinModel spin_model(const SearchModel& model, std::span<const std::uint32_t> members) {
  SpinModel out;
  const std::size_t size = members.size();
  out.fields.resize(size);
  out.couplings.resize(size * size);
  for (std::size_t a = 0; a < size; ++a) {
    out.fields[a] = static_cast<double>(model.linear()[members[a]]) / 2;
    for_each_coupling(model, members[a], [&](std::uint32_t j, std::int64_t weight) {
      const auto b = static_cast<std::size_t>(std::ranges::lower_bound(members, j) - members.begin());
      out.couplings[a * size + b] = static_cast<double>(weight) / 4;
      out.fields[a] += static_cast<double>(weight) / 4;
    });
  }
  return out;
}

/// Energy of the members at `bits`.
std::int64_t energy_of(const SearchModel& model, std::span<const std::uint32_t> members, problem::AssignmentView bits) {
  std::int64_t sum = 0;
  for (const std::uint32_t i : members) {
    if (bits[i] == 0) continue;
    sum += model.linear()[i];
    for_each_coupling(model, i, [&](std::uint32_t j, std::int64_t weight) {
      if (j < i && bits[j] != 0) sum += weight;
    });
  }
  return sum;
}

/// Energy of the members at `bits` above the sum of all their terms at their lowest, each for itself.
double loose_gap(const SearchModel& model, std::span<const std::uint32_t> members, problem::AssignmentView bits) {
  double gap = 0;
  for (const std::uint32_t i : members) {
    double field = static_cast<double>(model.linear()[i]) / 2;
    const double spin = bits[i] != 0 ? 1 : -1;
    for_each_coupling(model, i, [&](std::uint32_t j, std::int64_t weight) {
      const double coupling = static_cast<double>(weight) / 4;
      field += coupling;
      const double other = bits[j] != 0 ? 1 : -1;
      if (i < j) gap += coupling * spin * other + std::abs(coupling);
    });
    gap += field * spin + std::abs(field);
  }
  return gap;
}

problem::Assignment spins_of(std::span<const std::uint32_t> members, problem::AssignmentView bits) {
  problem::Assignment out;
  for (const std::uint32_t i : members) out.push_back(static_cast<std::int8_t>(2 * bits[i] - 1));
  return out;
}

}  // namespace

ExactSearch::ExactSearch(const SearchModel& model, ExactOptions options)
    : model_(model),
      options_(std::move(options)),
      first_(model, {.seed = options_.seed, .candidates_max = options_.candidates_max, .starts = options_.starts}),
      first_end_(kFirstFlips + kFirstFlipsPerVariable * model.size()),
      components_(components_of(model)),
      archive_(options_.candidates_max) {}

std::uint64_t ExactSearch::bytes(const SearchModel& model, std::size_t candidates_max) {
  return MemeticSearch::bytes(model, candidates_max) + model.size() * (candidates_max + 40) +
         SpinTree::bytes(largest_component(model, kTreeMax));
}

std::size_t ExactSearch::largest_component(const SearchModel& model, std::size_t at_most) {
  std::size_t largest = 0;
  for (const auto& members : components_of(model, at_most)) largest = std::max(largest, members.size());
  return std::min(largest, at_most);
}

void ExactSearch::advance(std::uint64_t units_end, const Watch& watch) {
  const auto stop = [&] { return watch.stopped(); };
  while (!done_ && !reached_target_ && units_ < units_end && !stop()) {
    if (first_.units() < first_end_) {
      search_first(units_end, watch);
      continue;
    }
    if (tree_ == nullptr) begin_component();
    std::uint64_t nodes = 1;
    if (tree_ != nullptr) {
      const std::uint64_t left = (units_end - units_ + options_.node_units - 1) / options_.node_units;
      nodes = tree_->advance(std::min(left, kNodesPerStop), stop);
      if (nodes == 0) return;
      if (tree_->revision() != tree_revision_) take_best_of_tree();
    }
    units_ += nodes * options_.node_units;
    report(watch);
    if (tree_ == nullptr) {
      done_ = true;
    } else if (tree_->done()) {
      tree_.reset();
      ++current_;
    }
  }
}

void ExactSearch::search_first(std::uint64_t units_end, const Watch& watch) {
  const std::uint64_t before = first_.units();
  const std::uint64_t flips = (units_end - units_ + options_.flip_units - 1) / options_.flip_units;
  first_.advance(std::min(first_end_, before + flips), watch.after(units_ - before));
  units_ += (first_.units() - before) * options_.flip_units;
  reached_target_ = first_.reached_target();
  Archive found(1);
  first_.collect(found);
  if (!found.empty()) offer(found.candidates()[0]);
  reported_ = std::min(reported_, first_.best_energy());
}

void ExactSearch::report(const Watch& watch) {
  if (best_energy_ >= reported_) return;
  reported_ = best_energy_;
  archive_.offer(best_energy_, best_bits_);
  reached_target_ = watch.found(best_energy_, units_);
}

/// Opens the tree of the next component that needs one, or moves past those that need none.
void ExactSearch::begin_component() {
  while (current_ < components_.size()) {
    const auto& members = components_[current_];
    if (members.size() > kTreeMax) {
      ++skipped_;
      gap_ += loose_gap(model_, members, best_bits_);
    } else if (members.size() == 1) {
      settle_single(members[0]);
    } else {
      open_tree(members);
      return;
    }
    ++current_;
  }
}

void ExactSearch::settle_single(std::uint32_t i) {
  const std::int64_t rise = best_bits_[i] != 0 ? -model_.linear()[i] : model_.linear()[i];
  const auto flip = [&](problem::Assignment& bits) { bits[i] = static_cast<std::int8_t>(1 - bits[i]); };
  if (std::abs(static_cast<double>(rise)) <= options_.order.window) {
    problem::Assignment flipped = best_bits_;
    flip(flipped);
    if (!options_.order.better(flipped, best_bits_)) return;
  } else if (rise >= 0) {
    return;
  }
  flip(best_bits_);
  best_energy_ += rise;
}

void ExactSearch::open_tree(std::span<const std::uint32_t> members) {
  SpinModel spins = spin_model(model_, members);
  double magnitude = 0;
  for (const double coupling : spins.couplings) magnitude += std::abs(coupling);
  const bool lost = magnitude == 0;  // to rounding, all of them; the tree needs one, and room for what it changes
  if (lost) spins.couplings[1] = spins.couplings[members.size()] = 0.25;
  for (const double field : spins.fields) magnitude += std::abs(field);
  tree_rounding_ = kRounding * magnitude + (lost ? 1 : 0);
  problem::Assignment best = spins_of(members, best_bits_);
  if (options_.order.window == 0 && tree_rounding_ < 0.1) {
    // Energies are integers: what is not below the best by one is not better.
    tree_ = std::make_unique<SpinTree>(spins, std::move(best), 1 - 2 * tree_rounding_, model_.isa());
  } else {
    const auto with = [this, members](problem::AssignmentView of_members) {
      problem::Assignment bits = best_bits_;
      for (std::size_t a = 0; a < members.size(); ++a)
        bits[members[a]] = static_cast<std::int8_t>(of_members[a] > 0 ? 1 : 0);
      return bits;
    };
    tree_ =
        std::make_unique<SpinTree>(spins, std::move(best), -2 * tree_rounding_ - options_.order.window, model_.isa(),
                                   [this, members, with](problem::AssignmentView a, problem::AssignmentView b) {
                                     return better(members, with(a), with(b));
                                   });
  }
  tree_revision_ = tree_->revision();
}

bool ExactSearch::better(std::span<const std::uint32_t> members, problem::AssignmentView a,
                         problem::AssignmentView b) const {
  const std::int64_t rise = energy_of(model_, members, a) - energy_of(model_, members, b);
  const bool told_apart = std::abs(static_cast<double>(rise)) > options_.order.window;
  if (told_apart || options_.order.window == 0) return rise < 0;
  problem::Assignment taken(b.begin(), b.end());
  for (const std::uint32_t i : members) taken[i] = a[i];
  return options_.order.better(taken, b);
}

void ExactSearch::take_best_of_tree() {
  const auto& members = components_[current_];
  for (std::size_t a = 0; a < members.size(); ++a)
    best_bits_[members[a]] = static_cast<std::int8_t>(tree_->best()[a] > 0 ? 1 : 0);
  best_energy_ = model_.energy(best_bits_);
  tree_revision_ = tree_->revision();
}

/// How far below its best assignment the component of the tree may still be.
double ExactSearch::tree_gap() const {
  return tree_->done() ? 0 : tree_->best_energy() - tree_->lower_bound() + tree_rounding_;
}

void ExactSearch::offer(const Candidate& candidate) {
  if (best_bits_.empty()) {
    best_bits_ = candidate.bits;
  } else {
    // Components do not touch each other: each takes the better of the two.
    for (const auto& members : components_) {
      if (std::ranges::all_of(members, [&](std::uint32_t i) { return candidate.bits[i] == best_bits_[i]; })) continue;
      if (!better(members, candidate.bits, best_bits_)) continue;
      for (const std::uint32_t i : members) best_bits_[i] = candidate.bits[i];
    }
  }
  best_energy_ = model_.energy(best_bits_);
  if (tree_ != nullptr) {
    tree_->offer(spins_of(components_[current_], best_bits_));
    tree_revision_ = tree_->revision();
  }
}

void ExactSearch::collect(Archive& into) const {
  first_.collect(into);
  into.offer(archive_);
}

std::optional<std::int64_t> ExactSearch::bound() const {
  if (best_bits_.empty()) return std::nullopt;
  double gap = gap_;
  std::size_t ahead = current_;
  if (tree_ != nullptr) {
    gap += tree_gap();
    ++ahead;
  }
  for (; ahead < components_.size(); ++ahead) gap += loose_gap(model_, components_[ahead], best_bits_);
  // A double holds no more digits than this; beyond int64 there is nothing left to say.
  const double bound = static_cast<double>(best_energy_) - gap;
  if (gap < 1) return best_energy_;
  if (!(bound > -9.2e18)) return std::nullopt;
  return best_energy_ - static_cast<std::int64_t>(std::floor(gap));
}

}  // namespace tandem::solve

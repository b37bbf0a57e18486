#include "tandem/compute/solve/coloring_proof.h"

#include <algorithm>

namespace tandem::solve {
namespace {

constexpr std::size_t kCliqueNodesMax = 2048;
constexpr std::uint64_t kCliqueUnits = 1 << 27;  // a quarter of a second

ConflictGraph complement(const ConflictGraph& graph) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;
  for (std::uint32_t u = 0; u < graph.size(); ++u) {
    const auto near = graph.neighbours(u);
    auto next = std::ranges::upper_bound(near, u);
    for (std::uint32_t v = u + 1; v < graph.size(); ++v) {
      if (next != near.end() && *next == v)
        ++next;
      else
        pairs.emplace_back(u, v);
    }
  }
  return ConflictGraph(graph.size(), std::move(pairs));
}

}  // namespace

std::uint64_t ColoringProof::bytes(const ConflictGraph& graph) {
  const std::uint64_t clique = std::min(graph.size(), kCliqueNodesMax);
  return clique * clique * 16 + StableTree::bytes(clique) +
         ColoringTree::bytes(std::min(graph.size(), ColoringTree::kNodesMax)) +
         ConflictGraph::bytes(graph.size(), graph.num_edges());
}

ColoringProof::ColoringProof(const ConflictGraph& graph, std::vector<std::uint32_t> clique, std::size_t fewer_than)
    : graph_(graph), clique_(std::move(clique)), fewer_than_(fewer_than), lower_(clique_.size()) {
  if (lower_ >= fewer_than_) {
    raise(fewer_than_);
    return;
  }
  // A larger clique has nodes of at least as many neighbours as this one has nodes.
  core_ = std::make_unique<ColoringCore>(graph_, clique_.size());
  if (core_->graph().size() > kCliqueNodesMax) {
    stage_ = Stage::kDone;
    return;
  }
  others_ = std::make_unique<ConflictGraph>(complement(core_->graph()));
  cliques_ = std::make_unique<StableTree>(*others_);
  cliques_->hear_of(clique_.size());
}

void ColoringProof::raise(std::size_t lower) {
  lower_ = std::max(lower_, std::min(lower, fewer_than_));
  if (lower_ < fewer_than_) return;
  stage_ = Stage::kDone;
  cliques_.reset();
  others_.reset();
  tree_.reset();
}

void ColoringProof::hear_of(std::size_t colors) {
  if (colors >= fewer_than_) return;
  fewer_than_ = colors;
  if (tree_ != nullptr) tree_->hear_of(colors);
  if (stage_ != Stage::kDone) raise(lower_);
}

void ColoringProof::step() {
  if (stage_ == Stage::kClique)
    step_clique();
  else
    step_tree();
}

void ColoringProof::step_clique() {
  const std::uint64_t before = cliques_->units();
  const std::size_t known = cliques_->best_size();
  cliques_->step();
  units_ += cliques_->units() - before + 1;
  if (cliques_->best_size() > known) {
    clique_.clear();
    for (std::size_t k = 0; k < cliques_->best().size(); ++k)
      if (cliques_->best()[k] != 0) clique_.push_back(core_->nodes()[k]);
    raise(clique_.size());
  }
  if (stage_ == Stage::kClique && (cliques_->done() || units_ >= kCliqueUnits)) begin_tree();
}

void ColoringProof::begin_tree() {
  cliques_.reset();
  others_.reset();
  core_ = std::make_unique<ColoringCore>(graph_, lower_);
  if (core_->graph().size() > ColoringTree::kNodesMax || fewer_than_ > ColoringTree::kColorsMax + 1) {
    stage_ = Stage::kDone;
    return;
  }
  // Those of the clique that the core still has: its nodes may have no neighbour outside.
  std::vector<std::uint32_t> first;
  for (const std::uint32_t node : clique_) {
    const auto place = std::ranges::lower_bound(core_->nodes(), node);
    if (place != core_->nodes().end() && *place == node)
      first.push_back(static_cast<std::uint32_t>(place - core_->nodes().begin()));
  }
  stage_ = Stage::kTree;
  tree_ = std::make_unique<ColoringTree>(core_->graph(), first, fewer_than_);
}

void ColoringProof::step_tree() {
  const std::uint64_t before = tree_->units();
  tree_->step();
  units_ += tree_->units() - before + 1;
  if (tree_->fewer_than() == fewer_than_) {
    // At once: a step of its own would cost nothing, and a repetition of so many units would end before it.
    if (tree_->done()) raise(fewer_than_);
    return;
  }
  // What the core leaves out is coloured with at most lower() colours.
  found_ = core_->lift(tree_->best());
  fewer_than_ = std::max(tree_->fewer_than(), lower_);
  raise(lower_);
}

}  // namespace tandem::solve

#include <algorithm>
#include <limits>
#include <type_traits>
#include <vector>

#include "tandem/compute/solve/landscape.h"
#include "tandem/compute/solve/tabu_search.h"

namespace tandem::solve {

namespace {

constexpr std::size_t kBlock = 64;

/// In the place of rows: a polynomial moves by itself, and says what flips would add.
struct PolynomialRows {
  using Field = std::int64_t;
  const PolynomialModel* model;
  PolynomialLandscape landscape;
  explicit PolynomialRows(const PolynomialModel& polynomial) : model(&polynomial), landscape(polynomial) {}
};

/// Keeps for each block of variables the least flip energy, over all of them and over the free ones, and scores again only the blocks
/// that a flip touches.
template <class Rows>
class SparseTabuSearch final : public TabuSearch {
 public:
  using Field = typename Rows::Field;
  static constexpr bool kPolynomial = std::is_same_v<Rows, PolynomialRows>;
  using RowsHeld = std::conditional_t<kPolynomial, Rows, const Rows&>;

  SparseTabuSearch(const SearchModel& model, const Rows& rows)
      : SparseTabuSearch(model.size(), model.num_entries(), rows) {
    for (std::size_t i = 0; i < model.size(); ++i) flip_[i] = static_cast<Field>(model.linear()[i]);
  }
  explicit SparseTabuSearch(const PolynomialModel& model)
    requires kPolynomial
      : SparseTabuSearch(model.size(), 0, Rows(model)) {
    lazy_ = is_lazy(2 * rows_.landscape.flip_cost() * model.size());
    energy_ = rows_.landscape.first_energy();
    for (std::size_t i = 0; i < model.size(); ++i) flip_[i] = rows_.landscape.flip_energy(i);
  }

 private:
  /// `touched`: variables, by a flip of each.
  SparseTabuSearch(std::size_t n, std::uint64_t touched, RowsHeld rows)
      : TabuSearch(n, n),
        rows_(std::move(rows)),
        flip_(padded(n), kNever),
        tabu_until_(flip_.size()),
        least_(flip_.size() / kBlock),
        least_free_(least_.size()),
        lazy_(is_lazy(touched)),
        stale_(least_.size()),
        expiring_(tenure_max(n) + 1) {}

  /// Where a flip touches most blocks anyway, all are scored and nobody keeps book.
  bool is_lazy(std::uint64_t touched) const { return (touched / size() + 2) * kBlock < size(); }

  /// Whose flip energies a flip changes, some more than once, and perhaps the flipped one itself.
  template <class Visit>
  void for_each_touched(std::size_t flipped, const Visit& visit) const {
    if constexpr (kPolynomial) {
      for (const std::uint32_t t : rows_.model->terms_of(flipped)) {
        for (const std::uint32_t j : rows_.model->factors(t)) visit(j);
      }
    } else {
      for (const auto& entry : rows_.row(flipped)) visit(entry.column);
    }
  }

  static constexpr Field kNever = std::numeric_limits<Field>::max();

  void flip(std::size_t i) override {
    energy_ += flip_[i];
    if constexpr (kPolynomial) {
      rows_.landscape.flip(i);
      for_each_touched(i, [&](std::uint32_t j) { flip_[j] = rows_.landscape.flip_energy(j); });
      flip_[i] = rows_.landscape.flip_energy(i);  // of a variable in no term, too
    } else {
      const std::int8_t before = bits_[i];
      for (const auto& entry : rows_.row(i)) {
        flip_[entry.column] += bits_[entry.column] == before ? entry.weight : -entry.weight;
      }
      flip_[i] = -flip_[i];
    }
    bits_[i] ^= 1;
  }

  std::size_t least_of(std::span<const std::uint32_t> variables) const override {
    return place_of_least(variables, [&](std::uint32_t i) { return flip_[i]; });
  }

  void end_search() override {
    std::ranges::fill(tabu_until_, 0);
    for (auto& slot : expiring_) slot.clear();
  }

  void start_search() override {
    score_all();
    note_local_optimum();
  }

  void note_local_optimum() {
    if (better() && *std::ranges::min_element(least_) >= 0) note();
  }

  void search_step() override {
    const std::uint64_t random = rng_();
    const std::size_t chosen = choose(random);
    ++iteration_;
    tabu_until_[chosen] = iteration_ + tenure(random);
    flip(chosen);
    refresh(chosen);
    note_local_optimum();
  }

  /// A free variable of least flip energy, or any one that leads below the best of the run.
  std::size_t choose(std::uint64_t random) const {
    const Field least = *std::ranges::min_element(least_);
    Field wanted = *std::ranges::min_element(least_free_);
    const bool aspires = least < wanted && has_best_ && energy_ + least < best_energy_;
    const bool all = aspires || wanted == kNever;
    if (all) wanted = least;
    const std::vector<Field>& of_block = all ? least_ : least_free_;
    const std::size_t blocks = of_block.size();
    std::size_t block = ((random >> 32) * blocks) >> 32;
    while (of_block[block] != wanted) block = block + 1 == blocks ? 0 : block + 1;
    const std::size_t start = (random >> 26) % kBlock;
    for (std::size_t k = 0; k < kBlock; ++k) {
      const std::size_t i = block * kBlock + (start + k) % kBlock;
      if (flip_[i] == wanted && (all || tabu_until_[i] <= iteration_)) return i;
    }
    return 0;  // unreachable: the block holds what its minimum says
  }

  /// Scores the blocks of the flipped variable, its neighbours, and those whose tenure ends now.
  void refresh(std::size_t flipped) {
    if (!lazy_) {
      score_all();
      return;
    }
    mark(flipped);
    for_each_touched(flipped, [&](std::uint32_t j) { mark(j); });
    // Tenures are shorter than the ring, so that a slot only holds those that end in one iteration.
    auto& now = expiring_[static_cast<std::size_t>(iteration_) % expiring_.size()];
    for (const std::uint32_t i : now) mark(i);
    now.clear();
    expiring_[static_cast<std::size_t>(tabu_until_[flipped]) % expiring_.size()].push_back(
        static_cast<std::uint32_t>(flipped));
    for (const std::uint32_t block : stale_list_) {
      score_block(block);
      stale_[block] = 0;
    }
    stale_list_.clear();
  }

  void mark(std::size_t i) {
    const std::size_t block = i / kBlock;
    if (stale_[block] != 0) return;
    stale_[block] = 1;
    stale_list_.push_back(static_cast<std::uint32_t>(block));
  }

  void score_all() {
    for (std::size_t block = 0; block < least_.size(); ++block) score_block(block);
  }

  void score_block(std::size_t block) {
    const Field* f = flip_.data() + block * kBlock;
    const std::int32_t* t = tabu_until_.data() + block * kBlock;
    Field all = kNever;
    Field free = kNever;
    for (std::size_t j = 0; j < kBlock; ++j) {
      const Field value = f[j];
      const Field masked = t[j] > iteration_ ? kNever : value;
      all = std::min(all, value);
      free = std::min(free, masked);
    }
    least_[block] = all;
    least_free_[block] = free;
  }

  RowsHeld rows_;
  std::vector<Field> flip_;  // padded with kNever
  std::vector<std::int32_t> tabu_until_;  // free from this iteration on
  std::vector<Field> least_;  // of each block, and of those free in it
  std::vector<Field> least_free_;
  bool lazy_;  // only stale blocks are scored
  std::vector<std::uint8_t> stale_;
  std::vector<std::uint32_t> stale_list_;
  std::vector<std::vector<std::uint32_t>> expiring_;  // by iteration: the variables whose tenure ends then
};

}  // namespace

std::unique_ptr<TabuSearch> TabuSearch::create(const PolynomialModel& model) {
  return std::make_unique<SparseTabuSearch<PolynomialRows>>(model);
}

std::uint64_t TabuSearch::bytes(const PolynomialModel& model) {
  return padded(model.size()) * 48 + model.num_terms() * sizeof(std::int32_t);
}

std::unique_ptr<TabuSearch> make_sparse_tabu_search(const SearchModel& model) {
  return std::visit(
      [&](const auto& rows) -> std::unique_ptr<TabuSearch> {
        using Kind = std::decay_t<decltype(rows)>;
        if constexpr (requires { rows.entries; }) {
          return std::make_unique<SparseTabuSearch<Kind>>(model, rows);
        } else {
          return nullptr;
        }
      },
      model.rows());
}

}  // namespace tandem::solve

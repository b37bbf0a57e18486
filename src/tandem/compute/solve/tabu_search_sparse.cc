#include <algorithm>
#include <limits>
#include <type_traits>
#include <vector>

#include "tandem/compute/solve/flip_queue.h"
#include "tandem/compute/solve/landscape.h"
#include "tandem/compute/solve/tabu_search.h"

namespace tandem::solve {

namespace {

/// In the place of rows: a polynomial moves by itself, and says what flips would add.
struct PolynomialRows {
  using Field = std::int64_t;
  const PolynomialModel* model;
  PolynomialLandscape landscape;
  explicit PolynomialRows(const PolynomialModel& polynomial) : model(&polynomial), landscape(polynomial) {}
};

/// Keeps the free variables and the tabu ones by their flip energies.
template <class Rows>
class SparseTabuSearch final : public TabuSearch {
 public:
  using Field = typename Rows::Field;
  static constexpr bool kPolynomial = std::is_same_v<Rows, PolynomialRows>;
  using RowsHeld = std::conditional_t<kPolynomial, Rows, const Rows&>;

  SparseTabuSearch(const SearchModel& model, const Rows& rows) : SparseTabuSearch(model.size(), rows) {
    for (std::size_t i = 0; i < model.size(); ++i) flip_[i] = static_cast<Field>(model.linear()[i]);
  }
  explicit SparseTabuSearch(const PolynomialModel& model)
    requires kPolynomial
      : SparseTabuSearch(model.size(), Rows(model)) {
    energy_ = rows_.landscape.first_energy();
    for (std::size_t i = 0; i < model.size(); ++i) flip_[i] = rows_.landscape.flip_energy(i);
  }

 private:
  SparseTabuSearch(std::size_t n, RowsHeld rows)
      : TabuSearch(n, n), rows_(std::move(rows)), flip_(n), tabu_until_(n), queue_(n), expiring_(tenure_max(n) + 1) {}

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
    queue_.clear();
    for (std::uint32_t i = 0; i < size(); ++i) put(i);
    note_local_optimum();
  }

  void put(std::uint32_t i) {
    queue_.put(i, tabu_until_[i] > iteration_ ? FlipQueue::kTabu : FlipQueue::kFree, flip_[i]);
  }
  std::int64_t least(FlipQueue::Side side) { return queue_.least(side, std::span<const Field>(flip_)); }

  void note_local_optimum() {
    if (better() && least(FlipQueue::kFree) >= 0 && least(FlipQueue::kTabu) >= 0) note();
  }

  void search_step() override {
    const std::uint64_t random = rng_();
    const std::uint32_t chosen = choose(random >> 32);
    ++iteration_;
    tabu_until_[chosen] = iteration_ + tenure(random);
    flip(chosen);
    put(chosen);
    for_each_touched(chosen, [&](std::uint32_t j) { put(j); });
    // Tenures are shorter than the ring, so that a slot only holds those that end in one iteration.
    auto& now = expiring_[static_cast<std::size_t>(iteration_) % expiring_.size()];
    for (const std::uint32_t i : now) put(i);
    now.clear();
    expiring_[static_cast<std::size_t>(tabu_until_[chosen]) % expiring_.size()].push_back(chosen);
    note_local_optimum();
  }

  /// A free variable of least flip energy, or any one that leads below the best of the run.
  std::uint32_t choose(std::uint64_t random) {
    const std::int64_t free = least(FlipQueue::kFree);
    const std::int64_t tabu = least(FlipQueue::kTabu);
    const bool aspires = tabu < free && has_best_ && energy_ + tabu < best_energy_;
    const FlipQueue::Side side = aspires || free == kNever ? FlipQueue::kTabu : FlipQueue::kFree;
    return queue_.draw(side, std::span<const Field>(flip_), side == FlipQueue::kTabu ? tabu : free, random);
  }

  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  RowsHeld rows_;
  std::vector<Field> flip_;
  std::vector<std::int32_t> tabu_until_;  // free from this iteration on
  FlipQueue queue_;
  std::vector<std::vector<std::uint32_t>> expiring_;  // by iteration: the variables whose tenure ends then
};

}  // namespace

std::unique_ptr<TabuSearch> TabuSearch::create(const PolynomialModel& model) {
  return std::make_unique<SparseTabuSearch<PolynomialRows>>(model);
}

std::uint64_t TabuSearch::bytes(const PolynomialModel& model) {
  return padded(model.size()) * 36 + FlipQueue::bytes(model.size()) + model.num_terms() * sizeof(std::int32_t);
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

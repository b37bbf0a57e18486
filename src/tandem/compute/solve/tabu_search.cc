#include "tandem/compute/solve/tabu_search.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "tandem/compute/solve/landscape.h"
#include "tandem/compute/solve/tabu_kernels.h"

namespace tandem::solve {

namespace {

constexpr std::size_t kBlock = kTabuBlock;
static_assert(kBlock == kDenseBlock);
constexpr simd::KernelTables<TabuKernels> kKernels = {&portable::kTabuKernels, &avx2::kTabuKernels,
                                                      &avx512::kTabuKernels};
constexpr std::uint64_t kTenureSpread = 10;
constexpr std::int32_t kIterationsMax = 1 << 30;  // a run this long is ended: tenures are 32-bit

/// Flip energies, tenures and the least flip energy of each block, over all its variables and over the free ones.
template <class Field>
struct Scores {
  static constexpr Field kNever = std::numeric_limits<Field>::max();
  std::vector<Field> flip;               // padded with kNever
  std::vector<std::int32_t> tabu_until;  // free from this iteration on
  std::vector<Field> least;
  std::vector<Field> least_free;

  explicit Scores(std::size_t n)
      : flip(padded(n), kNever), tabu_until(padded(n)), least(flip.size() / kBlock), least_free(flip.size() / kBlock) {}

  void score_block(std::size_t block, std::int32_t iteration) {
    const Field* f = flip.data() + block * kBlock;
    const std::int32_t* t = tabu_until.data() + block * kBlock;
    Field all = kNever;
    Field free = kNever;
    for (std::size_t j = 0; j < kBlock; ++j) {
      const Field value = f[j];
      const Field masked = t[j] > iteration ? kNever : value;
      all = std::min(all, value);
      free = std::min(free, masked);
    }
    least[block] = all;
    least_free[block] = free;
  }
};

template <class Weight, class Field>
const DenseTabuKernels<Weight, Field>& dense_kernels(simd::Isa isa) {
  const TabuKernels& all = simd::kernels_for(kKernels, isa);
  if constexpr (std::is_same_v<Weight, std::int16_t>)
    return all.short_weights;
  else if constexpr (std::is_same_v<Weight, std::int32_t>)
    return all.weights;
  else
    return all.long_weights;
}

/// In the place of rows: a polynomial moves by itself, and says what it would add.
struct PolynomialRows {
  using Field = std::int64_t;
  using Weight = std::int64_t;
  const PolynomialModel* model;
};

template <class Rows>
class Search final : public TabuSearch {
 public:
  using Field = typename Rows::Field;
  using Weight = typename Rows::Weight;
  static constexpr bool kPolynomial = std::is_same_v<Rows, PolynomialRows>;
  static constexpr bool kSparse = kPolynomial || requires(Rows rows) { rows.entries; };

  Search(const SearchModel& model, const Rows& rows) : rows_(rows), n_(model.size()), scores_(n_) {
    bits_.assign(n_, 0);
    best_bits_.assign(n_, 0);
    for (std::size_t i = 0; i < n_; ++i) scores_.flip[i] = static_cast<Field>(model.linear()[i]);
    if constexpr (kSparse) {
      keep_book(model.num_entries());
    } else {
      high_.assign(scores_.flip.size(), 0);
      kernels_ = &dense_kernels<Weight, Field>(model.isa());
    }
  }

  explicit Search(const PolynomialModel& model)
    requires kPolynomial
      : rows_{&model}, n_(model.size()), scores_(n_), landscape_(model) {
    bits_.assign(n_, 0);
    best_bits_.assign(n_, 0);
    energy_ = landscape_.first_energy();
    for (std::size_t i = 0; i < n_; ++i) scores_.flip[i] = landscape_.flip_energy(i);
    keep_book(2 * landscape_.flip_cost() * n_);
  }

  void begin(problem::AssignmentView goal, std::uint64_t seed, std::uint64_t patience) override {
    rng_ = Xoshiro256(seed);
    goal_.assign(goal.begin(), goal.end());
    patience_ = patience;
    cursor_ = 0;
    walking_ = true;
    has_best_ = false;
    iteration_ = 0;
    last_gain_ = 0;
  }

  bool done() const override {
    return !walking_ &&
           (static_cast<std::uint64_t>(iteration_ - last_gain_) > patience_ || iteration_ >= kIterationsMax);
  }

  void step() override {
    if (walking_) {
      while (cursor_ < n_ && bits_[cursor_] == goal_[cursor_]) ++cursor_;
      if (cursor_ < n_) {
        flip(cursor_);
        return;
      }
      start_search();
    }
    search_step();
  }

 private:
  /// Where a flip touches most blocks anyway, all are scored and nobody keeps book. `touched`: of all variables by a flip of each.
  void keep_book(std::uint64_t touched) {
    lazy_ = (touched / n_ + 2) * kBlock < n_;
    stale_.assign(scores_.least.size(), 0);
    expiring_.resize(tenure_max() + 1);
  }

  std::size_t tenure_max() const { return n_ / 100 + kTenureSpread; }

  void start_search() {
    walking_ = false;
    std::ranges::fill(scores_.tabu_until, 0);
    if constexpr (kSparse) {
      for (auto& slot : expiring_) slot.clear();
      std::ranges::fill(stale_, 0);
      stale_list_.clear();
    }
    score_all();
    note_local_optimum();
  }

  void score_all() {
    for (std::size_t block = 0; block < scores_.least.size(); ++block) scores_.score_block(block, iteration_);
  }

  /// The energy at a local optimum that is better than any of the run is kept with its assignment.
  void note_local_optimum() {
    if (has_best_ && energy_ >= best_energy_) return;
    if (*std::ranges::min_element(scores_.least) < 0) return;
    has_best_ = true;
    best_energy_ = energy_;
    best_bits_ = bits_;
    last_gain_ = iteration_;
  }

  void search_step() {
    const std::uint64_t random = rng_();
    const std::size_t chosen = choose(random);
    ++iteration_;
    const std::uint64_t spread = std::min<std::uint64_t>(kTenureSpread, n_ / 4 + 1);
    const std::uint64_t tenure = n_ / 100 + 1 + (((random & UINT32_MAX) * spread) >> 32);
    scores_.tabu_until[chosen] = iteration_ + static_cast<std::int32_t>(tenure);
    flip(chosen);
    if constexpr (kSparse) {
      refresh(chosen);
    } else {
      // flip() has scored the row with the chosen one still in its old sense.
      scores_.score_block(chosen / kBlock, iteration_);
    }
    note_local_optimum();
  }

  /// A free variable of least flip energy, or any one that leads below the best of the run.
  std::size_t choose(std::uint64_t random) const {
    const Field least = *std::ranges::min_element(scores_.least);
    Field wanted = *std::ranges::min_element(scores_.least_free);
    const bool aspires = least < wanted && has_best_ && energy_ + least < best_energy_;
    const bool all = aspires || wanted == Scores<Field>::kNever;
    if (all) wanted = least;
    const std::vector<Field>& of_block = all ? scores_.least : scores_.least_free;
    const std::size_t blocks = of_block.size();
    std::size_t block = ((random >> 32) * blocks) >> 32;
    while (of_block[block] != wanted) block = block + 1 == blocks ? 0 : block + 1;
    const std::size_t start = (random >> 26) % kBlock;
    for (std::size_t k = 0; k < kBlock; ++k) {
      const std::size_t i = block * kBlock + (start + k) % kBlock;
      if (scores_.flip[i] == wanted && (all || scores_.tabu_until[i] <= iteration_)) return i;
    }
    return 0;  // unreachable: the block holds what its minimum says
  }

  void flip(std::size_t i) {
    energy_ += scores_.flip[i];
    const bool down = bits_[i] != 0;
    if constexpr (kPolynomial) {
      landscape_.flip(i);
      for_each_touched(i, [&](std::uint32_t j) { scores_.flip[j] = landscape_.flip_energy(j); });
      scores_.flip[i] = -landscape_.flip_energy(i);  // its sign changes below
    } else if constexpr (kSparse) {
      for (const auto& entry : rows_.row(i)) {
        const Field weight = static_cast<Field>(entry.weight);
        scores_.flip[entry.column] += (bits_[entry.column] != 0) == down ? weight : -weight;
      }
    } else {
      const TabuRow<Weight, Field> row{.flip = scores_.flip.data(),
                                       .row = rows_.row(i),
                                       .high = high_.data(),
                                       .down = static_cast<Weight>(down ? -1 : 0),
                                       .tabu_until = scores_.tabu_until.data(),
                                       .iteration = iteration_,
                                       .least = scores_.least.data(),
                                       .least_free = scores_.least_free.data(),
                                       .num_blocks = scores_.least.size()};
      (walking_ ? kernels_->add : kernels_->add_and_score)(row);
      high_[i] = static_cast<Weight>(~high_[i]);
    }
    scores_.flip[i] = -scores_.flip[i];
    bits_[i] = static_cast<std::int8_t>(down ? 0 : 1);
  }

  /// Sparse models: scores the blocks of the flipped variable, its neighbours, and those whose tenure ends now.
  void refresh(std::size_t flipped) {
    if (!lazy_) {
      score_all();
      return;
    }
    mark(flipped);
    if constexpr (kSparse) for_each_touched(flipped, [&](std::uint32_t j) { mark(j); });
    // Tenures are shorter than the ring, so that a slot only holds those that end in one iteration.
    auto& now = expiring_[static_cast<std::size_t>(iteration_) % expiring_.size()];
    for (const std::uint32_t i : now) mark(i);
    now.clear();
    expiring_[static_cast<std::size_t>(scores_.tabu_until[flipped]) % expiring_.size()].push_back(
        static_cast<std::uint32_t>(flipped));
    for (const std::uint32_t block : stale_list_) {
      scores_.score_block(block, iteration_);
      stale_[block] = 0;
    }
    stale_list_.clear();
  }

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

  void mark(std::size_t i) {
    const std::size_t block = i / kBlock;
    if (stale_[block] != 0) return;
    stale_[block] = 1;
    stale_list_.push_back(static_cast<std::uint32_t>(block));
  }

  struct None {};

  std::conditional_t<kPolynomial, Rows, const Rows&> rows_;
  std::size_t n_;
  Scores<Field> scores_;
  [[no_unique_address]] std::conditional_t<kPolynomial, PolynomialLandscape, None> landscape_;
  std::vector<Weight> high_;  // dense: 0 or -1
  const DenseTabuKernels<Weight, Field>* kernels_ = nullptr;  // dense
  Xoshiro256 rng_{0};
  problem::Assignment goal_;
  std::size_t cursor_ = 0;
  bool walking_ = true;
  std::uint64_t patience_ = 0;
  std::int32_t iteration_ = 0;
  std::int32_t last_gain_ = 0;
  bool lazy_ = false;  // sparse: only stale blocks are scored
  std::vector<std::uint8_t> stale_;
  std::vector<std::uint32_t> stale_list_;
  std::vector<std::vector<std::uint32_t>> expiring_;  // by iteration: the variables whose tenure ends then
};

}  // namespace

std::unique_ptr<TabuSearch> TabuSearch::create(const SearchModel& model) {
  return std::visit(
      [&](const auto& rows) -> std::unique_ptr<TabuSearch> {
        return std::make_unique<Search<std::decay_t<decltype(rows)>>>(model, rows);
      },
      model.rows());
}

std::unique_ptr<TabuSearch> TabuSearch::create(const PolynomialModel& model) {
  return std::make_unique<Search<PolynomialRows>>(model);
}

std::uint64_t TabuSearch::bytes(const SearchModel& model) { return padded(model.size()) * 32; }

std::uint64_t TabuSearch::bytes(const PolynomialModel& model) {
  return padded(model.size()) * 48 + model.num_terms() * sizeof(std::int32_t);
}

}  // namespace tandem::solve

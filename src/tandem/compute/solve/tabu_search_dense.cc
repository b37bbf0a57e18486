#include <algorithm>
#include <limits>
#include <vector>

#include "tandem/base/assert.h"
#include "tandem/compute/solve/tabu_kernels.h"
#include "tandem/compute/solve/tabu_search.h"

namespace tandem::solve {

namespace {

constexpr std::size_t kBlock = kTabuBlock;
static_assert(kBlock == kDenseBlock);
constexpr simd::KernelTables<TabuKernels> kKernels = {&portable::kTabuKernels, &avx2::kTabuKernels,
                                                      &avx512::kTabuKernels};

template <class Weight, class Field>
const DenseTabuKernels<Weight, Field>& dense_kernels(simd::Isa isa) {
  const TabuKernels& all = simd::kernels_for(kKernels, isa);
  if constexpr (std::is_same_v<Weight, std::int8_t>)
    return all.byte_weights;
  else if constexpr (std::is_same_v<Weight, std::int16_t>)
    return all.short_weights;
  else if constexpr (std::is_same_v<Weight, std::int32_t>)
    return all.weights;
  else
    return all.long_weights;
}

/// A flip is one pass that adds a row to the flip energies and finds the least of each block. What is tabu has kTabu on top of its
/// flip energy, so that the pass reads neither tenures nor marks; there are few, and they are looked through one by one.
template <class Rows>
class DenseTabuSearch final : public TabuSearch {
 public:
  using Field = typename Rows::Field;
  using Weight = typename Rows::Weight;

  DenseTabuSearch(const SearchModel& model, const Rows& rows)
      : TabuSearch(model.size(), padded(model.size())),
        rows_(rows),
        kernels_(dense_kernels<Weight, Field>(model.isa())),
        flip_(padded(model.size()), kNever),
        least_of_block_(flip_.size() / kBlock * kTabuLanes) {
    for (std::size_t i = 0; i < model.size(); ++i) flip_[i] = static_cast<Field>(model.linear()[i]);
    tabu_.reserve(tenure_max(model.size()) + 2);
  }

 private:
  static constexpr Field kNever = std::numeric_limits<Field>::max();  // beyond the variables
  static constexpr Field kTabu = Field{5} << (8 * sizeof(Field) - 4);
  static constexpr Field kFreeMax = Field{1} << (8 * sizeof(Field) - 3);
  static_assert(kFreeMax == (sizeof(Field) == 4 ? SearchModel::kFieldMax : SearchModel::kLongFieldMax));
  static_assert(kTabu - kFreeMax > kFreeMax && kTabu < kNever - kFreeMax);

  struct Tabu {
    std::uint32_t variable = 0;
    std::int32_t until = 0;  ///< free from this iteration on
  };

  TabuRow<Weight, Field> row(std::size_t i) {
    return {.flip = flip_.data(),
            .row = rows_.row(i),
            .shift = rows_.shift,
            .bits = bits_.data(),
            .down = static_cast<std::int8_t>(-bits_[i]),
            .least = least_of_block_.data(),
            .num_blocks = flip_.size() / kBlock};
  }

  void flip(std::size_t i) override { flip_to(i, -flip_[i]); }

  /// `after`: its own flip energy from now on, for its row is zero there.
  void flip_to(std::size_t i, Field after) {
    energy_ += flip_[i];
    flip_[i] = after;
    least_ = kernels_.add(row(i));
    bits_[i] ^= 1;
  }

  std::size_t least_of(std::span<const std::uint32_t> variables) const override {
    return place_of_least(variables, [&](std::uint32_t i) { return flip_[i]; });
  }

  void end_search() override {
    for (const Tabu& one : tabu_) flip_[one.variable] -= kTabu;
    tabu_.clear();
    least_tabu_ = kNever;
  }

  void start_search() override {
    least_ = kernels_.score(row(0));
    note_local_optimum();
  }

  void note_local_optimum() {
    if (better() && least_ >= 0 && least_tabu_ >= 0) note();
  }

  void search_step() override {
    const std::uint64_t random = rng_();
    const std::size_t chosen = choose(random);
    ++iteration_;
    flip_to(chosen, kTabu - flip_[chosen]);
    tabu_.push_back({static_cast<std::uint32_t>(chosen), iteration_ + tenure(random)});
    review_tabu();
    note_local_optimum();
  }

  /// A free variable of least flip energy, or any one that leads below the best of the run.
  std::size_t choose(std::uint64_t random) {
    const bool aspires = least_tabu_ < least_ && has_best_ && energy_ + least_tabu_ < best_energy_;
    if (aspires || least_ > kFreeMax) {
      const std::uint32_t chosen = least_tabu_variable_;
      const auto place = std::ranges::find(tabu_, chosen, &Tabu::variable);
      if (place != tabu_.end()) {
        flip_[chosen] -= kTabu;
        *place = tabu_.back();
        tabu_.pop_back();
      }
      return chosen;
    }
    const std::size_t blocks = flip_.size() / kBlock;
    const std::size_t from = ((random >> 32) * blocks) >> 32;
    const std::size_t block = kernels_.find(least_of_block_.data(), blocks, from, least_);
    const std::size_t start = (random >> 26) % kBlock;
    for (std::size_t k = 0; k < kBlock; ++k) {
      const std::size_t i = block * kBlock + (start + k) % kBlock;
      if (flip_[i] == least_) return i;
    }
    TANDEM_ASSERT(false);  // the block holds what its least says
  }

  /// Finds the least energy of those that are tabu, and lets go those that are free in the next iteration: the pass of that one sees
  /// them, so that they may be chosen in the one after it.
  void review_tabu() {
    least_tabu_ = kNever;
    for (std::size_t k = 0; k < tabu_.size();) {
      const auto [i, until] = tabu_[k];
      Field& energy = flip_[i];
      if (energy - kTabu < least_tabu_) {
        least_tabu_ = energy - kTabu;
        least_tabu_variable_ = i;
      }
      if (until > iteration_ + 1) {
        ++k;
        continue;
      }
      energy -= kTabu;
      tabu_[k] = tabu_.back();
      tabu_.pop_back();
    }
  }

  const Rows& rows_;
  const DenseTabuKernels<Weight, Field>& kernels_;
  simd::AlignedVector<Field> flip_;
  simd::AlignedVector<Field> least_of_block_;
  Field least_ = 0;  ///< of those that are free, or above kFreeMax
  std::vector<Tabu> tabu_;
  Field least_tabu_ = kNever;
  std::uint32_t least_tabu_variable_ = 0;
};

}  // namespace

std::unique_ptr<TabuSearch> make_dense_tabu_search(const SearchModel& model) {
  return std::visit(
      [&](const auto& rows) -> std::unique_ptr<TabuSearch> {
        using Kind = std::decay_t<decltype(rows)>;
        if constexpr (requires { rows.entries; }) {
          return nullptr;
        } else {
          return std::make_unique<DenseTabuSearch<Kind>>(model, rows);
        }
      },
      model.rows());
}

}  // namespace tandem::solve

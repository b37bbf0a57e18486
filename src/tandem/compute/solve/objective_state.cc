#include "tandem/compute/solve/objective_state.h"

#include <algorithm>

namespace tandem::solve {

namespace {

template <class Rows>
class State final : public ObjectiveState {
 public:
  State(const SearchModel& model, const Rows& rows) : rows_(rows), land_(model, rows) {}
  const problem::Assignment& bits() const override { return land_.bits(); }
  std::int64_t flip_energy(std::size_t i) const override { return land_.flip_energy(i); }
  void flip(std::size_t i) override {
    energy_ += land_.flip_energy(i);
    land_.flip(i);
  }
  std::int64_t coupling(std::size_t i, std::size_t j) const override {
    if constexpr (QuadraticLandscape<Rows>::kSparse) {
      const auto row = rows_.row(i);
      const auto found = std::ranges::lower_bound(row, j, {}, &Rows::Entry::column);
      return found != row.end() && found->column == j ? found->weight : 0;
    } else {
      return rows_.field(rows_.row(i)[j]);
    }
  }

 private:
  const Rows& rows_;
  QuadraticLandscape<Rows> land_;
};

}  // namespace

std::unique_ptr<ObjectiveState> ObjectiveState::create(const SearchModel& model) {
  return std::visit(
      [&](const auto& rows) -> std::unique_ptr<ObjectiveState> {
        return std::make_unique<State<std::decay_t<decltype(rows)>>>(model, rows);
      },
      model.rows());
}

}  // namespace tandem::solve

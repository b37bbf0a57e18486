#include <algorithm>
#include <new>
#include <optional>

#include "tandem/compute/statevector/desks.h"
#include "tandem/compute/statevector/ising_model.h"

namespace tandem::statevector {
namespace {

/// States of one thread.
template <class Real>
struct Desk {
  Memory<Real> ket;
  Memory<Real> bra;
};

}  // namespace

/// `together`: one set on states of its own; `alone`: one on those of this.
template <class Real>
template <class Answer, class Together, class Alone>
Result<std::vector<Answer>> IsingEvolution<Real>::batch(std::span<const LayerAngles> sets, bool with_bra,
                                                        const Together& together, const Alone& alone) {
  const std::uint64_t bytes = model_->bytes();
  const std::uint64_t left = model_->memory_bytes_max - (model_->bra ? 2 : 1) * bytes;
  const std::uint64_t fitting = left / ((with_bra ? 2 : 1) * bytes);
  const std::size_t wanted =
      model_->num_qubits > kBatchQubitsMax
          ? 0
          : static_cast<std::size_t>(std::min<std::uint64_t>({fitting, threads_of(*executor_), sets.size()}));
  Desks<Desk<Real>> desks(wanted, [&] {
    auto out = std::make_unique<Desk<Real>>();
    out->ket = model_->new_state();
    if (with_bra) out->bra = model_->new_state();
    if (!out->ket || (with_bra && !out->bra)) out = nullptr;
    return out;
  });
  std::vector<Answer> out(sets.size());
  if (desks.count() < 2) {
    for (std::size_t i = 0; i < sets.size(); ++i) {
      TANDEM_TRY_ASSIGN(out[i], alone(sets[i]));
    }
    model_->scale = 0;
    return out;
  }
  model_->scale = 0;
  std::vector<std::optional<Error>> errors(sets.size());
  executor_->parallel(sets.size(), desks.count(), [&](std::size_t i) {
    auto desk = desks.take();
    IsingState<Real> state = model_->state();
    state.ket = desk->ket.get();
    state.bra = desk->bra.get();
    try {
      Result<Answer> answer = together(state, sets[i]);
      if (answer)
        out[i] = *std::move(answer);
      else
        errors[i] = std::move(answer).error();
    } catch (const std::bad_alloc&) {
      errors[i] = make_error(errors::kOutOfMemory, "the machine refused memory beside {} states of {} qubits",
                             desks.count(), model_->num_qubits);
    }
    desks.give(std::move(desk));
  });
  for (std::optional<Error>& error : errors)
    if (error) return tl::unexpected<Error>(*std::move(error));
  return out;
}

template <class Real>
Result<std::vector<double>> IsingEvolution<Real>::values(std::span<const LayerAngles> sets, std::stop_token stop) {
  return batch<double>(
      sets, false,
      [&](const IsingState<Real>& state, const LayerAngles& angles) -> Result<double> {
        TANDEM_TRY_ASSIGN(const Valued valued, value_on(state, angles, stop));
        return valued.value;
      },
      [&](const LayerAngles& angles) { return value(angles, stop); });
}

template <class Real>
Result<std::vector<IsingGradient>> IsingEvolution<Real>::gradients(std::span<const LayerAngles> sets,
                                                                   std::stop_token stop) {
  return batch<IsingGradient>(
      sets, true,
      [&](const IsingState<Real>& state, const LayerAngles& angles) { return gradient_on(state, angles, stop); },
      [&](const LayerAngles& angles) { return gradient(angles, stop); });
}

template Result<std::vector<double>> IsingEvolution<float>::values(std::span<const LayerAngles>, std::stop_token);
template Result<std::vector<double>> IsingEvolution<double>::values(std::span<const LayerAngles>, std::stop_token);
template Result<std::vector<IsingGradient>> IsingEvolution<float>::gradients(std::span<const LayerAngles>,
                                                                             std::stop_token);
template Result<std::vector<IsingGradient>> IsingEvolution<double>::gradients(std::span<const LayerAngles>,
                                                                              std::stop_token);

}  // namespace tandem::statevector

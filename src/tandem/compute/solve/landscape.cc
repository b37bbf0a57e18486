#include "tandem/compute/solve/landscape.h"

namespace tandem::solve {

using problem::Vartype;

PolynomialLandscape::PolynomialLandscape(const PolynomialModel& model)
    : model_(&model), low_factors_(model.num_terms()), flip_energies_(model.size()), bits_(model.size()) {
  for (std::size_t t = 0; t < model.num_terms(); ++t) {
    const auto factors = model.factors(t);
    const bool odd = factors.size() % 2 != 0;
    low_factors_[t] = static_cast<std::int32_t>(model.vartype() == Vartype::kSpin ? (odd ? 1 : 0) : factors.size());
    if (model.vartype() == Vartype::kSpin) {
      const std::int64_t value = odd ? -model.coefficient(t) : model.coefficient(t);
      for (const std::uint32_t i : factors) flip_energies_[i] -= 2 * value;
    } else if (factors.size() == 1) {
      flip_energies_[factors[0]] += model.coefficient(t);
    }
  }
  first_energy_ = model.energy(bits_);
  std::uint64_t work = 0;
  for (std::size_t t = 0; t < model.num_terms(); ++t) work += model.factors(t).size() * model.factors(t).size();
  if (model.size() > 0) flip_cost_ = work / (2 * model.size()) + 1;
}

void PolynomialLandscape::flip(std::size_t i) {
  if (model_->vartype() == Vartype::kSpin) {
    flip_spin(i);
  } else {
    flip_binary(i);
  }
  bits_[i] = static_cast<std::int8_t>(1 - bits_[i]);
}

/// The value v of each term of i changes its sign; so does what any factor of it would add by a flip, -2v.
void PolynomialLandscape::flip_spin(std::size_t i) {
  for (const std::uint32_t t : model_->terms_of(i)) {
    const std::int64_t before = low_factors_[t] != 0 ? -model_->coefficient(t) : model_->coefficient(t);
    low_factors_[t] ^= 1;
    for (const std::uint32_t j : model_->factors(t)) flip_energies_[j] += 4 * before;
  }
}

/// A term counts when no factor is low. Only with none or one low does a flip change its value: that of any factor, or of the
/// one that is low.
void PolynomialLandscape::flip_binary(std::size_t i) {
  const bool rises = bits_[i] == 0;
  for (const std::uint32_t t : model_->terms_of(i)) {
    const std::int64_t c = model_->coefficient(t);
    const auto factors = model_->factors(t);
    // What the term adds to the flip energies with `low` factors low; `sign` takes it away or puts it back.
    const auto contribute = [&](std::int32_t low, std::int64_t sign, bool i_is_low) {
      if (low == 0) {
        for (const std::uint32_t j : factors) flip_energies_[j] -= sign * c;
      } else if (low == 1) {
        for (const std::uint32_t j : factors) {
          const bool j_is_low = j == i ? i_is_low : bits_[j] == 0;
          if (j_is_low) flip_energies_[j] += sign * c;
        }
      }
    };
    contribute(low_factors_[t], -1, rises);
    low_factors_[t] += rises ? -1 : 1;
    contribute(low_factors_[t], 1, !rises);
  }
}

}  // namespace tandem::solve

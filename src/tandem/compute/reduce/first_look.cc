#include "tandem/compute/reduce/first_look.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "tandem/base/stopped.h"

namespace tandem::reduce {

using problem::Bqm;
using problem::QuadraticTerm;
using problem::Vartype;

constexpr double kRoundingOfSums = 0x1.0p-51;  ///< of all magnitudes, a term

double loose_bound(const Bqm& bqm, const std::stop_token& stop) {
  const bool binary = bqm.vartype() == Vartype::kBinary;
  double magnitude = std::abs(bqm.offset());
  double lowest = bqm.offset();  // as they are
  double spins = bqm.offset();  // over {-1, 1}
  std::vector<double> fields(bqm.linear().begin(), bqm.linear().end());
  for_each(bqm.terms(), stop, [&](const QuadraticTerm& term) {
    magnitude += std::abs(term.bias);
    if (!binary) {
      spins -= std::abs(term.bias);
      return;
    }
    lowest += std::min(0.0, term.bias);
    spins += std::min(0.0, term.bias) / 2;  // b / 4 - |b| / 4
    fields[term.u] += term.bias / 2;
    fields[term.v] += term.bias / 2;
  });
  for (std::size_t i = 0; i < fields.size(); ++i) {
    magnitude += std::abs(bqm.linear()[i]);
    lowest += std::min(0.0, bqm.linear()[i]);
    spins += binary ? (bqm.linear()[i] - std::abs(fields[i])) / 2 : -std::abs(fields[i]);
  }
  const double rounding = magnitude * kRoundingOfSums * static_cast<double>(2 + fields.size() + bqm.terms().size());
  return (binary ? std::max(lowest, spins) : spins) - rounding;
}

double loose_bound(const problem::Polynomial& polynomial) {
  const bool binary = polynomial.vartype() == Vartype::kBinary;
  double magnitude = 0;
  double lowest = 0;
  for (const problem::Monomial& term : polynomial.terms()) {
    magnitude += std::abs(term.coefficient);
    if (term.variables.empty()) {
      lowest += term.coefficient;
    } else {
      lowest += binary ? std::min(0.0, term.coefficient) : -std::abs(term.coefficient);
    }
  }
  return lowest - magnitude * kRoundingOfSums * static_cast<double>(2 + polynomial.terms().size());
}

bool unfrustrated(const Bqm& bqm, const std::stop_token& stop) {
  struct Place {
    std::uint32_t parent = 0;
    bool turned = false;  ///< against its parent
  };
  std::vector<Place> places(bqm.num_variables());
  for (std::uint32_t i = 0; i < places.size(); ++i) places[i].parent = i;
  const auto find = [&](std::uint32_t i) {
    bool turned = false;
    while (places[i].parent != i) {
      Place& place = places[i];
      const Place above = places[place.parent];
      if (above.parent != place.parent) place = {above.parent, place.turned != above.turned};
      turned = turned != place.turned;
      i = place.parent;
    }
    return std::pair(i, turned);
  };
  std::size_t looks = 0;
  return std::ranges::all_of(bqm.terms(), [&](const QuadraticTerm& term) {
    if (looks++ % kLookEvery == 0) throw_if(stop);
    const auto [u, u_turned] = find(term.u);
    const auto [v, v_turned] = find(term.v);
    const bool apart = term.bias > 0;
    if (u == v) return (u_turned != v_turned) == apart;
    places[std::max(u, v)] = {std::min(u, v), (u_turned != v_turned) != apart};
    return true;
  });
}

bool flow_pays(const Bqm& bqm, const std::stop_token& stop) {
  const std::uint64_t terms = bqm.terms().size();
  return terms <= kDenseTermsMax || terms <= kSparseDegree / 2 * bqm.num_variables() || unfrustrated(bqm, stop);
}

}  // namespace tandem::reduce

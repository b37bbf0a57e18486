// tandem/model/result/pub_result.h - PubResult: what one PUB gave, shared by every backend that runs circuits.
//
// Room: model. Not here: how it was obtained (compute/*, middleware/*), what it means for a problem (middleware/encode).
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/base/result.h"
#include "tandem/model/circuit/circuit.h"
#include "tandem/model/result/outcome.h"

namespace tandem::result {

/// One expectation an observable of the PUB, in its order.
using Expectations = std::vector<Expectation>;

/// The result of one row of parameter values: when the PUB has no observables counts, or, of a backend that computes and draws no
/// shots, a distribution; else expectations.
using BindingResult = std::variant<Counts, Distribution, Expectations>;

/// How a simulator calculated a PUB that tolerates rounding.
struct Arithmetic {
  bool single = false;  ///< in single precision, else in double
  double tolerance = 0;  ///< circuit::Pub::tolerance
  /// By how much rounding moves what was asked for, at most; empty: not known, of circuits that measure on the way.
  std::optional<double> rounding = std::nullopt;

  Json document() const;  ///< {"precision":"f32" | "f64","tolerance":0.001,"rounding":0.0001}
  /// Errors: those of ObjectReader; 1023 value_out_of_range - another precision.
  static Result<Arithmetic> parse(const Json& document, const std::string& pointer);
  friend bool operator==(const Arithmetic&, const Arithmetic&) = default;
};

/// Shapes: bindings has circuit::Pub::num_bindings() entries, in the order of the PUB, all of the same kind.
/// Threads: a plain value.
struct PubResult {
  std::vector<BindingResult> bindings{};
  std::optional<Arithmetic> arithmetic = std::nullopt;  ///< empty: in double, or measured

  const Counts& counts(std::size_t binding) const;  ///< asserts that the binding holds counts
  const Distribution& distribution(std::size_t binding) const;  ///< asserts that the binding holds a distribution
  const Expectations& expectations(std::size_t binding) const;  ///< asserts that the binding holds expectations

  /// {"kind":"pub_result","bindings":[{"kind":"counts",...} | {"kind":"distribution",...} | {"kind":"expectations","values":[{...}]}]},
  /// and "arithmetic" where it is known
  Json document() const;
  /// Errors: those of ObjectReader and of the parts; 1023 value_out_of_range - another kind, kinds mixed,
  /// more than circuit::Pub::kBindingsMax bindings.
  static Result<PubResult> parse(const Json& document, const std::string& pointer);
  friend bool operator==(const PubResult&, const PubResult&) = default;
};

}  // namespace tandem::result

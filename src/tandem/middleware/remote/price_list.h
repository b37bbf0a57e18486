// tandem/middleware/remote/price_list.h - PriceList: what backends cost, with dates, as somebody who has the contract wrote it down.
//
// Room: middleware. Owns the file of the setting prices.file (docs/guide/budgets.md). A price that the provider itself names for a
// program always goes before it (remote_backend.h). Not here: limits (trust/budget).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/clock.h"
#include "tandem/base/result.h"
#include "tandem/model/job/money.h"

namespace tandem::remote {

/// What providers count of a piece of work.
struct Billable {
  std::uint64_t shots = 0;  ///< over all programs and their rows of values
  std::uint64_t one_qubit_gates = 0;  ///< executions: gates times shots
  std::uint64_t two_qubit_gates = 0;
  friend bool operator==(const Billable&, const Billable&) = default;
};

/// One entry: the rates of a backend from a day on. Rates are in US dollars.
struct ListPrice {
  std::string backend;
  std::string source;  ///< "contract 2026-114, annex B"
  std::string as_of;  ///< "2026-11-01": from the beginning of that day, in UTC
  std::string valid_until;  ///< the last day; empty: until a later entry
  Timestamp begin;
  std::optional<Timestamp> end;  ///< exclusive
  double minimum = 0;  ///< of a submission
  double per_job = 0;  ///< of a submission
  double per_shot = 0;
  double per_one_qubit_gate = 0;  ///< and shot
  double per_two_qubit_gate = 0;  ///< and shot

  /// max(minimum, per_job + rates times counts), rounded up to a millionth of a dollar.
  /// Errors: 1023 value_out_of_range - above kPriceMax.
  Result<job::Money> of(const Billable& work) const;
  std::string words() const;  ///< "the price list of 2026-11-01 (contract 2026-114, annex B)"
  friend bool operator==(const ListPrice&, const ListPrice&) = default;
};

/// A billion dollars: the largest price that is believed.
inline constexpr job::Money kPriceMax{1'000'000'000'000'000};

/// Threads: immutable after parse(); safe to call concurrently.
class PriceList {
 public:
  static constexpr std::size_t kEntriesMax = 10'000;

  /// No prices.
  PriceList() = default;
  /// Reads { prices: [ {backend, source, as_of, valid_until, minimum, per_job, per_shot, per_1q_gate, per_2q_gate} ] }, YAML or JSON.
  /// Rates are dollars: 0.03 or "$0.03". Errors have the place "name:line:column": 1061 bad_setting - a rate below 0 or above
  /// kPriceMax, no rate, a day that is none, an entry that ends before it begins, two of one backend and day, a backend that is none of
  /// `backends`, more than kEntriesMax; those of parse_json_or_yaml and of ObjectReader.
  static Result<PriceList> parse(std::string_view text, std::string_view name,
                                 std::span<const std::string_view> backends);

  const std::vector<ListPrice>& entries() const { return entries_; }
  /// The latest entry of the backend that has begun, unless it is over. None: nobody wrote what it costs now.
  const ListPrice* find(std::string_view backend, Timestamp now) const;

 private:
  std::vector<ListPrice> entries_;
};

}  // namespace tandem::remote

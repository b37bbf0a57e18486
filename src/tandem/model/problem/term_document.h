// tandem/model/problem/term_document.h - what problem documents share: weighted pairs, numbers, names of variables.
//
// Room: model. Weighted pairs stand as triples [[0, 1, 2.0], ...] or, equally, as text of one "0 1 2.0" a line. Documents are
// written with triples while they are few and with text beyond, for a triple costs about 130 bytes of memory and a line 15.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/model/problem/bqm.h"

namespace tandem::problem {

inline constexpr std::size_t kTriplesMax = 100'000;  ///< more pairs are written as text

enum class PairWeight : std::uint8_t { kRequired, kOneByDefault };

/// Reads weighted pairs over `num_variables` variables; none when the key is absent. Either order of a pair and repeated pairs
/// are left to Bqm::create().
///
/// Errors: 1021 wrong_type; 1023 value_out_of_range - an index, with the place of the number; 1101 index_out_of_range - a pair of
///         one variable with itself; 1201 format_syntax - the text form, with line and column in the message.
Result<std::vector<QuadraticTerm>> read_pairs(const ObjectReader& reader, std::string_view key,
                                              std::size_t num_variables, PairWeight weight);
Json pairs_document(std::span<const QuadraticTerm> pairs);

/// Appends the shortest decimal that reads back to the same double; integers up to 2^53 without point and exponent.
void append_number(std::string& text, double value);
std::string plain_number(double value);

/// Finite numbers; integers are written without a fraction, so that documents stay small.
Json number_document(double value);
Json numbers_document(std::span<const double> values);

/// Names of the variables under "names": none, or one non-empty, unique name each.
/// Errors: 1021 wrong_type; 1023 value_out_of_range - empty or repeated; 1104 size_mismatch.
Result<std::vector<std::string>> read_names(const ObjectReader& reader, std::size_t num_variables);
/// The name of variable `i`, or its index as text.
std::string name_of(std::span<const std::string> names, std::size_t i);
/// The variables whose value is `value`, by name, or by index where there are no names.
Json variables_with(AssignmentView values, std::int8_t value, std::span<const std::string> names);
/// "a, b, c and 7 more" of the same variables.
std::string list_variables_with(AssignmentView values, std::int8_t value, std::span<const std::string> names);

/// Errors of a model get the place of its document.
Error placed(Error error, const std::string& place);

}  // namespace tandem::problem

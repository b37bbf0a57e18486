// tandem/model/format/matrix_text.h - the text "n m", then m lines "i j w" from 1: rudy graphs and sparse QUBO matrices.
//
// Room: model. For this part only. Sources: rudy (Rinaldi), Gset (Helmberg, Rendl), Biq Mac Library (Wiegele 2007).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tandem/model/format/format.h"

namespace tandem::format {

/// Errors: 1201 format_syntax; 1202 format_ambiguous; 1103 model_too_large; those of make_max_cut.
Result<problem::ProblemPtr> read_rudy(std::string_view text, std::string_view name, const ReadOptions& options);
/// Errors: 1201 format_syntax - also a pair that stands in both halves; 1202 format_ambiguous - no sense; 1103 model_too_large.
Result<problem::ProblemPtr> read_sparse(std::string_view text, std::string_view name, const ReadOptions& options);

/// Errors: 1204 format_cannot_express - not max_cut, or names.
Result<std::string> write_rudy(const problem::Problem& problem, std::span<const std::string> comments);
/// Errors: those of bqm_of().
Result<std::string> write_sparse(const problem::Problem& problem, std::span<const std::string> comments);

/// A problem as a quadratic model for files that hold nothing else.
struct BqmOf {
  problem::Bqm bqm;
  problem::Sense sense = problem::Sense::kMin;
};
enum class Constant : std::uint8_t {
  kHasPlace,
  kHasNone,  ///< the offset must be 0
};
/// Errors: 1204 format_cannot_express - constraints, order above 2, names, or an offset that has no place in the file.
Result<BqmOf> bqm_of(const problem::Problem& problem, Constant constant,
                     problem::Vartype vartype = problem::Vartype::kBinary);

/// Appends "row column value" and a line end; indices as they are to stand in the file.
void append_entry(std::string& text, std::size_t row, std::size_t column, double value);

}  // namespace tandem::format

// tandem/model/format/coo.h - quadratic models as coordinates, as dimod writes them: "# vartype=SPIN", then lines "i j bias" from 0.
//
// Room: model. For format.cc only. Source: the documentation of dimod.serialization.coo. i = j is a linear bias; lines of one pair add up; the sum
// is minimised. dimod passes over lines that it does not understand, exponents among them: what is written here has none.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tandem/model/format/format.h"

namespace tandem::format {

/// What a comment says of the variables: qubo for BINARY, ising for SPIN. Empty: it says nothing. Of other words those words.
std::optional<std::string> problem_of_vartype(std::string_view comment);

/// Errors: 1201 format_syntax; 1202 format_ambiguous - neither a header nor --problem qubo or ising, or flags that contradict the file;
///         1103 model_too_large; those of Bqm.
Result<problem::ProblemPtr> read_coo(std::string_view text, std::string_view name, const ReadOptions& options);
/// Errors: those of bqm_of().
Result<std::string> write_coo(const problem::Problem& problem, std::span<const std::string> comments);

}  // namespace tandem::format

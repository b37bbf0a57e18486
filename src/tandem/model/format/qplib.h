// tandem/model/format/qplib.h - QPLIB files of unconstrained binary problems: 1/2 x'Qx + b'x + c over {0, 1}.
//
// Room: model. For this part only. Source: Furini et al. 2019, "QPLIB: a library of quadratic programming instances" (Math. Prog. Comp.
// 11), section on the format.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "tandem/model/format/format.h"

namespace tandem::format {

/// Of the problem types only those whose variables are binary and have no constraints (xBN, xBB). Names and starting points are passed
/// over.
/// Errors: 1201 format_syntax; 1202 format_ambiguous - another --problem or --sense; 1103 model_too_large; 1204 format_cannot_express - constraints, or
///         variables that are not binary; those of Bqm::create.
Result<problem::ProblemPtr> read_qplib(std::string_view text, std::string_view name, const ReadOptions& options);
/// Errors: those of bqm_of().
Result<std::string> write_qplib(const problem::Problem& problem, std::span<const std::string> comments);

}  // namespace tandem::format

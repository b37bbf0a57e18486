// tandem/model/format/qbsolv.h - .qubo files of qbsolv: "c" comments, "p qubo topology n diagonals couplers", then "i j q" from 0.
//
// Room: model. For format.cc only. Source: qbsolv's manual page. The sum of q_ij x_i x_j is minimised, every entry once.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "tandem/model/format/format.h"

namespace tandem::format {

/// Errors: 1201 format_syntax; 1202 format_ambiguous - flags that contradict the file; 1103 model_too_large; those of Bqm.
Result<problem::ProblemPtr> read_qbsolv(std::string_view text, std::string_view name, const ReadOptions& options);
/// Errors: those of bqm_of().
Result<std::string> write_qbsolv(const problem::Problem& problem, std::span<const std::string> comments);

}  // namespace tandem::format

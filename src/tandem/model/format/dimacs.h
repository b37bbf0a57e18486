// tandem/model/format/dimacs.h - DIMACS graphs: "p edge n m", then lines "e u v" from 1.
//
// Room: model. For this part only. Source: DIMACS 1993, "Clique and coloring problems, graph format".
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "tandem/model/format/format.h"

namespace tandem::format {

/// A graph does not say what is asked of it: --problem independent_set, vertex_cover, clique, coloring or max_cut does. Edges may stand twice (for
/// max_cut they are counted once), and other lines than c, p and e are passed over ("n", "d" and "v" carry no edges).
/// Errors: 1201 format_syntax - also fewer edges than promised; 1202 format_ambiguous - no --problem, or another one; 1103 model_too_large.
Result<problem::ProblemPtr> read_dimacs(std::string_view text, std::string_view name, const ReadOptions& options);

/// Errors: 1204 format_cannot_express - a problem of another type, names, weights of nodes, a number of colours, or edges of another weight than 1.
Result<std::string> write_dimacs(const problem::Problem& problem, std::span<const std::string> comments);

}  // namespace tandem::format

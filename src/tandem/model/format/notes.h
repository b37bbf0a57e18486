// tandem/model/format/notes.h - what a file of ours says about itself in a comment: "# tandem problem=qubo sense=max".
//
// Room: model. For the readers and writers of this part only. Other programs skip the comment.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tandem/base/result.h"
#include "tandem/model/format/format.h"

namespace tandem::format {

struct Notes {
  std::optional<std::string> problem;
  std::optional<problem::Sense> sense;
  bool negated = false;  ///< the coefficients are those of a maximised problem, negated for a format that minimises
};

/// Comments of rudy and sparse files start with '#' or '%', those of qbsolv and DIMACS files are lines whose first word is "c".
bool is_comment(std::string_view first_word, FileFormat format);

/// The first note among the comments before everything else. Errors: 1201 format_syntax - an unknown key or value.
Result<Notes> read_notes(std::string_view text, std::string_view name, FileFormat format);
/// "# tandem problem=qubo sense=max" with its line end.
std::string notes_line(const Notes& notes, FileFormat format);
/// Each line of each comment as a comment line.
std::string comment_lines(std::span<const std::string> comments, FileFormat format);

/// What holds of a file whose notes and flags are these; a flag that contradicts the file is refused.
/// Errors: 1202 format_ambiguous.
Result<Notes> settle(const Notes& notes, const ReadOptions& options, std::string_view name);

}  // namespace tandem::format

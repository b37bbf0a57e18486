#include "tandem/model/format/notes.h"

#include "tandem/base/line_scanner.h"
#include "tandem/base/text.h"

namespace tandem::format {
namespace {

std::string_view mark_of(FileFormat format) {
  return format == FileFormat::kQbsolv || format == FileFormat::kDimacs ? "c" : "#";
}

/// "key=value" into `notes`; false when it says nothing known.
bool take_note(std::string_view word, Notes& notes) {
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view key = word.substr(0, equals);
  const std::string_view value = word.substr(equals + 1);
  if (key == "problem") {
    notes.problem = std::string(value);
    return value == "max_cut" || value == "qubo";
  }
  if (key == "sense") {
    const auto sense = problem::parse_sense(value);
    if (sense) notes.sense = *sense;
    return sense.has_value();
  }
  if (key == "negated") {
    notes.negated = value == "1";
    return notes.negated;
  }
  return false;
}

tl::unexpected<Error> contradiction(std::string_view name, std::string_view flag, std::string_view file_says,
                                    std::string_view user_says) {
  return fail_at(std::string(name), errors::kFormatAmbiguous, "the file says {}={}, but --{} says {}; drop the flag",
                 flag, file_says, flag, quote(user_says));
}

}  // namespace

bool is_comment(std::string_view first_word, FileFormat format) {
  return format == FileFormat::kQbsolv ? first_word == "c" : first_word.starts_with('#') || first_word.starts_with('%');
}

Result<Notes> read_notes(std::string_view text, std::string_view name, FileFormat format) {
  Notes notes;
  LineScanner scanner(text, name);
  while (scanner.next_line()) {
    if (!scanner.has_token()) continue;
    const std::string_view mark = scanner.token();
    if (!is_comment(mark, format)) break;
    if (mark != mark_of(format) || scanner.token() != "tandem" || !scanner.has_token()) continue;
    std::string_view word = scanner.token();
    if (word.find('=') == std::string_view::npos) continue;  // "# tandem generate ..."
    for (; !word.empty(); word = scanner.token()) {
      if (take_note(word, notes)) continue;
      return tl::unexpected<Error>(scanner.unexpected_token(
          errors::kFormatSyntax, "problem=max_cut, problem=qubo, sense=min, sense=max or negated=1",
          "correct the comment or remove it"));
    }
    return notes;
  }
  return notes;
}

std::string notes_line(const Notes& notes, FileFormat format) {
  std::string line = fmt::format("{} tandem", mark_of(format));
  if (notes.problem) line += fmt::format(" problem={}", *notes.problem);
  if (notes.sense) line += fmt::format(" sense={}", problem::to_string(*notes.sense));
  if (notes.negated) line += " negated=1";
  return line + "\n";
}

std::string comment_lines(std::span<const std::string> comments, FileFormat format) {
  std::string lines;
  for (const std::string& comment : comments) {
    for (const std::string_view line : split(comment, '\n'))
      lines += fmt::format("{} {}\n", mark_of(format), trim(line));
  }
  return lines;
}

Result<Notes> settle(const Notes& notes, const ReadOptions& options, std::string_view name) {
  Notes settled = notes;
  if (options.problem) {
    if (notes.problem && *notes.problem != *options.problem) {
      return contradiction(name, "problem", *notes.problem, *options.problem);
    }
    settled.problem = options.problem;
  }
  if (options.sense) {
    if (notes.sense && *notes.sense != *options.sense) {
      return contradiction(name, "sense", problem::to_string(*notes.sense), problem::to_string(*options.sense));
    }
    settled.sense = options.sense;
  }
  return settled;
}

}  // namespace tandem::format

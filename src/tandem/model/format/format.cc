#include "tandem/model/format/format.h"

#include <algorithm>
#include <array>
#include <utility>

#include "tandem/base/line_scanner.h"
#include "tandem/base/text.h"
#include "tandem/base/yaml.h"
#include "tandem/model/format/coo.h"
#include "tandem/model/format/dimacs.h"
#include "tandem/model/format/matrix_text.h"
#include "tandem/model/format/notes.h"
#include "tandem/model/format/qbsolv.h"
#include "tandem/model/format/qplib.h"

namespace tandem::format {
namespace {

using problem::ProblemPtr;

struct FormatName {
  FileFormat format;
  std::string_view name;
};
constexpr std::array kFormatNames{FormatName{FileFormat::kDocument, "json"}, FormatName{FileFormat::kRudy, "rudy"},
                                  FormatName{FileFormat::kSparse, "sparse"}, FormatName{FileFormat::kQbsolv, "qbsolv"},
                                  FormatName{FileFormat::kCoo, "coo"},       FormatName{FileFormat::kQplib, "qplib"},
                                  FormatName{FileFormat::kDimacs, "dimacs"}};

constexpr std::array kExtensions{FormatName{FileFormat::kDocument, ".json"}, FormatName{FileFormat::kDocument, ".yaml"},
                                 FormatName{FileFormat::kDocument, ".yml"},  FormatName{FileFormat::kQbsolv, ".qubo"},
                                 FormatName{FileFormat::kSparse, ".sparse"}, FormatName{FileFormat::kRudy, ".rudy"},
                                 FormatName{FileFormat::kRudy, ".mc"},       FormatName{FileFormat::kQplib, ".qplib"},
                                 FormatName{FileFormat::kDimacs, ".gph"},    FormatName{FileFormat::kDimacs, ".clq"},
                                 FormatName{FileFormat::kDimacs, ".col"},    FormatName{FileFormat::kCoo, ".coo"}};

std::optional<FileFormat> format_of_name(std::string_view name) {
  if (name.ends_with(".gz")) name.remove_suffix(3);
  for (const FormatName& extension : kExtensions) {
    if (name.ends_with(extension.name)) return extension.format;
  }
  return std::nullopt;
}

/// What the first line that is no comment looks like.
enum class Look : std::uint8_t { kNothing, kNumbers, kCoo, kQbsolv, kDimacs, kDocument, kOther };

Look look_of(std::string_view text) {
  LineScanner scanner(text, "");
  bool tells_vartype = false;
  while (scanner.next_line()) {
    if (!scanner.has_token()) continue;
    const std::string_view word = scanner.token();
    if (is_comment(word, FileFormat::kRudy)) {  // also a comment of YAML
      const std::string_view line(word.data(), text.data() + text.size());
      tells_vartype = tells_vartype || problem_of_vartype(line.substr(0, line.find('\n'))).has_value();
      continue;
    }
    if (word == "c") continue;
    if (word == "p") return scanner.token() == "qubo" ? Look::kQbsolv : Look::kDimacs;
    if (parse_int64(word)) return tells_vartype ? Look::kCoo : Look::kNumbers;
    const bool document = word.starts_with('{') || word.ends_with(':') || word == "---";
    return document ? Look::kDocument : Look::kOther;
  }
  return Look::kNothing;
}

tl::unexpected<Error> unknown_format(std::string_view name) {
  return fail_at(std::string(name), errors::kFormatUnknown,
                 "neither the name nor the first lines tell the format; say --from json, rudy, sparse, qbsolv, coo, "
                 "qplib or dimacs");
}

Result<ProblemPtr> read_document(std::string_view text, std::string_view name, const ReadOptions& options,
                                 const problem::ProblemRegistry& registry) {
  TANDEM_TRY_ASSIGN(const LocatedJson document,
                    parse_json_or_yaml(text, name, JsonLimits{.bytes_max = options.limits.bytes_max}));
  // A job document holds its problem one level deeper.
  const bool is_job =
      document.value.is_object() && !document.value.contains("type") && document.value.contains("problem");
  if (document.value.is_object() && !is_job && !document.value.contains("type")) {
    return fail_at(
        document.place_of(""), errors::kMissingKey,
        "there is neither 'problem' nor 'program', one of which a job document has, nor the 'type' that a bare "
        "problem has; add one");
  }
  const std::string pointer = is_job ? "/problem" : "";
  auto parsed = registry.parse(is_job ? document.value["problem"] : document.value, pointer);
  if (!parsed) {
    Error error = std::move(parsed).error();
    error.place = document.place_of(error.place);
    return tl::unexpected<Error>(std::move(error));
  }
  const ProblemPtr& problem = *parsed;
  TANDEM_TRY(settle({.problem = std::string(problem->type()), .sense = problem->sense()}, options, name));
  if (problem->num_variables() > options.limits.variables_max) {
    return fail_at(std::string(name), errors::kModelTooLarge,
                   "the problem has {} variables, the limit is {}; reduce it", problem->num_variables(),
                   options.limits.variables_max);
  }
  return parsed;
}

/// One key a line, "type" first: readable while small, and the arrays of large ones stay on one line.
std::string write_document(const problem::Problem& problem) {
  const Json document = problem.document();
  const auto dump = [](const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); };
  std::string text = "{\n  \"type\": " + dump(document["type"]);
  for (const auto& [key, value] : document.items()) {
    if (key != "type") text += ",\n  " + dump(key) + ": " + dump(value);
  }
  return text + "\n}\n";
}

}  // namespace

std::string_view to_string(FileFormat format) {
  return std::find_if(kFormatNames.begin(), kFormatNames.end(), [&](const FormatName& f) { return f.format == format; })
      ->name;
}

Result<FileFormat> parse_file_format(std::string_view text) {
  std::array<std::string_view, kFormatNames.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i) {
    names[i] = kFormatNames[i].name;
    if (names[i] == text) return kFormatNames[i].format;
  }
  const std::string hint = did_you_mean(text, names);
  return fail(errors::kFormatUnknown, "no file format is called {}{}", quote(text),
              hint.empty() ? "; use json, rudy, sparse, qbsolv, coo, qplib or dimacs" : hint);
}

Result<Bytes> unpack(Bytes bytes, std::string_view name, const ReadLimits& limits) {
  if (is_gzip(bytes)) {
    return gunzip(bytes, limits.bytes_max).map_error([&](Error error) {
      error.place = name;
      return error;
    });
  }
  if (bytes.size() > limits.bytes_max) {
    return fail_at(std::string(name), errors::kInputTooLarge,
                   "the file has {} bytes, the limit is {}; split it or raise the limit", bytes.size(),
                   limits.bytes_max);
  }
  return bytes;
}

Result<FileFormat> detect(std::string_view name, std::string_view text, const ReadOptions& options) {
  if (options.format) return *options.format;
  const std::optional<FileFormat> by_name = format_of_name(name);
  if (by_name == FileFormat::kDocument || by_name == FileFormat::kQbsolv || by_name == FileFormat::kQplib ||
      by_name == FileFormat::kDimacs || by_name == FileFormat::kCoo)
    return *by_name;
  const Look look = look_of(text);
  if (look == Look::kCoo) return FileFormat::kCoo;
  if (look == Look::kQbsolv) return FileFormat::kQbsolv;
  if (look == Look::kDimacs) return FileFormat::kDimacs;
  if (look == Look::kDocument) return FileFormat::kDocument;
  if (look != Look::kNumbers) return by_name ? *by_name : Result<FileFormat>(unknown_format(name));
  TANDEM_TRY_ASSIGN(const Notes notes, read_notes(text, name, FileFormat::kRudy));
  const std::string problem = options.problem.value_or(notes.problem.value_or(""));
  if (problem == "max_cut") return FileFormat::kRudy;
  if (problem == "qubo") return FileFormat::kSparse;
  if (!problem.empty()) {
    return fail_at(
        std::string(name), errors::kFormatAmbiguous,
        "a file of numbers holds a max_cut or a qubo problem, not {}; use --problem max_cut or --problem qubo",
        quote(problem));
  }
  if (by_name) return *by_name;
  return fail_at(std::string(name), errors::kFormatAmbiguous,
                 "the file may be a max-cut graph (rudy) or a QUBO matrix (sparse), which share a syntax; add "
                 "--problem max_cut, or "
                 "--problem qubo with --sense min or --sense max");
}

Result<ProblemPtr> read_problem(std::string_view text, std::string_view name, const ReadOptions& options,
                                const problem::ProblemRegistry& registry) {
  if (text.size() > options.limits.bytes_max) {
    return fail_at(std::string(name), errors::kInputTooLarge,
                   "the text has {} bytes, the limit is {}; split it or raise the limit", text.size(),
                   options.limits.bytes_max);
  }
  TANDEM_TRY_ASSIGN(const FileFormat format, detect(name, text, options));
  switch (format) {
    case FileFormat::kDocument:
      return read_document(text, name, options, registry);
    case FileFormat::kRudy:
      return read_rudy(text, name, options);
    case FileFormat::kSparse:
      return read_sparse(text, name, options);
    case FileFormat::kQbsolv:
      return read_qbsolv(text, name, options);
    case FileFormat::kCoo:
      return read_coo(text, name, options);
    case FileFormat::kQplib:
      return read_qplib(text, name, options);
    case FileFormat::kDimacs:
      return read_dimacs(text, name, options);
  }
  return unknown_format(name);
}

Result<std::string> write_problem(const problem::Problem& problem, FileFormat format,
                                  std::span<const std::string> comments) {
  switch (format) {
    case FileFormat::kDocument:
      return write_document(problem);
    case FileFormat::kRudy:
      return write_rudy(problem, comments);
    case FileFormat::kSparse:
      return write_sparse(problem, comments);
    case FileFormat::kCoo:
      return write_coo(problem, comments);
    case FileFormat::kQplib:
      return write_qplib(problem, comments);
    case FileFormat::kDimacs:
      return write_dimacs(problem, comments);
    case FileFormat::kQbsolv:
      break;
  }
  return write_qbsolv(problem, comments);
}

}  // namespace tandem::format

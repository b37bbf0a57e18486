// tandem/model/format/format.h - problems as files: which format a file has, reading it, writing it.
//
// Room: model. Formats: the problem document of our own (JSON or YAML), rudy/Gset max-cut, sparse QUBO of Beasley, GKA and
// Palubeckis, qbsolv .qubo, coordinates of dimod, QPLIB, DIMACS graphs. Not here: job documents (model/job), results (dimod.h), making instances (generate.h).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tandem/base/bytes.h"
#include "tandem/base/result.h"
#include "tandem/model/problem/problem.h"

namespace tandem::format {

enum class FileFormat : std::uint8_t {
  kDocument,  ///< {"type": "qubo", ...}, JSON or YAML: any problem type
  kRudy,  ///< "n m", then m lines "i j w", nodes from 1: max_cut
  kSparse,  ///< the same text as half of a matrix Q: qubo, x'Qx, so off-diagonal entries count twice; some maximise
  kQbsolv,  ///< "p qubo 0 n diagonals couplers", then "i j q" from 0: qubo, minimised, off-diagonal entries count once
  kDimacs,  ///< "p edge n m", then "e u v" from 1: a graph, of which --problem says what is asked
  kCoo,  ///< "# vartype=SPIN", then "i j bias" from 0, as dimod writes it: qubo or ising, minimised
  kQplib,  ///< sections of a .qplib file, from 1: qubo in the sense that it says; of those without constraints
};

std::string_view to_string(FileFormat format);  ///< "json", "rudy", "sparse", "qbsolv", "coo", "qplib", "dimacs"
/// Errors: 1203 format_unknown (with the nearest name).
Result<FileFormat> parse_file_format(std::string_view text);

struct ReadLimits {
  std::uint64_t bytes_max = std::uint64_t{1} << 30;  ///< of the text, after decompression
  std::size_t variables_max = problem::Bqm::kVariablesMax;
  std::size_t terms_max = problem::Bqm::kTermsMax;
};

/// What the user says about a file, from --problem, --sense and --from.
struct ReadOptions {
  std::optional<std::string>
      problem;  ///< "max_cut" or "qubo"; of a graph also "independent_set" and its like; of coordinates also "ising"
  std::optional<problem::Sense> sense;
  std::optional<FileFormat> format;
  ReadLimits limits;
};

/// The text of a file that may be gzip; `name` stands in places. Errors: 1003 input_too_large; 1031 bad_gzip.
Result<Bytes> unpack(Bytes bytes, std::string_view name, const ReadLimits& limits);

/// Tells the format from what the user said, what the file says (a comment of ours), its name without ".gz", and its first
/// lines, in this order. Job documents are kDocument too.
///
/// Errors: 1202 format_ambiguous - numbers that are rudy or sparse; the message names --problem and --sense.
///         1203 format_unknown.
Result<FileFormat> detect(std::string_view name, std::string_view text, const ReadOptions& options);

/// Reads a problem; `text` is unpacked, `name` stands in places.
///
/// rudy and sparse: lines that start with '#' or '%' are comments; in "n m" more words are ignored (G1 has one). Files of ours
/// carry "# tandem problem=... sense=...", which answers what the flags otherwise must.
///
/// Errors: 1201 format_syntax - place name:line:column; 1202 format_ambiguous - sparse without a sense, or flags that contradict
///         the file; 1203 format_unknown; 1003 input_too_large, 1103 model_too_large - above options.limits; those of the problem.
/// Cost:   about 40 ns a term, and 16 bytes a term beside the text.
Result<problem::ProblemPtr> read_problem(std::string_view text, std::string_view name, const ReadOptions& options,
                                         const problem::ProblemRegistry& registry);

/// Writes a problem; read_problem() of the text, without options, is an equal problem. `comments` become comment lines where
/// the format has them (not in documents).
///
/// rudy takes max_cut. sparse, qbsolv and coo take every problem that states a Bqm without offset; from max_cut they hold its QUBO, from
/// ising too but for coo, and qbsolv and coo hold a maximised one negated and say so.
///
/// Errors: 1204 format_cannot_express - another problem type, an offset, names or constraints, and what can hold them.
Result<std::string> write_problem(const problem::Problem& problem, FileFormat format,
                                  std::span<const std::string> comments = {});

}  // namespace tandem::format

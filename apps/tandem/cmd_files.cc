// apps/tandem/cmd_files.cc - convert and generate: instances as files.
#include "cli.h"
#include "job_input.h"
#include "tandem/base/hash.h"
#include "tandem/base/text.h"
#include "tandem/base/yaml_writer.h"
#include "tandem/model/format/circuit_file.h"
#include "tandem/model/format/dimod.h"
#include "tandem/model/format/format.h"
#include "tandem/model/format/generate.h"
#include "tandem/model/problem/term_document.h"
#include "tandem/model/result/sample_set.h"

namespace tandem::app {
namespace {

struct ConvertFlags {
  std::string in;
  std::string out;
  std::string from;
  std::string to;
  std::string as = "problem";
  std::string problem;
  std::string sense;
};

/// Writes a file whole, or standard output without a path or for "-". With --json a document says what was written; what would go
/// to standard output is its "text".
Result<int> write_output(Cli& cli, const std::string& path, const std::string& text) {
  const bool to_file = !path.empty() && path != "-";
  if (to_file) TANDEM_TRY(cli.machine.fs.write_file_atomic(path, text));
  if (cli.json) {
    Json document = {{"file", to_file ? Json(path) : Json()}, {"bytes", text.size()}, {"sha256", sha256(text).hex()}};
    if (!to_file) document["text"] = text;
    print_json(document);
  } else if (!to_file && std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) {
    return fail(errors::kIoError, "standard output took only a part of {} bytes", text.size());
  }
  return 0;
}

/// A result document as a dimod SampleSet: the candidates with their objectives as energies.
Result<std::string> result_to_dimod(const Json& document) {
  TANDEM_TRY_ASSIGN(const job::ResultDocument result, job::ResultDocument::parse(document));
  if (result.candidates.empty()) return fail(errors::kFormatCannotExpress, "the result has no candidates");
  std::vector<result::Sample> samples;
  for (const job::ScoredCandidate& candidate : result.candidates)
    samples.push_back(
        {.values = candidate.solution, .energy = candidate.objective, .occurrences = candidate.occurrences});
  const auto set = result::SampleSet::create(problem::Vartype::kBinary, result.candidates.front().solution.size(),
                                             std::move(samples));
  return format::dimod_sample_set(set, {},
                                  {{"job_id", result.job_id.value}, {"objectives", "as scored by the problem"}})
             .dump() +
         "\n";
}

/// The whole job that `tandem run` of the file would admit, every default written out.
Result<int> convert_to_job(Cli& cli, const ConvertFlags& flags, const Settings& settings) {
  if (flags.to != "json" && flags.to != "yaml")
    return fail_at("--to", errors::kUsage, "a job document is json or yaml, not {}; leave out --as job",
                   quote(flags.to));
  const auto given = [](const std::string& flag) { return flag.empty() ? std::nullopt : std::optional(flag); };
  const JobFlags job{
      .file = flags.in, .problem = given(flags.problem), .sense = given(flags.sense), .format = given(flags.from)};
  const auto problems = problem::ProblemRegistry::with_builtin_types();
  TANDEM_TRY_ASSIGN(const job::JobSpec spec, read_job(job, cli.machine.fs, settings, problems));
  const Json document = spec.document();
  const std::string json = document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  return write_output(cli, flags.out, flags.to == "yaml" ? write_yaml(document) : json);
}

Result<int> convert_circuit(Cli& cli, const ConvertFlags& flags, std::string_view text, std::string_view name,
                            format::CircuitFormat from, std::uint64_t bytes_max) {
  const bool yaml = flags.to == "yaml";
  if (!flags.problem.empty() || !flags.sense.empty()) return circuit_has_no_problem(!flags.problem.empty());
  TANDEM_TRY_ASSIGN(const format::CircuitFormat to, format::parse_circuit_format(yaml ? "json" : flags.to));
  TANDEM_TRY_ASSIGN(const circuit::Circuit circuit, format::read_circuit(text, name, {.bytes_max = bytes_max}, from));
  if (yaml) return write_output(cli, flags.out, write_yaml(circuit.document()));
  TANDEM_TRY_ASSIGN(const std::string out, format::write_circuit(circuit, to));
  return write_output(cli, flags.out, out);
}

Result<int> convert(Cli& cli, const ConvertFlags& flags) {
  TANDEM_TRY_ASSIGN(const Settings settings, cli.settings());
  if (flags.as == "job") return convert_to_job(cli, flags, settings);
  if (flags.as != "problem") return fail_at("--as", errors::kUsage, "{} is not problem or job", quote(flags.as));
  format::ReadOptions options;
  options.limits.bytes_max = static_cast<std::uint64_t>(settings.integer("input.file_bytes_max"));
  if (!flags.problem.empty()) options.problem = flags.problem;
  if (!flags.sense.empty()) {
    TANDEM_TRY_ASSIGN(options.sense, problem::parse_sense(flags.sense));
  }
  const std::string name = flags.in == "-" ? "standard input" : flags.in;
  TANDEM_TRY_ASSIGN(Bytes raw, cli.machine.fs.read_file(flags.in, options.limits.bytes_max));
  TANDEM_TRY_ASSIGN(const Bytes text, format::unpack(std::move(raw), name, options.limits));
  if (flags.to == "dimod") {
    TANDEM_TRY_ASSIGN(const Json document, parse_json(text, name));
    TANDEM_TRY_ASSIGN(const std::string out, result_to_dimod(document));
    return write_output(cli, flags.out, out);
  }
  const bool yaml = flags.to == "yaml";  // a way to write documents, not a format of its own
  if (const auto circuit = format::detect_circuit(text, flags.from))
    return convert_circuit(cli, flags, text, name, *circuit, options.limits.bytes_max);
  if (!flags.from.empty()) {
    TANDEM_TRY_ASSIGN(options.format, format::parse_file_format(flags.from));
  }
  TANDEM_TRY_ASSIGN(const format::FileFormat to, format::parse_file_format(yaml ? "json" : flags.to));
  const auto problems = problem::ProblemRegistry::with_builtin_types();
  TANDEM_TRY_ASSIGN(const problem::ProblemPtr problem, format::read_problem(text, name, options, problems));
  if (yaml) return write_output(cli, flags.out, write_yaml(problem->document()));
  TANDEM_TRY_ASSIGN(const std::string out, format::write_problem(*problem, to));
  return write_output(cli, flags.out, out);
}

struct GenerateFlags {
  std::string name;
  std::uint32_t variables = 0;
  std::uint32_t density = 100;
  std::uint32_t nodes = 0;
  std::uint32_t degree = 3;
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
  std::uint32_t layers = 1;
  std::uint32_t size = 0;
  double probability = 0.5;
  std::string weights;
  std::uint64_t seed = 1;
  std::string out;
};

Result<int> write_generated(Cli& cli, const GenerateFlags& flags, Result<format::Generated> generated) {
  TANDEM_TRY(generated);
  std::vector<std::string> comments = {generated->command};
  if (generated->optimum) comments.push_back(fmt::format("optimum {}", problem::plain_number(*generated->optimum)));
  TANDEM_TRY_ASSIGN(const std::string text, format::write_problem(*generated->problem, generated->format, comments));
  return write_output(cli, flags.out, text);
}

Result<format::EdgeWeights> weights_of(const GenerateFlags& flags, format::EdgeWeights fallback) {
  if (flags.weights.empty()) return fallback;
  return format::parse_edge_weights(flags.weights);
}

Result<int> palubeckis(Cli& cli, const GenerateFlags& flags) {
  format::PalubeckisOptions options{
      .variables = flags.variables, .density = flags.density, .seed = static_cast<std::uint32_t>(flags.seed)};
  if (!flags.name.empty()) {
    const auto found = format::find_palubeckis(flags.name);
    if (!found)
      return fail_at("--name", errors::kValueOutOfRange, "{} is none of p3000.1 .. p7000.3", quote(flags.name));
    options = *found;
  }
  return write_generated(cli, flags, format::generate_palubeckis(options));
}

Result<int> regular(Cli& cli, const GenerateFlags& flags) {
  TANDEM_TRY_ASSIGN(const format::EdgeWeights weights, weights_of(flags, format::EdgeWeights::kOne));
  return write_generated(
      cli, flags,
      format::generate_regular({.nodes = flags.nodes, .degree = flags.degree, .weights = weights, .seed = flags.seed}));
}

Result<int> gnp(Cli& cli, const GenerateFlags& flags) {
  TANDEM_TRY_ASSIGN(const format::EdgeWeights weights, weights_of(flags, format::EdgeWeights::kOne));
  return write_generated(
      cli, flags,
      format::generate_gnp(
          {.nodes = flags.nodes, .probability = flags.probability, .weights = weights, .seed = flags.seed}));
}

Result<int> torus(Cli& cli, const GenerateFlags& flags) {
  TANDEM_TRY_ASSIGN(const format::EdgeWeights weights, weights_of(flags, format::EdgeWeights::kPlusMinusOne));
  return write_generated(
      cli, flags,
      format::generate_torus({.rows = flags.rows, .columns = flags.columns, .weights = weights, .seed = flags.seed}));
}

Result<int> planted(Cli& cli, const GenerateFlags& flags) {
  return write_generated(
      cli, flags,
      format::generate_planted(
          {.rows = flags.rows, .columns = flags.columns, .layers = flags.layers, .seed = flags.seed}));
}

Result<int> labs(Cli& cli, const GenerateFlags& flags) {
  return write_generated(cli, flags, format::generate_labs({.size = flags.size}));
}

}  // namespace

void add_convert(CLI::App& app, Cli& cli) {
  CLI::App* command = app.add_subcommand("convert", "read a file in one format and write it in another");
  auto flags = std::make_shared<ConvertFlags>();
  command->add_option("IN", flags->in, "file; - reads standard input")->required()->type_name("FILE");
  command->add_option("OUT", flags->out, "file; without it, or with -, standard output")->type_name("FILE");
  command->add_option(
      "--from", flags->from,
      "json, rudy, sparse, qbsolv, coo, qplib, dimacs; circuits: json, qasm2, qsim; found out where it can be");
  command
      ->add_option("--to", flags->to,
                   "json, yaml, rudy, sparse, qbsolv, coo, qplib, dimacs; circuits: json, yaml, qasm2; dimod: a result "
                   "document as a "
                   "dimod SampleSet")
      ->required();
  command->add_option("--as", flags->as,
                      "problem: the instance or circuit alone; job: a whole job document, as json or yaml");
  command->add_option("--problem", flags->problem, "max_cut, qubo or another type, where the file does not say");
  command->add_option("--sense", flags->sense, "min or max, where the file does not say");
  command->callback(
      [&cli, flags] { cli.action = [&cli, flags] { return convert(cli, *flags).map_error(name_input_limit); }; });
}

void add_generate(CLI::App& app, Cli& cli) {
  CLI::App* command =
      app.add_subcommand("generate", "make an instance; the command that makes it again stands in the file");
  command->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, Result<int> (*run)(Cli&, const GenerateFlags&)) {
    CLI::App* kind = command->add_subcommand(name, help);
    auto flags = std::make_shared<GenerateFlags>();
    kind->add_option("--seed", flags->seed, "same seed, same instance");
    kind->add_option("--out", flags->out, "file; without it standard output")->type_name("FILE");
    kind->callback([&cli, flags, run] { cli.action = [&cli, flags, run] { return run(cli, *flags); }; });
    return std::pair{kind, flags};
  };
  const auto [dense, dense_flags] = add("palubeckis", "QUBO instances p3000.1 .. p7000.3 and their like", palubeckis);
  dense->add_option("--name", dense_flags->name, "a published one: p3000.1");
  dense->add_option("--variables", dense_flags->variables);
  dense->add_option("--density", dense_flags->density, "percent of pairs");
  const auto [fixed, fixed_flags] = add("regular", "random regular graph, max-cut", regular);
  fixed->add_option("--nodes", fixed_flags->nodes)->required();
  fixed->add_option("--degree", fixed_flags->degree);
  fixed->add_option("--weights", fixed_flags->weights, "one or pm1");
  const auto [random, random_flags] = add("gnp", "Erdos-Renyi graph, max-cut", gnp);
  random->add_option("--nodes", random_flags->nodes)->required();
  random->add_option("--probability", random_flags->probability);
  random->add_option("--weights", random_flags->weights, "one or pm1");
  const auto [grid, grid_flags] = add("torus", "grid with joined sides, max-cut", torus);
  grid->add_option("--rows", grid_flags->rows)->required();
  grid->add_option("--columns", grid_flags->columns)->required();
  grid->add_option("--weights", grid_flags->weights, "one or pm1");
  const auto [hidden, hidden_flags] =
      add("planted", "lattice with joined sides whose optimum is known and stands in the file, max-cut", planted);
  hidden->add_option("--rows", hidden_flags->rows)->required();
  hidden->add_option("--columns", hidden_flags->columns)->required();
  hidden->add_option("--layers", hidden_flags->layers, "1: two dimensions");
  const auto [sequence, sequence_flags] =
      add("labs", "low autocorrelation binary sequences, a polynomial of order four; there is one a size", labs);
  sequence->add_option("--size", sequence_flags->size)->required();
}

}  // namespace tandem::app

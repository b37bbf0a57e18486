// apps/tandem/job_input.h - from what a user names (a job document, a bare instance or circuit) and flags to a JobSpec.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tandem/base/fs.h"
#include "tandem/base/setting.h"
#include "tandem/model/job/job_spec.h"

namespace tandem::app {

/// Flags of run, submit and plan.
struct JobFlags {
  std::string file;
  std::optional<std::string> problem;  ///< type of a bare instance
  std::optional<std::string> sense;
  std::optional<std::string> format;
  std::optional<std::string> time;
  std::optional<std::string> solver;
  std::optional<std::string> start;  ///< a file with a result to go on from
  std::vector<std::string> backends;
  std::optional<std::string> refine;
  std::optional<std::string> cost_max_usd;
  std::string idempotency_key;  ///< empty: none
  std::optional<std::uint64_t> shots;  ///< of a bare circuit
  std::optional<double> tolerance;  ///< of a bare circuit, for rounding
  std::optional<std::uint64_t> seed;
  std::optional<double> target;
  std::optional<std::uint64_t> threads;
  bool proof = false;
};

void add_job_flags(CLI::App* command, JobFlags& flags);

/// A flag for problems beside a file that holds a circuit: 'problem' or 'sense'.
tl::unexpected<Error> circuit_has_no_problem(bool problem);

/// An input that is too large, with the name of the setting that is its limit.
Error name_input_limit(Error error);

/// Reads the file ("-": standard input), tells a job document from a bare instance or circuit, applies the flags.
/// Errors: those of the readers and of JobSpec; places name the file, or the flag.
Result<job::JobSpec> read_job(const JobFlags& flags, Fs& fs, const Settings& settings,
                              const problem::ProblemRegistry& problems);

/// The error with a flag as its place, where its pointer is that of a member which the flag gave.
Error at_flag(Error error, const JobFlags& flags);

}  // namespace tandem::app

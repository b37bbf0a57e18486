// apps/tandem/job_input.h - from what a user names (a job document or a bare instance) and flags to a JobSpec.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "tandem/base/fs.h"
#include "tandem/base/setting.h"
#include "tandem/model/job/job_spec.h"

namespace tandem::app {

/// Flags of run, submit and plan. Empty strings and zeros: not given.
struct JobFlags {
  std::string file;
  std::string problem;  ///< type of a bare instance
  std::string sense;
  std::string format;
  std::string time;
  std::string solver;
  std::vector<std::string> backends;
  std::string refine;
  std::string cost_max_usd;
  std::string idempotency_key;
  std::optional<std::uint64_t> seed;
  std::optional<double> target;
  std::uint32_t threads = 0;
  bool proof = false;
};

void add_job_flags(CLI::App* command, JobFlags& flags);

/// Reads the file ("-": standard input), tells a job document from a bare instance, applies the flags.
/// Errors: those of the readers and of JobSpec; places name the file, or the flag.
Result<job::JobSpec> read_job(const JobFlags& flags, Fs& fs, const Settings& settings,
                              const problem::ProblemRegistry& problems);

}  // namespace tandem::app

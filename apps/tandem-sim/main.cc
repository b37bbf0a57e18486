// apps/tandem-sim/main.cc - runs simulated histories of the orchestrator by seed, and says what did not hold in them.
#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>

#include "tandem/base/clock.h"
#include "tandem/sim/world.h"

namespace {

using namespace tandem;

struct Wanted {
  std::uint64_t first = 1;
  std::uint64_t last = 2000;
  sim::Plant plant = sim::Plant::kNone;
  bool json = false;
  bool keep_going = false;
  bool trace = false;
};

/// "7" or "1..2000".
std::string read_seeds(const std::string& text, Wanted& wanted) {
  const std::size_t dots = text.find("..");
  const auto number = [](const std::string& digits, std::uint64_t& out) {
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    return failed == std::errc() && end == digits.data() + digits.size();
  };
  const bool read = number(text.substr(0, dots), wanted.first) &&
                    number(dots == std::string::npos ? text : text.substr(dots + 2), wanted.last);
  if (read && wanted.first <= wanted.last) return "";
  return "expected a seed or a range as 1..2000, not '" + text + "'";
}

std::vector<std::string> missing(const std::vector<std::string>& all, const std::map<std::string, std::uint64_t>& seen) {
  std::vector<std::string> out;
  for (const std::string& name : all)
    if (!seen.contains(name)) out.push_back(name);
  return out;
}

void print_counts(const char* title, const std::map<std::string, std::uint64_t>& counts) {
  fmt::print("{}\n", title);
  for (const auto& [name, count] : counts) fmt::print("  {:>10}  {}\n", count, name);
}

int run(const Wanted& wanted) {
  const SystemClock clock;
  const Instant begin = clock.monotonic();
  sim::Coverage coverage;
  std::uint64_t steps = 0;
  std::uint64_t jobs = 0;
  std::uint64_t seeds = 0;
  std::vector<std::pair<std::uint64_t, std::string>> violations;
  sim::Oracle::Trace trace;
  if (wanted.trace) trace = [](const std::string& line) { fmt::print("{}\n", line); };
  const bool one = wanted.first == wanted.last;
  for (std::uint64_t seed = wanted.first; seed <= wanted.last; ++seed) {
    const sim::Report report = sim::simulate(sim::Options::expand(seed, wanted.plant), trace);
    ++seeds;
    steps += report.steps;
    jobs += report.jobs;
    coverage.add(report.coverage);
    if (wanted.json || one) fmt::print("{}\n", report.document().dump(one && !wanted.json ? 2 : -1));
    if (report.violation.empty()) continue;
    violations.emplace_back(seed, report.violation);
    if (!wanted.json) fmt::print("seed {}: {}\n", seed, report.violation);
    if (!wanted.keep_going) break;
  }
  const double seconds = std::chrono::duration<double>(clock.monotonic() - begin).count();
  const auto unseen_job = missing(sim::job_transitions(), coverage.job_transitions);
  const auto unseen_submission = missing(sim::submission_transitions(), coverage.submission_transitions);
  if (!wanted.json) {
    print_counts("transitions of jobs", coverage.job_transitions);
    print_counts("transitions of submissions", coverage.submission_transitions);
    print_counts("faults", coverage.faults);
    for (const std::string& name : unseen_job) fmt::print("not covered: job {}\n", name);
    for (const std::string& name : unseen_submission) fmt::print("not covered: submission {}\n", name);
    fmt::print("{} seeds, {} jobs, {} events (steps of the scheduler) in {:.1f} s: {:.0f} events/s, {} violations\n", seeds,
               jobs, steps, seconds, static_cast<double>(steps) / seconds, violations.size());
  } else {
    fmt::print("{}\n", Json{{"seeds", seeds},
                            {"jobs", jobs},
                            {"events", steps},
                            {"seconds", seconds},
                            {"events_per_s", static_cast<double>(steps) / seconds},
                            {"violations", violations.size()},
                            {"job_transitions", coverage.job_transitions},
                            {"submission_transitions", coverage.submission_transitions},
                            {"faults", coverage.faults},
                            {"not_covered", {{"job", unseen_job}, {"submission", unseen_submission}}}}
                           .dump());
  }
  return violations.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Runs the orchestrator under a seeded scheduler, on simulated machines that fail. The same seed gives the same history."};
  Wanted wanted;
  std::string seeds;
  std::uint64_t count = 0;
  app.add_option("--seed,--seeds", seeds, "a seed, or the seeds A..B; default 1..2000")
      ->type_name("A[..B]")
      ->check([&](const std::string& text) { return read_seeds(text, wanted); });
  app.add_option("--count", count, "so many seeds from the first on");
  std::string plant;
  app.add_option("--plant", plant, "a mistake that the simulation makes on purpose")
      ->check([&](const std::string& text) {
        const auto found = sim::find_plant(text);
        if (found) wanted.plant = *found;
        return found ? std::string()
                     : "expected fence-dropped, reply-before-sync, retry-on-ambiguous or lease-by-local-clock";
      });
  app.add_flag("--json", wanted.json, "a document for each seed, and one for all of them");
  app.add_flag("--keep-going", wanted.keep_going, "do not stop at the first seed with a violation");
  app.add_flag("--trace", wanted.trace, "print each change of a row and each fault as it happens");
  CLI11_PARSE(app, argc, argv);
  if (count > 0) wanted.last = wanted.first + count - 1;
  return run(wanted);
}

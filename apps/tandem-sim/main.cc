// apps/tandem-sim/main.cc - runs simulated histories of the orchestrator by seed, and says what did not hold in them.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <exception>
#include <sstream>
#include <system_error>

#include "tandem/base/clock.h"
#include "tandem/base/fs.h"
#include "tandem/base/printing.h"
#include "tandem/base/text.h"
#include "tandem/sim/world.h"

namespace {

using namespace tandem;

constexpr std::uint64_t kSeedsPerLine = 1000;  ///< of progress, for people

struct Wanted {
  std::uint64_t first = 1;
  std::uint64_t last = 2000;
  sim::Plant plant = sim::Plant::kNone;
  bool json = false;
  bool keep_going = false;
  bool trace = false;
  bool require_coverage = false;
  std::uint64_t seconds = 0;  ///< 0: until all seeds are done
};

bool read_number(const std::string& digits, std::uint64_t& out) {
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  return failed == std::errc() && end == digits.data() + digits.size();
}

/// "7" or "1..2000".
std::string read_seeds(const std::string& text, Wanted& wanted) {
  const std::size_t dots = text.find("..");
  const bool read = read_number(text.substr(0, dots), wanted.first) &&
                    read_number(dots == std::string::npos ? text : text.substr(dots + 2), wanted.last);
  if (read && wanted.first <= wanted.last) return "";
  return fmt::format("expected a seed or a range as 1..2000, not {}", quote(text));
}

int report(const Error& error) {
  fmt::print(stderr, "tandem-sim: {}\n", error.to_string());
  const ErrorRecord& record = error_record(error.number);
  if (!record.action.empty()) fmt::print(stderr, "  {}\n", record.action);
  return record.exit_code;
}

std::vector<std::string> missing(const std::vector<std::string>& all,
                                 const std::map<std::string, std::uint64_t>& seen) {
  std::vector<std::string> out;
  for (const std::string& name : all)
    if (!seen.contains(name)) out.push_back(name);
  return out;
}

void print_counts(const char* title, const std::map<std::string, std::uint64_t>& counts) {
  fmt::print("{}\n", title);
  for (const auto& [name, count] : counts) fmt::print("  {:>10}  {}\n", count, name);
}

std::vector<std::string_view> plant_names() {
  std::vector<std::string_view> out;
  for (const sim::Plant plant : sim::kPlants) out.push_back(sim::to_string(plant));
  return out;
}

/// All histories together.
struct Total {
  sim::Coverage coverage;
  std::uint64_t seeds = 0;
  std::uint64_t jobs = 0;
  std::uint64_t events = 0;
  std::uint64_t violations = 0;
  double seconds = 0;

  std::vector<std::string> not_covered() const {
    std::vector<std::string> out;
    const auto add = [&](const char* kind, const std::vector<std::string>& names) {
      for (const std::string& name : names) out.push_back(fmt::format("{} {}", kind, name));
    };
    add("job", missing(sim::job_transitions(), coverage.job_transitions));
    add("submission", missing(sim::submission_transitions(), coverage.submission_transitions));
    add("vendor", missing(sim::vendors(), coverage.vendors));
    add("fault", missing(sim::faults(), coverage.faults));
    return out;
  }
  Json doubts() const {
    Json out = {{"all", coverage.all_doubts().document()}};
    for (const auto& [name, counts] : coverage.doubts) out[name] = counts.document();
    return out;
  }
  double events_per_s() const { return seconds > 0 ? static_cast<double>(events) / seconds : 0; }
  Json document() const {
    return {{"seeds", seeds},
            {"jobs", jobs},
            {"events", events},
            {"seconds", seconds},
            {"events_per_s", events_per_s()},
            {"violations", violations},
            {"job_transitions", coverage.job_transitions},
            {"submission_transitions", coverage.submission_transitions},
            {"vendors", coverage.vendors},
            {"faults", coverage.faults},
            {"doubts", doubts()},
            {"not_covered",
             {{"job", missing(sim::job_transitions(), coverage.job_transitions)},
              {"submission", missing(sim::submission_transitions(), coverage.submission_transitions)},
              {"vendor", missing(sim::vendors(), coverage.vendors)},
              {"fault", missing(sim::faults(), coverage.faults)}}}};
  }
  void print() const {
    print_counts("transitions of jobs", coverage.job_transitions);
    print_counts("transitions of submissions", coverage.submission_transitions);
    print_counts("vendors", coverage.vendors);
    print_counts("faults", coverage.faults);
    for (const std::string& name : not_covered()) fmt::print("not covered: {}\n", name);
    const Json table = doubts();
    for (const auto& [name, counts] : table.items())
      fmt::print(
          "doubts, {}: {} were over within {} intervals (half), {} (99 %), {} (all); {} given up with the step's "
          "time\n",
          name, counts["resolved"].get<std::uint64_t>(), counts["intervals_p50"].get<std::uint64_t>(),
          counts["intervals_p99"].get<std::uint64_t>(), counts["intervals_max"].get<std::uint64_t>(),
          counts["given_up_with_the_step"].get<std::uint64_t>());
    fmt::print("{} seeds, {} jobs, {} events (steps of the scheduler) in {:.1f} s: {:.0f} events/s, {} violations\n",
               seeds, jobs, events, seconds, events_per_s(), violations);
  }
};

void print(const sim::Report& report, const Wanted& wanted) {
  const bool one = wanted.first == wanted.last;
  if (wanted.json || one) fmt::print("{}\n", report.document().dump(wanted.json ? -1 : 2));
  if (!wanted.json && !report.violation.empty()) fmt::print("seed {}: {}\n", report.options.seed, report.violation);
  std::fflush(stdout);
}

int run(const Wanted& wanted) {
  const SystemClock clock;
  const Instant begin = clock.monotonic();
  sim::Oracle::Trace trace;
  std::exception_ptr unprinted;  // nothing is thrown through the fibres of a simulation
  if (wanted.trace) {
    trace = [&unprinted](const std::string& line) {
      try {
        if (!unprinted) fmt::print("{}\n", line);
      } catch (const std::system_error&) {
        unprinted = std::current_exception();
      }
    };
  }
  Total total;
  for (std::uint64_t seed = wanted.first;; ++seed) {
    const sim::Report report = sim::simulate(sim::Options::expand(seed, wanted.plant), trace);
    if (unprinted) std::rethrow_exception(unprinted);
    print(report, wanted);
    ++total.seeds;
    total.jobs += report.jobs;
    total.events += report.steps;
    total.coverage.add(report.coverage);
    total.seconds = std::chrono::duration<double>(clock.monotonic() - begin).count();
    if (!report.violation.empty() && (++total.violations, !wanted.keep_going)) break;
    if (seed == wanted.last || (wanted.seconds > 0 && total.seconds >= static_cast<double>(wanted.seconds))) break;
    if (total.seeds % kSeedsPerLine == 0)
      fmt::print(stderr, "{} seeds up to {}, {:.0f} events/s\n", total.seeds, seed, total.events_per_s());
  }
  if (wanted.json)
    fmt::print("{}\n", total.document().dump());
  else
    total.print();
  if (total.violations != 0) return 1;
  if (const std::string slow = total.coverage.slow_doubts(); !slow.empty()) {
    fmt::print(stderr, "tandem-sim: {}\n", slow);
    return 1;
  }
  const std::size_t missed = wanted.require_coverage ? total.not_covered().size() : 0;
  if (missed != 0) fmt::print(stderr, "tandem-sim: {} transitions and faults did not occur in these seeds\n", missed);
  return missed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  hold_standard_streams();
  CLI::App app{
      "Runs the orchestrator under a seeded scheduler, on simulated machines that fail. The same seed gives the same "
      "history."};
  Wanted wanted;
  std::string seeds;
  std::string count_text;
  std::uint64_t count = 0;
  app.add_option("--seed,--seeds", seeds, "a seed, or the seeds A..B; default 1..2000")
      ->type_name("A[..B]")
      ->check([&](const std::string& text) { return read_seeds(text, wanted); });
  app.add_option("--count", count_text, "so many seeds from the first on")
      ->type_name("N")
      ->check([&](const std::string& text) {
        return read_number(text, count) && count > 0
                   ? std::string()
                   : fmt::format("expected a whole number from 1, not {}", quote(text));
      });
  std::string plant;
  app.add_option("--plant", plant, "a mistake that the simulation makes on purpose")
      ->check([&](const std::string& text) {
        const auto found = sim::find_plant(text);
        if (found) wanted.plant = *found;
        return found ? std::string() : fmt::format("expected {}", fmt::join(plant_names(), ", "));
      });
  std::string seconds;
  app.add_option("--seconds", seconds, "end after the seed that is under way then; 0: when all are done")
      ->type_name("N")
      ->check([&](const std::string& text) {
        return read_number(text, wanted.seconds)
                   ? std::string()
                   : fmt::format("expected a whole number of seconds, not {}", quote(text));
      });
  app.add_flag("--json", wanted.json, "a document for each seed, and one for all of them");
  app.add_flag("--keep-going", wanted.keep_going, "do not stop at the first seed with a violation");
  app.add_flag("--require-coverage", wanted.require_coverage,
               "exit with 1 when a transition or a fault that can occur did not");
  app.add_flag("--trace", wanted.trace, "print each change of a row and each fault as it happens");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help
    const Result<int> shown = run_printing([&]() -> Result<int> {
      std::ostringstream text;
      const int code = app.exit(success, text, text);
      fmt::print("{}", text.str());
      return code;
    });
    return shown ? *shown : report(shown.error());
  } catch (const CLI::ParseError& error) {
    return report(make_error(errors::kUsage, "{}", trim(error.what())));
  }
  if (count > 0) wanted.last = wanted.first + std::min(count - 1, UINT64_MAX - wanted.first);
  const Result<int> done = run_printing([&]() -> Result<int> { return run(wanted); });
  return done ? *done : report(done.error());
}

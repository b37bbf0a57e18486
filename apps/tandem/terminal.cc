#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

#include "cli.h"
#include "tandem/base/pause.h"
#include "tandem/base/text.h"

namespace tandem::app {
namespace {

constexpr std::size_t kColumnGap = 2;
constexpr std::size_t kYieldedMin = 6;  // columns that are left of a cell to recognise it by
constexpr std::chrono::milliseconds kTick{250};  // a person sees that it goes on

/// Of the terminal of a stream.
std::size_t columns_of_terminal(int stream) {
  constexpr std::size_t kUnknown = 80;
  winsize size{};
  return ioctl(stream, TIOCGWINSZ, &size) == 0 && size.ws_col != 0 ? size.ws_col : kUnknown;
}

/// Terminal columns of UTF-8 text, near enough for names: one a code point.
std::size_t columns(std::string_view text) {
  std::size_t out = 0;
  for (const char c : text) out += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
  return out;
}

/// Its first code points, and a sign that there are more.
std::string cut(std::string text, std::size_t width) {
  if (columns(text) <= width) return text;
  while (columns(text) >= width && !text.empty())
    text.pop_back();  // counted are first bytes, so it ends behind a last one
  return text + "…";
}

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return "-";
  if (found->is_string()) return found->get<std::string>();
  if (found->is_number_float()) return shortest(found->get<double>());
  return found->dump();
}

std::string percent(const Json& arm, const char* key) {
  const auto found = arm.find(key);
  return found == arm.end() || !found->is_number() ? "-" : fmt::format("{:.2f} %", 100 * found->get<double>());
}

/// Where an arm ran, and what that was.
std::string where(const Json& arm) {
  return text_of(arm, "backend") + (arm.value("emulated", false) ? " (emulated)" : "");
}

std::string bill_of(const Json& arm) {
  const std::int64_t billed = arm.value("billed_usd_micros", std::int64_t{0});
  return billed == 0 ? "-" : format_usd(billed) + (arm.value("emulated", false) ? " (emulated)" : "");
}

void print_arms(const Json& refinement) {
  const Json arms = refinement.value("arms", Json::array());
  if (arms.empty()) return;
  fmt::print(
      "\nThe core: {} of {} variables ({} fixed by proof, {} frozen because good solutions agree or the device is "
      "small)\n",
      text_of(refinement, "core_size"), text_of(refinement, "variables_before"), text_of(refinement, "fixed_exact"),
      text_of(refinement, "frozen"));
  std::vector<std::vector<std::string>> rows = {
      {"arm", "ran on", "samples", "regret", "at optimum", "95 % interval", "beats random", "billed"}};
  std::vector<std::string> reasons;
  for (const Json& arm : arms) {
    if (arm.value("status", "") != "done") {
      rows.push_back({text_of(arm, "arm"), where(arm), "-", arm.value("status", ""), "-", "-", "-", bill_of(arm)});
      reasons.push_back(fmt::format("  {} on {}: {}\n", text_of(arm, "arm"), where(arm), text_of(arm, "detail")));
      continue;
    }
    rows.push_back({text_of(arm, "arm"), where(arm), text_of(arm, "samples"),
                    arm.contains("regret") ? fmt::format("{:.4g}", arm["regret"].get<double>()) : "-",
                    percent(arm, "p_optimum"),
                    arm.contains("p_optimum")
                        ? fmt::format("{} .. {}", percent(arm, "p_optimum_low"), percent(arm, "p_optimum_high"))
                        : "-",
                    percent(arm, "rank"), bill_of(arm)});
  }
  print_table(rows);
  for (const std::string& reason : reasons) fmt::print("{}", reason);
}

void print_acceptance(const Json& acceptance) {
  const Json criteria = acceptance.value("criteria", Json::array());
  if (criteria.empty()) return;
  fmt::print("\nSuccess criteria: {}\n", acceptance.value("met", false) ? "all met" : "NOT all met");
  for (const Json& item : criteria) {
    fmt::print("  {} {}\n", item.value("met", false) ? "met    " : "NOT met", service::criterion_words(item));
  }
}

}  // namespace

void print_json(const Json& document) {
  // Names of files may be any bytes; where they are not UTF-8 a sign stands for them.
  fmt::print("{}\n", document.dump(2, ' ', false, Json::error_handler_t::replace));
}
void print_json_line(const Json& document) {
  fmt::print("{}\n", document.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void print_table(const std::vector<std::vector<std::string>>& rows, const std::vector<std::size_t>& yielding) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i]));
  }
  if (stdout_is_terminal()) {
    std::size_t line = kColumnGap * widths.size();  // the first gap is the margin
    for (const std::size_t width : widths) line += width;
    const std::size_t room = columns_of_terminal(STDOUT_FILENO) - 1;  // a full line would wrap on some terminals
    for (const std::size_t i : yielding) {
      const std::size_t least = std::max(kYieldedMin, columns(rows.front()[i]));
      const std::size_t yielded = std::min(line - std::min(line, room), widths[i] - std::min(widths[i], least));
      widths[i] -= yielded;
      line -= yielded;
    }
  }
  for (const auto& row : rows) {
    std::string line(kColumnGap, ' ');
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string cell = cut(row[i], widths[i]);
      line += cell;
      if (i + 1 < row.size()) line += std::string(widths[i] - columns(cell) + kColumnGap, ' ');
    }
    fmt::print("{}\n", line);
  }
}

bool stderr_is_terminal() { return isatty(STDERR_FILENO) == 1; }
bool for_machines(const Cli& cli) { return cli.json || !stdout_is_terminal(); }
bool stdout_is_terminal() { return isatty(STDOUT_FILENO) == 1; }

ProgressLine::ProgressLine(bool silent, std::optional<double> budget_ms, const Clock& clock, Executor& executor)
    : budget_ms_(budget_ms), clock_(clock), begin_(clock.monotonic()), enabled_(!silent && stderr_is_terminal()) {
  if (!enabled_) return;
  ticks_ = executor.start_loop("progress", [this, &executor](const std::stop_token& stop) {
    while (pause(executor, kTick, stop)) {
      const std::lock_guard lock(mutex_);
      draw();
    }
  });
}

ProgressLine::~ProgressLine() { end(); }

void ProgressLine::show(const engine::Progress& progress) {
  const std::lock_guard lock(mutex_);
  const engine::Progress before = std::exchange(last_, progress);
  if (!last_.objective) {  // an event knows none
    last_.objective = before.objective;
    last_.bound = before.bound;
  }
  if (progress.elapsed_ms > 0) {
    const std::chrono::duration<double, std::milli> elapsed(progress.elapsed_ms);
    begin_ = clock_.monotonic() + std::chrono::duration_cast<std::chrono::nanoseconds>(-elapsed);
  }
  draw();
}

void ProgressLine::draw() {
  if (!enabled_ || last_.step.empty()) return;
  last_.elapsed_ms = std::chrono::duration<double, std::milli>(clock_.monotonic() - begin_).count();
  // One column stays free: a full line would wrap on some terminals.
  std::string line = service::progress_line(last_, budget_ms_);
  for (const std::size_t room = columns_of_terminal(STDERR_FILENO) - 1; columns(line) > room;) line.pop_back();
  fmt::print(stderr, "\r\x1b[K{}", line);
  std::fflush(stderr);
}

void ProgressLine::end() {
  ticks_.reset();
  const std::lock_guard lock(mutex_);
  if (enabled_) fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  enabled_ = false;
}

void print_result(const Json& spec, const Json& result) {
  const std::string name = spec.value("name", "");
  if (!name.empty()) fmt::print("{}\n", name);
  const Json business = spec.value("business", Json::object());
  if (!business.value("objective", "").empty()) fmt::print("{}\n", business.value("objective", ""));
  if (result.contains("best") && result["best"].is_object()) {
    const Json& best = result["best"];
    const std::string proof = service::proof_words(best);
    fmt::print("\nBest: {}{}{}\n", text_of(best, "objective"), best.value("feasible", false) ? "" : "  NOT FEASIBLE",
               proof.empty() ? "" : "  (" + proof + ")");
    fmt::print("  found by {}{}\n", text_of(best, "source"),
               best.contains("time_to_best_ms") && best["time_to_best_ms"].is_number()
                   ? fmt::format(" after {}", format_duration(std::chrono::nanoseconds(static_cast<std::int64_t>(
                                                  1e6 * best["time_to_best_ms"].get<double>()))))
                   : "");
  }
  for (const Json& sentence : result.value("explanation", Json::array()))
    fmt::print("  {}\n", sentence.get<std::string>());
  print_arms(result.value("refinement", Json::object()));
  for (const Json& pub : result.value("pubs", Json::array())) fmt::print("  {}\n", pub.dump());
  for (const std::string& line : service::path_words(result)) fmt::print("  {}\n", line);
  fmt::print("\n");
  for (const std::string& line : service::confidence_words(result)) fmt::print("{}\n", line);
  print_acceptance(result.value("acceptance", Json::object()));
  const std::int64_t billed = result.value("billed_usd_micros", std::int64_t{0});
  const std::int64_t emulated = result.value("billed_emulated_usd_micros", std::int64_t{0});
  fmt::print(
      "\n{}  {}  {}  `tandem explain {}`\n", text_of(result, "job_id"),
      format_duration(std::chrono::nanoseconds(static_cast<std::int64_t>(1e6 * result.value("elapsed_ms", 0.0)))),
      billed == 0 ? "nothing billed"
                  : "billed " + format_usd(billed) +
                        (emulated == 0        ? ""
                         : emulated == billed ? " (emulated)"
                                              : ", of it " + format_usd(emulated) + " emulated"),
      text_of(result, "job_id"));
}

}  // namespace tandem::app

#include "tandem/lab/ionq/cloud.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>

#include "tandem/base/hash.h"
#include "tandem/base/rng.h"
#include "tandem/base/text.h"
#include "tandem/compute/noise/noise.h"
#include "tandem/compute/statevector/statevector.h"
#include "tandem/lab/provider/book.h"

namespace tandem::lab {
namespace {

constexpr std::array<std::string_view, 6> kStatusNames = {"submitted", "ready",  "started",
                                                          "completed", "failed", "canceled"};
/// Those that the vendor's text has for POST /jobs.
constexpr std::array<std::string_view, 5> kBackendNames = {"simulator", "qpu.aria-1", "qpu.aria-2", "qpu.forte-1",
                                                           "qpu.forte-enterprise-1"};
constexpr std::string_view kTokenMember = "tandem_token";  // what the book calls the token of a job
constexpr double kShareMin = 1e-14;  // smaller ones are rounding; 2^24 of them do not add up to 1e-6

/// Eight hexadecimal words of a UUID from a text.
std::string uuid_of(std::string_view text) {
  const std::string hex = sha256(text).hex();
  return fmt::format("{}-{}-7{}-8{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 3), hex.substr(15, 3),
                     hex.substr(18, 12));
}

/// Of the size that ion traps publish.
device::Calibration make_calibration(std::uint32_t qubits, Timestamp now) {
  device::Calibration out{.device = "emulated-ion-trap",
                          .taken_at = now,
                          .error_1q = 4e-4,
                          .error_2q = 8e-3,
                          .duration_1q_us = 130,
                          .duration_2q_us = 970,
                          .duration_readout_us = 250};
  out.qubits.assign(qubits, {.t1_us = 100e6, .t2_us = 1e6, .readout_p01 = 0.004, .readout_p10 = 0.006});
  out.id = out.content_id();
  return out;
}

std::uint64_t seed_of(std::uint64_t seed, const Json& body) {
  const Sha256 hash = sha256(fmt::format("{}\x1f{}", seed, canonical_json(body)));
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < 8; ++i) out |= std::uint64_t{hash.bytes[i]} << (8 * i);
  return out;
}

std::string token_of(const IonqSubmission& submission) {
  const Json token = submission.metadata.is_object() ? submission.metadata.value(kTokenMember, Json()) : Json();
  return token.is_string() ? token.get<std::string>() : "";
}

/// Without the measurements at its end.
Result<circuit::Circuit> unitary_part(const circuit::Circuit& circuit) {
  TANDEM_TRY_ASSIGN(circuit::Circuit out, circuit::Circuit::create(circuit.num_qubits(), 0));
  for (const circuit::Instruction& instruction : circuit.instructions()) {
    if (instruction.gate != circuit::Gate::kMeasure) TANDEM_TRY(out.append(instruction));
  }
  return out;
}

struct Outcome {
  std::shared_ptr<const Json> probabilities;
  std::shared_ptr<const Json> histogram;
};

struct StoredJob {
  IonqJob view;
  std::uint64_t seed = 0;
  std::stop_source stop;
};

}  // namespace

std::string_view to_string(IonqStatus status) { return kStatusNames[static_cast<std::size_t>(status)]; }

struct IonqCloud::State : std::enable_shared_from_this<State> {
  State(const IonqOptions& with, const Clock& its_clock, ProviderSeams borrowed)
      : options(with), clock(its_clock), seams(borrowed) {}

  IonqOptions options;
  const Clock& clock;
  ProviderSeams seams;
  device::Calibration calibration;
  std::vector<IonqBackend> backends;
  std::string origin;  ///< differs between books, so that no id ever names other work

  mutable std::mutex mutex;
  std::condition_variable changed;
  bool closed = false;
  bool busy = false;     ///< a job waits at the head or runs
  bool running = false;  ///< a job is being simulated
  std::optional<Book> book;
  std::map<std::string, std::shared_ptr<StoredJob>, std::less<>> jobs;  ///< by id
  std::vector<std::string> order;                                      ///< ids, oldest first; those removed stay
  std::set<std::string, std::less<>> removed;  ///< ids in the book; who ran then ended afterwards
  std::deque<std::shared_ptr<StoredJob>> queue;                        ///< not ended, the running one first
  std::unique_ptr<Timer> head_timer;

  Result<void> restore(std::vector<Json> lines);
  Result<void> restore_line(const Json& line);
  Result<void> restore_accepted(const ObjectReader& reader);
  Result<void> restore_ended(const ObjectReader& reader);
  void begin(Timestamp opened_at);
  void start_next();
  void run_head();
  Result<Outcome> simulate(const StoredJob& job) const;
  void end(StoredJob& job, IonqStatus status, std::string failure, job::Money billed, Outcome outcome);
  IonqJob view_of(const StoredJob& job) const;
};

void IonqCloud::State::begin(Timestamp opened_at) {
  calibration = make_calibration(options.qubits, opened_at);
  origin = fmt::format("{}\x1f{}", opened_at.micros, options.seed);
  for (const std::string_view name : kBackendNames) {
    const bool simulator = name == "simulator";
    backends.push_back({.name = std::string(name),
                        .simulator = simulator,
                        .characterization_id = simulator ? "" : uuid_of(fmt::format("{}\x1f{}", origin, name))});
  }
}

Result<void> IonqCloud::State::restore(std::vector<Json> lines) {
  if (lines.empty()) {
    const Timestamp now = clock.now();
    begin(now);
    return book->append(
        {{"line", "opened"}, {"at", format_rfc3339(now)}, {"seed", options.seed}, {"qubits", options.qubits}});
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    auto restored = restore_line(lines[i]);
    if (restored) continue;
    if (restored.error().number == errors::kValueOutOfRange && i == 0) return restored;
    return fail_at(fmt::format("{}, entry {}", options.book, i + 1), errors::kStoreDamaged,
                   "the book cannot be read: {}; move it away to start a new one", restored.error().to_string());
  }
  for (const std::string& id : order) {
    const auto found = jobs.find(id);
    if (found != jobs.end() && !found->second->view.has_ended()) queue.push_back(found->second);
  }
  return {};
}

Result<void> IonqCloud::State::restore_line(const Json& line) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(line, ""));
  TANDEM_TRY_ASSIGN(const std::string kind, reader.string("line"));
  if (kind == "accepted") return restore_accepted(reader);
  if (kind == "ended") return restore_ended(reader);
  if (kind == "removed") {
    TANDEM_TRY_ASSIGN(const std::string id, reader.string("id"));
    jobs.erase(id);
    removed.insert(id);
    return {};
  }
  if (kind != "opened") return fail(errors::kStoreDamaged, "'{}' is no kind of line", kind);
  TANDEM_TRY_ASSIGN(const std::string at, reader.string("at"));
  TANDEM_TRY_ASSIGN(const Timestamp opened_at, parse_rfc3339(at));
  const Json* seed = reader.find("seed");
  const Json* qubits = reader.find("qubits");
  if (seed == nullptr || *seed != options.seed || qubits == nullptr || *qubits != options.qubits) {
    return fail(errors::kValueOutOfRange,
                "the book {} is of an emulator with {} qubits and seed {}, asked for are {} and {}; use another book",
                options.book, qubits == nullptr ? "?" : qubits->dump(), seed == nullptr ? "?" : seed->dump(),
                options.qubits, options.seed);
  }
  begin(opened_at);
  return {};
}

Result<void> IonqCloud::State::restore_accepted(const ObjectReader& reader) {
  auto job = std::make_shared<StoredJob>();
  TANDEM_TRY_ASSIGN(job->view.id, reader.string("id"));
  TANDEM_TRY_ASSIGN(const std::string agent, reader.string_or("user_agent", ""));
  TANDEM_TRY(reader.object("body"));
  auto submission = parse_ionq_submission(*reader.find("body"), agent, options.qubits);
  if (!submission) return fail(errors::kStoreDamaged, "{}", submission.error().message);
  job->view.submission = *std::move(submission);
  job->seed = seed_of(options.seed, *reader.find("body"));
  TANDEM_TRY_ASSIGN(job->view.price.usd_micros, reader.integer("billed_usd_micros", 0, INT64_MAX));
  TANDEM_TRY_ASSIGN(const std::string at, reader.string("at"));
  TANDEM_TRY_ASSIGN(job->view.submitted_at, parse_rfc3339(at));
  if (!jobs.emplace(job->view.id, job).second) return fail(errors::kStoreDamaged, "job {} stands twice", job->view.id);
  order.push_back(job->view.id);
  return {};
}

Result<void> IonqCloud::State::restore_ended(const ObjectReader& reader) {
  TANDEM_TRY_ASSIGN(const std::string id, reader.string("id"));
  if (removed.contains(id)) return {};
  const auto found = jobs.find(id);
  if (found == jobs.end()) return fail(errors::kStoreDamaged, "job {} ended but was never accepted", id);
  IonqJob& view = found->second->view;
  TANDEM_TRY_ASSIGN(const std::string status, reader.string("status"));
  const auto known = std::find(kStatusNames.begin(), kStatusNames.end(), status);
  if (known == kStatusNames.end()) return fail(errors::kStoreDamaged, "'{}' is no status", status);
  view.status = static_cast<IonqStatus>(known - kStatusNames.begin());
  TANDEM_TRY_ASSIGN(view.billed.usd_micros, reader.integer("billed_usd_micros", 0, INT64_MAX));
  TANDEM_TRY_ASSIGN(view.failure, reader.string_or("error", ""));
  TANDEM_TRY_ASSIGN(const std::string at, reader.string("at"));
  TANDEM_TRY_ASSIGN(view.ended_at, parse_rfc3339(at));
  if (reader.has("probabilities")) view.probabilities = std::make_shared<const Json>(*reader.find("probabilities"));
  if (reader.has("histogram")) view.histogram = std::make_shared<const Json>(*reader.find("histogram"));
  return {};
}

/// Call with the mutex held.
void IonqCloud::State::start_next() {
  if (closed || busy || queue.empty()) return;
  busy = true;
  queue.front()->view.status = IonqStatus::kReady;
  head_timer = seams.executor.post_after(options.queue_time, [self = shared_from_this()] {
    const std::lock_guard lock(self->mutex);
    if (!self->closed) self->seams.executor.post([self] { self->run_head(); });
  });
}

void IonqCloud::State::run_head() {
  std::shared_ptr<StoredJob> job;
  {
    const std::lock_guard lock(mutex);
    if (closed) return;
    if (queue.empty()) {  // it was cancelled meanwhile
      busy = false;
      return;
    }
    job = queue.front();
    job->view.status = IonqStatus::kStarted;
    job->view.started_at = clock.now();
    running = true;
  }
  auto outcome = simulate(*job);
  const std::lock_guard lock(mutex);
  running = false;
  if (!closed) {  // else it runs again after the next start, with the same outcome
    queue.pop_front();
    if (outcome) {
      end(*job, IonqStatus::kCompleted, "", job->view.price, *std::move(outcome));
    } else {
      const bool cancelled = outcome.error().number == errors::kCancelled;
      end(*job, cancelled ? IonqStatus::kCanceled : IonqStatus::kFailed, outcome.error().message, job->view.price, {});
    }
    busy = false;
    start_next();
  }
  changed.notify_all();
}

Result<Outcome> IonqCloud::State::simulate(const StoredJob& job) const {
  const IonqSubmission& asked = job.view.submission;
  Json shares = Json::object();
  if (asked.noise_model == "ideal") {
    TANDEM_TRY_ASSIGN(auto state, statevector::StateVector::create(asked.circuit.num_qubits(), options.memory_bytes_max,
                                                                   seams.executor));
    TANDEM_TRY_ASSIGN(const circuit::Circuit unitary, unitary_part(asked.circuit));
    TANDEM_TRY(state.apply(unitary, {}, job.stop.get_token()));
    for (std::uint64_t index = 0; index < std::uint64_t{1} << asked.circuit.num_qubits(); ++index) {
      const double share = std::norm(state.amplitude(index));
      if (share > kShareMin) shares[std::to_string(index)] = share;
    }
    return Outcome{.probabilities = std::make_shared<const Json>(std::move(shares)), .histogram = nullptr};
  }
  const noise::NoiseOptions with{.seed = job.seed,
                                 .memory_bytes_max = options.memory_bytes_max,
                                 .amplitude_updates_max = options.amplitude_updates_max};
  TANDEM_TRY_ASSIGN(const noise::NoisyCounts noisy, noise::sample(asked.circuit, {}, asked.shots, calibration, with,
                                                                  job.stop.get_token(), seams.executor));
  Json histogram = Json::object();
  for (std::size_t i = 0; i < noisy.counts.size(); ++i) {
    const std::string outcome = std::to_string(noisy.counts.outcome(i)[0]);  // bit i is qubit i: measure_all()
    histogram[outcome] = noisy.counts.count(i);
    shares[outcome] = static_cast<double>(noisy.counts.count(i)) / static_cast<double>(asked.shots);
  }
  return Outcome{.probabilities = std::make_shared<const Json>(std::move(shares)),
                 .histogram = std::make_shared<const Json>(std::move(histogram))};
}

/// Call with the mutex held. What the book does not take did not happen: the job then stays as it is.
void IonqCloud::State::end(StoredJob& job, IonqStatus status, std::string failure, job::Money billed, Outcome outcome) {
  const Timestamp now = clock.now();
  Json line = {{"line", "ended"},
               {"at", format_rfc3339(now)},
               {"id", job.view.id},
               {"token", token_of(job.view.submission)},
               {"status", to_string(status)},
               {"billed_usd_micros", billed.usd_micros},
               {"error", failure},
               {"probabilities", outcome.probabilities ? *outcome.probabilities : Json()},
               {"histogram", outcome.histogram ? *outcome.histogram : Json()}};
  if (const auto written = book->append(line); !written) {
    seams.log.write(LogLevel::kError, "lab.book_failed", {{"error", written.error().to_string()}});
    return;
  }
  job.view.status = status;
  job.view.failure = std::move(failure);
  job.view.billed = billed;
  job.view.ended_at = now;
  job.view.probabilities = std::move(outcome.probabilities);
  job.view.histogram = std::move(outcome.histogram);
}

/// Call with the mutex held.
IonqJob IonqCloud::State::view_of(const StoredJob& job) const {
  IonqJob out = job.view;
  const auto place = std::find_if(queue.begin(), queue.end(), [&](const auto& one) { return one.get() == &job; });
  out.queue_position = static_cast<std::size_t>(place - queue.begin());
  return out;
}

IonqCloud::IonqCloud(std::shared_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<IonqCloud>> IonqCloud::open(const IonqOptions& options, const Clock& clock,
                                                   ProviderSeams seams) {
  if (options.qubits < 1 || options.qubits > IonqOptions::kQubitsMax) {
    return fail(errors::kValueOutOfRange, "backends of {} qubits; the emulator simulates 1 to {}", options.qubits,
                IonqOptions::kQubitsMax);
  }
  constexpr std::int64_t kPriceMax = 1'000'000'000;
  for (const job::Money price :
       {options.prices.job_minimum, options.prices.per_1q_gate_shot, options.prices.per_2q_gate_shot}) {
    if (price.usd_micros >= 0 && price.usd_micros <= kPriceMax) continue;
    return fail(errors::kValueOutOfRange, "a price of {}; the emulator takes $0 to {}", format_usd(price.usd_micros),
                format_usd(kPriceMax));
  }
  auto state = std::make_shared<State>(options, clock, seams);
  TANDEM_TRY_ASSIGN(Book book, Book::open(seams.fs, options.book));
  state->book = std::move(book);
  const std::lock_guard lock(state->mutex);
  TANDEM_TRY(state->restore(state->book->take_lines()));
  state->start_next();
  return std::unique_ptr<IonqCloud>(new IonqCloud(state));
}

IonqCloud::~IonqCloud() {
  std::unique_ptr<Timer> timer;  // ends after the lock: a timer that fires just now takes it
  std::unique_lock lock(state_->mutex);
  state_->closed = true;
  timer = std::move(state_->head_timer);
  for (const auto& job : state_->queue) job->stop.request_stop();
  state_->changed.wait(lock, [&] { return !state_->running; });
  state_->book.reset();  // the next emulator must not wait for a task that keeps the state for a moment
  lock.unlock();
}

std::span<const IonqBackend> IonqCloud::backends() const { return state_->backends; }
const IonqBackend* IonqCloud::find_backend(std::string_view name) const {
  const auto found = std::find_if(state_->backends.begin(), state_->backends.end(),
                                  [&](const IonqBackend& one) { return one.name == name; });
  return found == state_->backends.end() ? nullptr : &*found;
}
const device::Calibration& IonqCloud::calibration() const { return state_->calibration; }

std::size_t IonqCloud::queue_depth() const {
  const std::lock_guard lock(state_->mutex);
  return state_->queue.size();
}

job::Money IonqCloud::price(bool simulator, std::uint64_t shots, std::uint64_t gates_1q, std::uint64_t gates_2q) const {
  if (simulator) return {};
  const IonqPrices& prices = state_->options.prices;
  const double of_gates = static_cast<double>(shots) *
                          (static_cast<double>(gates_1q) * static_cast<double>(prices.per_1q_gate_shot.usd_micros) +
                           static_cast<double>(gates_2q) * static_cast<double>(prices.per_2q_gate_shot.usd_micros));
  constexpr double kMost = 1e15;  // a billion dollars
  return job::Money{std::max(prices.job_minimum.usd_micros, static_cast<std::int64_t>(std::min(of_gates, kMost)))};
}

Result<IonqJob> IonqCloud::accept(IonqSubmission submission, const Json& body, std::string_view user_agent) {
  auto job = std::make_shared<StoredJob>();
  job->view.submission = std::move(submission);
  const IonqSubmission& asked = job->view.submission;
  job->view.submitted_at = state_->clock.now();
  job->view.price = price(!asked.noise_model.empty(), asked.shots, asked.gates_1q, asked.gates_2q);
  job->seed = seed_of(state_->options.seed, body);

  const std::lock_guard lock(state_->mutex);
  if (state_->queue.size() >= state_->options.queue_max) {
    return fail(errors::kServerOverloaded, "{} jobs are queued, the limit is {}; try again later", state_->queue.size(),
                state_->options.queue_max);
  }
  job->view.id = uuid_of(fmt::format("{}\x1f{}", state_->origin, state_->order.size()));
  TANDEM_TRY(state_->book->append({{"line", "accepted"},
                                   {"at", format_rfc3339(job->view.submitted_at)},
                                   {"id", job->view.id},
                                   {"token", token_of(asked)},
                                   {"shots", asked.shots},
                                   {"billed_usd_micros", job->view.price.usd_micros},
                                   {"user_agent", user_agent},
                                   {"body", body}}));
  state_->jobs.emplace(job->view.id, job);
  state_->order.push_back(job->view.id);
  state_->queue.push_back(job);
  state_->start_next();
  return state_->view_of(*job);
}

std::optional<IonqJob> IonqCloud::find(std::string_view id) const {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->jobs.find(id);
  if (found == state_->jobs.end()) return std::nullopt;
  return state_->view_of(*found->second);
}

std::vector<IonqJob> IonqCloud::list(const IonqFilter& filter, std::string_view after, std::size_t limit,
                                     bool& more) const {
  const std::lock_guard lock(state_->mutex);
  const auto takes = [](const auto& allowed, const std::string& one) {
    return allowed.empty() || std::find(allowed.begin(), allowed.end(), one) != allowed.end();
  };
  std::vector<IonqJob> out;
  more = false;
  bool begun = after.empty();
  for (auto id = state_->order.rbegin(); id != state_->order.rend(); ++id) {
    const bool here = begun;
    begun = begun || *id == after;
    if (!here) continue;
    const auto found = state_->jobs.find(*id);
    if (found == state_->jobs.end()) continue;
    const IonqJob& job = found->second->view;
    if (!takes(filter.ids, job.id) || !takes(filter.targets, job.submission.backend)) continue;
    if (!filter.status.empty() && filter.status != to_string(job.status)) continue;
    if (out.size() == limit) {
      more = true;
      break;
    }
    out.push_back(state_->view_of(*found->second));
  }
  return out;
}

IonqCancel IonqCloud::cancel(std::string_view id) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->jobs.find(id);
  if (found == state_->jobs.end()) return IonqCancel::kUnknown;
  StoredJob& job = *found->second;
  if (job.view.has_ended()) return IonqCancel::kEnded;
  job.stop.request_stop();
  if (job.view.status == IonqStatus::kStarted) return IonqCancel::kCanceled;
  std::erase(state_->queue, found->second);
  state_->end(job, IonqStatus::kCanceled, "", job::Money{}, {});
  return IonqCancel::kCanceled;
}

Result<bool> IonqCloud::remove(std::string_view id) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->jobs.find(id);
  if (found == state_->jobs.end()) return false;
  if (!found->second->view.has_ended() && found->second->view.status != IonqStatus::kStarted) {
    std::erase(state_->queue, found->second);
    state_->end(*found->second, IonqStatus::kCanceled, "", job::Money{}, {});
  }
  TANDEM_TRY(state_->book->append({{"line", "removed"}, {"at", format_rfc3339(state_->clock.now())}, {"id", id}}));
  state_->jobs.erase(found);
  return true;
}

}  // namespace tandem::lab

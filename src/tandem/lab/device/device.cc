#include "tandem/lab/device/device.h"

#include <condition_variable>
#include <deque>
#include <mutex>

#include "tandem/base/assert.h"
#include "tandem/base/hash.h"
#include "tandem/base/rng.h"
#include "tandem/base/text.h"
#include "tandem/compute/noise/noise.h"
#include "tandem/compute/statevector/pauli_basis.h"
#include "tandem/lab/device/results.h"
#include "tandem/lab/provider/book.h"

namespace tandem::lab {
namespace {

constexpr std::array<std::string_view, 5> kStatusNames = {"queued", "running", "succeeded", "failed", "cancelled"};

/// Of the size that superconducting devices publish, each qubit a little different.
device::Calibration make_calibration(std::uint32_t qubits, std::uint64_t seed, Timestamp now) {
  Xoshiro256 rng(derive_seed(seed, 0));
  const auto between = [&](double low, double high) { return low + (high - low) * rng.uniform(); };
  device::Calibration out{.device = fmt::format("lab.device-{}", qubits),
                          .taken_at = now,
                          .error_1q = 2e-4,
                          .error_2q = 3e-3,
                          .duration_1q_us = 0.03,
                          .duration_2q_us = 0.2,
                          .duration_readout_us = 1.2};
  for (std::uint32_t i = 0; i < qubits; ++i) {
    const double t1 = between(80, 250);
    out.qubits.push_back({.t1_us = t1,
                          .t2_us = between(0.5, 1.5) * t1,
                          .readout_p01 = between(0.003, 0.012),
                          .readout_p10 = between(0.008, 0.025)});
  }
  out.id = out.content_id();
  return out;
}

std::uint64_t job_seed(std::uint64_t seed, std::string_view token) {
  const Sha256 hash = sha256(fmt::format("{}\x1f{}", seed, token));
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < 8; ++i) out |= std::uint64_t{hash.bytes[i]} << (8 * i);
  return out;
}

Result<void> check_options(const DeviceOptions& options) {
  if (options.qubits < 1 || options.qubits > DeviceOptions::kQubitsMax) {
    return fail(errors::kValueOutOfRange, "a device of {} qubits; the emulator simulates 1 to {}", options.qubits,
                DeviceOptions::kQubitsMax);
  }
  constexpr std::int64_t kPriceMax = 1'000'000'000;  // $1000 a shot
  for (const job::Money price : {options.price_per_job, options.price_per_shot}) {
    if (price.usd_micros >= 0 && price.usd_micros <= kPriceMax) continue;
    return fail(errors::kValueOutOfRange, "a price of {}; the emulator takes $0 to {}", format_usd(price.usd_micros),
                format_usd(kPriceMax));
  }
  if (options.shots_max < 1 || options.shots_max > circuit::Pub::kShotsMax) {
    return fail(errors::kValueOutOfRange, "a limit of {} shots; the emulator takes 1 to {}", options.shots_max,
                circuit::Pub::kShotsMax);
  }
  return {};
}

}  // namespace

std::string_view to_string(JobStatus status) { return kStatusNames[static_cast<std::size_t>(status)]; }

Result<std::uint64_t> billed_shots(const circuit::Pub& pub, std::uint32_t qubits) {
  TANDEM_TRY(pub.check());
  if (pub.circuit.num_qubits() > qubits) {
    return fail(errors::kTooManyQubits, "the circuit has {} qubits; this device has {}", pub.circuit.num_qubits(),
                qubits);
  }
  bool measures = false;
  for (const circuit::Instruction& instruction : pub.circuit.instructions()) {
    measures = measures || instruction.gate == circuit::Gate::kMeasure;
    if (circuit::gate_record(instruction.gate).num_qubits > 2) {
      return fail(errors::kBackendCannot, "this device has no gate '{}'", circuit::gate_record(instruction.gate).name);
    }
  }
  if (!pub.circuit.measurements_are_terminal()) {
    return fail(errors::kBackendCannot, "this device measures at the end only and does not reset");
  }
  if (measures != pub.observables.empty()) {
    return fail(errors::kBackendCannot, "measure in the circuit or give observables, one of the two");
  }
  std::uint64_t shots = pub.observables.empty() ? pub.shots : 0;
  for (const observable::PauliSum& observable : pub.observables) {
    const statevector::PauliBases bases = statevector::group_qubit_wise(observable);
    TANDEM_TRY_ASSIGN(const std::uint64_t each, statevector::shots_per_basis(bases, pub));
    shots += each * bases.bases.size();
  }
  if (shots == 0) return fail(errors::kBackendCannot, "a PUB without shots; this device measures, nothing is exact");
  return shots * pub.num_bindings();
}

/// A job and what only the device knows of it.
struct StoredJob {
  DeviceJob view;
  std::vector<circuit::Pub> pubs;
  std::stop_source stop;
};

struct Device::State : std::enable_shared_from_this<State> {
  State(const DeviceOptions& with, ProviderSeams borrowed) : options(with), seams(borrowed) {}

  DeviceOptions options;
  ProviderSeams seams;
  device::Calibration calibration;
  std::string handles;  ///< how ids begin; differs between books, so that no handle ever names other work

  mutable std::mutex mutex;
  std::condition_variable changed;
  bool closed = false;
  bool busy = false;     ///< a job waits at the head or runs
  bool running = false;  ///< a job is being simulated
  std::optional<Book> book;
  std::map<std::string, std::shared_ptr<StoredJob>, std::less<>> jobs;  ///< by id; ids ascend
  std::deque<std::shared_ptr<StoredJob>> queue;                        ///< not ended, the running one first
  std::unique_ptr<Timer> head_timer;

  Result<void> restore(std::vector<Json> lines);
  Result<void> restore_line(const Json& line);
  Result<void> restore_accepted(const ObjectReader& reader);
  Result<void> restore_ended(const ObjectReader& reader);
  void start_next();
  void run_head();
  Result<Json> simulate(const StoredJob& job);
  void end(StoredJob& job, JobStatus status, std::string error, std::shared_ptr<const Json> pubs);
};

Result<void> Device::State::restore(std::vector<Json> lines) {
  if (lines.empty()) {
    calibration = make_calibration(options.qubits, options.seed, seams.clock.now());
    const std::string origin = fmt::format("{}\x1f{}", calibration.taken_at.micros, options.seed);
    handles = fmt::format("dev_{}_", sha256(origin).hex().substr(0, 8));
    return book->append({{"line", "opened"},
                         {"at", format_rfc3339(calibration.taken_at)},
                         {"seed", options.seed},
                         {"qubits", options.qubits},
                         {"handles", handles},
                         {"calibration", calibration.document()}});
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    auto restored = restore_line(lines[i]);
    if (restored) continue;
    if (restored.error().number == errors::kValueOutOfRange && i == 0) return restored;
    return fail_at(fmt::format("{}, entry {}", options.book, i + 1), errors::kStoreDamaged,
                   "the book cannot be read: {}; move it away to start a new one", restored.error().to_string());
  }
  for (const auto& [id, job] : jobs) {
    if (!job->view.ended_at) queue.push_back(job);
  }
  return {};
}

Result<void> Device::State::restore_line(const Json& line) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(line, ""));
  TANDEM_TRY_ASSIGN(const std::string kind, reader.string("line"));
  if (kind == "accepted") return restore_accepted(reader);
  if (kind == "ended") return restore_ended(reader);
  if (kind != "opened") return fail(errors::kStoreDamaged, "'{}' is no kind of line", kind);
  TANDEM_TRY(reader.object("calibration"));
  TANDEM_TRY_ASSIGN(calibration, device::Calibration::parse(*reader.find("calibration"), "/calibration"));
  TANDEM_TRY_ASSIGN(handles, reader.string_or("handles", "dev_"));  // books of older versions do not say it
  const Json* seed = reader.find("seed");
  if (seed == nullptr || *seed != options.seed || calibration.qubits.size() != options.qubits) {
    return fail(errors::kValueOutOfRange,
                "the book {} is of a device with {} qubits and seed {}, asked for are {} and {}; use another book",
                options.book, calibration.qubits.size(), seed == nullptr ? "?" : seed->dump(), options.qubits,
                options.seed);
  }
  return {};
}

Result<void> Device::State::restore_accepted(const ObjectReader& reader) {
  auto job = std::make_shared<StoredJob>();
  TANDEM_TRY_ASSIGN(job->view.id, reader.string("id"));
  TANDEM_TRY_ASSIGN(job->view.token, reader.string("token"));
  TANDEM_TRY_ASSIGN(const std::int64_t shots, reader.integer("shots", 0, INT64_MAX));
  job->view.shots = static_cast<std::uint64_t>(shots);
  TANDEM_TRY_ASSIGN(job->view.billed.usd_micros, reader.integer("billed_usd_micros", 0, INT64_MAX));
  TANDEM_TRY_ASSIGN(const std::string at, reader.string("at"));
  TANDEM_TRY_ASSIGN(job->view.accepted_at, parse_rfc3339(at));
  TANDEM_TRY_ASSIGN(const Json* pubs, reader.array("pubs"));
  for (const Json& pub : *pubs) {
    TANDEM_TRY_ASSIGN(circuit::Pub parsed, circuit::Pub::parse(pub, "/pubs"));
    job->pubs.push_back(std::move(parsed));
  }
  if (!jobs.emplace(job->view.id, job).second) return fail(errors::kStoreDamaged, "job {} stands twice", job->view.id);
  return {};
}

Result<void> Device::State::restore_ended(const ObjectReader& reader) {
  TANDEM_TRY_ASSIGN(const std::string id, reader.string("id"));
  const auto found = jobs.find(id);
  if (found == jobs.end()) return fail(errors::kStoreDamaged, "job {} ended but was never accepted", id);
  DeviceJob& view = found->second->view;
  TANDEM_TRY_ASSIGN(const std::string status, reader.string("status"));
  const auto known = std::find(kStatusNames.begin(), kStatusNames.end(), status);
  if (known == kStatusNames.end()) return fail(errors::kStoreDamaged, "'{}' is no status", status);
  view.status = static_cast<JobStatus>(known - kStatusNames.begin());
  TANDEM_TRY_ASSIGN(view.billed.usd_micros, reader.integer("billed_usd_micros", 0, INT64_MAX));
  TANDEM_TRY_ASSIGN(view.error, reader.string_or("error", ""));
  TANDEM_TRY_ASSIGN(const std::string at, reader.string("at"));
  TANDEM_TRY_ASSIGN(view.ended_at, parse_rfc3339(at));
  if (reader.has("result")) view.pubs = std::make_shared<const Json>(*reader.find("result"));
  found->second->pubs.clear();
  return {};
}

/// Call with the mutex held.
void Device::State::start_next() {
  if (closed || busy || queue.empty()) return;
  busy = true;
  head_timer = seams.executor.post_after(options.queue_time, [self = shared_from_this()] {
    const std::lock_guard lock(self->mutex);
    if (!self->closed) self->seams.executor.post([self] { self->run_head(); });
  });
}

void Device::State::run_head() {
  std::shared_ptr<StoredJob> job;
  {
    const std::lock_guard lock(mutex);
    if (closed) return;
    if (queue.empty()) {  // it was cancelled meanwhile
      busy = false;
      return;
    }
    job = queue.front();
    job->view.status = JobStatus::kRunning;
    running = true;
  }
  Result<Json> pubs = simulate(*job);
  const std::lock_guard lock(mutex);
  running = false;
  if (!closed) {  // else it runs again after the next start, with the same outcome
    queue.pop_front();
    if (pubs) {
      end(*job, JobStatus::kSucceeded, "", std::make_shared<const Json>(*std::move(pubs)));
    } else {
      const bool cancelled = pubs.error().number == errors::kCancelled;
      end(*job, cancelled ? JobStatus::kCancelled : JobStatus::kFailed, pubs.error().message, nullptr);
    }
    busy = false;
    start_next();
  }
  changed.notify_all();
}

Result<Json> Device::State::simulate(const StoredJob& job) {
  Json out = Json::array();
  const std::uint64_t seed = job_seed(options.seed, job.view.token);
  for (std::size_t i = 0; i < job.pubs.size(); ++i) {
    const noise::NoiseOptions with{.seed = derive_seed(seed, i),
                                   .memory_bytes_max = options.memory_bytes_max,
                                   .amplitude_updates_max = options.amplitude_updates_max};
    TANDEM_TRY_ASSIGN(const result::PubResult result,
                      noise::run(job.pubs[i], calibration, with, job.stop.get_token(), seams.executor));
    out.push_back(pub_document(result));
  }
  return out;
}

/// Call with the mutex held. What the book does not take did not happen: the job then stays as it is.
void Device::State::end(StoredJob& job, JobStatus status, std::string error, std::shared_ptr<const Json> pubs) {
  const Timestamp now = seams.clock.now();
  Json line = {
      {"line", "ended"},         {"at", format_rfc3339(now)},      {"id", job.view.id},
      {"token", job.view.token}, {"status", to_string(status)},    {"billed_usd_micros", job.view.billed.usd_micros},
      {"error", error},          {"result", pubs ? *pubs : Json()}};
  if (const auto written = book->append(line); !written) {
    seams.log.write(LogLevel::kError, "lab.book_failed", {{"error", written.error().to_string()}});
    return;
  }
  job.view.status = status;
  job.view.error = std::move(error);
  job.view.ended_at = now;
  job.view.pubs = std::move(pubs);
  job.pubs.clear();
}

Device::Device(std::shared_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<Device>> Device::open(const DeviceOptions& options, ProviderSeams seams) {
  TANDEM_TRY(check_options(options));
  auto state = std::make_shared<State>(options, seams);
  TANDEM_TRY_ASSIGN(Book book, Book::open(seams.fs, options.book));
  state->book = std::move(book);
  const std::lock_guard lock(state->mutex);
  TANDEM_TRY(state->restore(state->book->take_lines()));
  state->start_next();
  return std::unique_ptr<Device>(new Device(state));
}

Device::~Device() {
  std::unique_ptr<Timer> timer;  // ends after the lock: a timer that fires just now takes it
  std::unique_lock lock(state_->mutex);
  state_->closed = true;
  timer = std::move(state_->head_timer);
  for (const auto& job : state_->queue) job->stop.request_stop();
  state_->changed.wait(lock, [&] { return !state_->running; });
  state_->book
      .reset();  // a task that ends just now may keep the state for a moment; the next device must not wait for that
  lock.unlock();
}

const device::Calibration& Device::calibration() const { return state_->calibration; }

device::Target Device::target() const {
  device::Target out{.device = state_->calibration.device,
                     .num_qubits = state_->options.qubits,
                     .shots_max = state_->options.shots_max};
  for (const circuit::GateRecord& record : circuit::gate_table()) {
    const bool here =
        record.gate == circuit::Gate::kMeasure || ((record.flags & circuit::kUnitary) != 0 && record.num_qubits <= 2);
    if (here) out.gates.push_back(record.gate);
  }
  return out;
}

std::size_t Device::queue_depth() const {
  const std::lock_guard lock(state_->mutex);
  return state_->queue.size();
}

Result<DeviceJob> Device::accept(std::string token, std::vector<circuit::Pub> pubs) {
  const DeviceOptions& options = state_->options;
  auto job = std::make_shared<StoredJob>();
  Json documents = Json::array();
  for (const circuit::Pub& pub : pubs) {
    TANDEM_TRY_ASSIGN(const std::uint64_t shots, billed_shots(pub, options.qubits));
    job->view.shots += shots;
    documents.push_back(pub.document());
  }
  if (job->view.shots > options.shots_max) {
    return fail(errors::kBackendCannot, "{} shots over all PUBs, bindings and bases; this device allows {} a job",
                job->view.shots, options.shots_max);
  }
  job->view.token = std::move(token);
  job->view.accepted_at = state_->seams.clock.now();
  job->view.billed = options.price_per_job +
                     job::Money{options.price_per_shot.usd_micros * static_cast<std::int64_t>(job->view.shots)};
  job->pubs = std::move(pubs);

  const std::lock_guard lock(state_->mutex);
  if (state_->queue.size() >= options.queue_max) {
    return fail(errors::kServerOverloaded, "{} jobs are queued, the limit is {}; try again later", state_->queue.size(),
                options.queue_max);
  }
  job->view.id = fmt::format("{}{:08}", state_->handles, state_->jobs.size() + 1);
  job->view.queue_position = state_->queue.size();
  TANDEM_TRY(state_->book->append({{"line", "accepted"},
                                   {"at", format_rfc3339(job->view.accepted_at)},
                                   {"id", job->view.id},
                                   {"token", job->view.token},
                                   {"shots", job->view.shots},
                                   {"billed_usd_micros", job->view.billed.usd_micros},
                                   {"pubs", std::move(documents)}}));
  state_->jobs.emplace(job->view.id, job);
  state_->queue.push_back(job);
  state_->start_next();
  return job->view;
}

std::optional<DeviceJob> Device::find(std::string_view id) const {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->jobs.find(id);
  if (found == state_->jobs.end()) return std::nullopt;
  DeviceJob out = found->second->view;
  const auto place = std::find(state_->queue.begin(), state_->queue.end(), found->second);
  out.queue_position = static_cast<std::size_t>(place - state_->queue.begin());
  return out;
}

std::vector<DeviceJob> Device::find_token(std::string_view token) const {
  const std::lock_guard lock(state_->mutex);
  std::vector<DeviceJob> out;
  for (const auto& [id, job] : state_->jobs)
    if (job->view.token == token) out.push_back(job->view);
  return out;
}

CancelOutcome Device::cancel(std::string_view id) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->jobs.find(id);
  if (found == state_->jobs.end()) return CancelOutcome::kUnknown;
  StoredJob& job = *found->second;
  if (job.view.ended_at) return CancelOutcome::kEnded;
  job.stop.request_stop();
  if (job.view.status == JobStatus::kRunning) return CancelOutcome::kAsked;
  std::erase(state_->queue, found->second);
  job.view.billed = state_->options.price_per_job;
  state_->end(job, JobStatus::kCancelled, "cancelled while it was queued", nullptr);
  return CancelOutcome::kCancelled;
}

}  // namespace tandem::lab

// The API over loopback, with a client of the bench's own on one thread: POST and GET of jobs, and event streams.
//
// Goals: durable POST /v1/jobs on SQLite from 64 connections with workers completing the jobs >= 6,000/s and p99 <= 25 ms, with no
// workers >= 10,000/s, one connection p50 <= 1 ms; GET of a job >= 20,000/s; 10,000 event streams in <= 200 MiB with the fan-out of an
// event to all at p99 <= 150 ms; plain_writes is what the sockets alone take of that, from one thread. Client and server share the machine: the client's
// part is in every figure. fdatasync_loop is the disk alone, admission_raw what the store takes of the same commits without API and engine.
// TANDEM_BENCH_SECONDS sets how long the 64 connections post (60, as the goal says).
//
//   ./dev bench engine post post-api post-one get sse                             the figures beside their goals
//   ./dev bench api/http
#include "tandem/api/http/api_server.h"

#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "tandem/base/testing/forked.h"
#include "tandem/base/text.h"
#include "tandem/orchestrate/engine/testing/bench_baselines.h"
#include "tandem/store/sqlite/sqlite_store.h"

namespace {

using namespace tandem;
using engine::BenchNode;
using engine::Latencies;

/// Many connections, each with one request under way.
class Client {
 public:
  Client(const std::string& address, int connections) : poll_(epoll_create1(EPOLL_CLOEXEC)) {
    const std::size_t colon = address.rfind(':');
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
    inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
    for (int i = 0; i < connections; ++i) {
      const int one = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      TANDEM_ASSERT(one >= 0 && connect(one, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
      const int on = 1;
      setsockopt(one, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      epoll_event wanted{.events = EPOLLIN | EPOLLET, .data = {.u64 = sockets_.size()}};
      TANDEM_ASSERT(epoll_ctl(poll_, EPOLL_CTL_ADD, one, &wanted) == 0);
      sockets_.push_back(one);
    }
    heard_.resize(sockets_.size());
  }
  ~Client() {
    for (const int one : sockets_) close(one);
    close(poll_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Sends `request` on every connection, and again when it is answered, for `duration`.
  Latencies ask(const std::string& request, const Clock& clock, std::chrono::nanoseconds duration) {
    std::vector<Instant> sent(sockets_.size());
    Latencies out;
    const Deadline end = Deadline::after(clock, duration);
    for (std::size_t i = 0; i < sockets_.size(); ++i) {
      sent[i] = clock.monotonic();
      send(i, request);
    }
    std::size_t open = sockets_.size();
    while (open > 0) {
      read_some([&](std::size_t i) {
        hear(i);
        const std::size_t head = heard_[i].find("\r\n\r\n");
        if (head == std::string::npos) return;
        const std::size_t length = heard_[i].find("Content-Length: ");
        TANDEM_ASSERT(heard_[i].starts_with("HTTP/1.1 2") && length < head);
        const auto body = static_cast<std::size_t>(std::atoll(heard_[i].c_str() + length + 16));
        if (heard_[i].size() < head + 4 + body) return;
        heard_[i].clear();
        out.push_back(clock.monotonic() - sent[i]);
        if (end.expired(clock)) {
          --open;
          return;
        }
        sent[i] = clock.monotonic();
        send(i, request);
      });
    }
    return out;
  }

  void send_all(const std::string& request) {
    for (std::size_t i = 0; i < sockets_.size(); ++i) send(i, request);
  }
  /// Until every connection has heard `word` since the last call. Returns when each did.
  std::vector<Instant> wait_for(const std::string& word, const Clock& clock) {
    std::vector<Instant> out;
    std::vector<bool> done(sockets_.size());
    while (out.size() < sockets_.size()) {
      read_some([&](std::size_t i) {
        if (done[i]) return;  // what comes later, as the end of a stream, is not looked at
        hear(i);
        if (heard_[i].find(word) == std::string::npos) return;
        done[i] = true;
        heard_[i].clear();
        out.push_back(clock.monotonic());
      });
    }
    return out;
  }

 private:
  void send(std::size_t i, const std::string& request) {
    TANDEM_ASSERT(::send(sockets_[i], request.data(), request.size(), MSG_NOSIGNAL) ==
                  static_cast<ssize_t>(request.size()));
  }
  template <typename Ready>
  void read_some(const Ready& ready) {
    std::array<epoll_event, 256> events;
    const int count = epoll_wait(poll_, events.data(), events.size(), 30'000);
    TANDEM_ASSERT(count > 0);
    for (int k = 0; k < count; ++k) ready(events[static_cast<std::size_t>(k)].data.u64);
  }
  /// All that is there: it is said once that there is something.
  void hear(std::size_t i) {
    std::array<char, 16384> buffer;
    ssize_t bytes = 0;
    do {
      bytes = recv(sockets_[i], buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (bytes > 0) heard_[i].append(buffer.data(), static_cast<std::size_t>(bytes));
    } while (bytes == static_cast<ssize_t>(buffer.size()));
  }
  int poll_;
  std::vector<int> sockets_;
  std::vector<std::string> heard_;
};

std::chrono::seconds post_time() {
  const char* chosen = std::getenv("TANDEM_BENCH_SECONDS");
  return std::chrono::seconds(chosen != nullptr ? std::stoi(chosen) : 60);
}

struct Served {
  explicit Served(std::size_t workers)
      : node(
            [this](BenchNode& self) -> std::unique_ptr<store::Store> {
              return sqlite::SqliteStore::open(folder / "store.db", {}, self.executor, self.clock, self.meter).value();
            },
            workers, starts),
        server(
            http::ApiServer::start(
                {.listen = "127.0.0.1:0", .connections_max = 20'000},
                {[seams = service::LocalSeams{*node.engine, node.backends, *node.submitter, node.clock, node.executor}](
                     identity::PrincipalPtr who) { return service::make_local_service(seams, std::move(who)); },
                 identities, *node.engine, node.problems, *node.store, meters},
                {.executor = handlers, .clock = node.clock, .log = node.log, .meter = meters})
                .value()) {}
  std::string request(const std::string& method, const std::string& path, const std::string& headers = "",
                      const std::string& body = "") const {
    return fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n{}Content-Length: {}\r\n\r\n{}", method, path, server->address(),
                       headers, body.size(), body);
  }
  std::string post() const {
    return request("POST", "/v1/jobs", "Content-Type: application/json\r\n", R"({"problem":{"type":"noop"}})");
  }

  store::BenchFolder folder;
  engine::Starts starts;
  telemetry::MeterRegistry meters;
  ThreadExecutor handlers{4};
  const identity::IdentityBook identities = identity::IdentityBook::open_to_all();
  BenchNode node;
  std::unique_ptr<http::ApiServer> server;
};

void post_jobs(::benchmark::State& state) {
  Served served(static_cast<std::size_t>(state.range(1)));
  Client client(served.server->address(), static_cast<int>(state.range(0)));
  std::atomic<std::uint64_t> ended = 0;
  const auto subscription = served.node.engine->subscribe(
      [&](const job::Event& event) { ended += event.type == "job.succeeded" ? 1 : 0; }, nullptr, nullptr);
  Latencies taken;
  for (auto _ : state)
    taken = client.ask(served.post(), served.node.clock, state.range(0) == 1 ? std::chrono::seconds(3) : post_time());
  engine::rate(state, "requests_per_s", static_cast<double>(taken.size()));
  engine::rate(state, "ended_per_s", static_cast<double>(ended));
  engine::report(state, "request", std::move(taken));
}

/// The limit of post_jobs: the commits of the same admissions, without API and engine.
void admission_raw(::benchmark::State& state) {
  const store::BenchFolder folder;
  engine::Starts starts;
  BenchNode node(
      [&](BenchNode& self) {
        return sqlite::SqliteStore::open(folder / "store.db", {}, self.executor, self.clock, self.meter).value();
      },
      starts);
  node.open_store();
  Latencies taken;
  for (auto _ : state) taken = engine::admit_raw_for(std::chrono::seconds(5), node, static_cast<int>(state.range(0)));
  engine::rate(state, "jobs_per_s", static_cast<double>(taken.size()));
  engine::report(state, "admit", std::move(taken));
}

void get_job(::benchmark::State& state) {
  Served served(2);
  const auto admission = served.node.engine->admit(served.node.noop(0), "default", "", "user:bench");
  TANDEM_ASSERT(served.node.engine->wait(admission->id, Deadline::never()).has_value());
  Client client(served.server->address(), static_cast<int>(state.range(0)));
  Latencies taken;
  for (auto _ : state)
    taken = client.ask(served.request("GET", "/v1/jobs/" + admission->id.value), served.node.clock,
                       std::chrono::seconds(5));
  engine::rate(state, "requests_per_s", static_cast<double>(taken.size()));
  engine::report(state, "request", std::move(taken));
}

constexpr std::size_t kEventBytes = 350;  ///< of the event that ends a job, on the wire

double resident_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::atof(line.c_str() + 6) / 1024;
  return 0;
}

/// A client in a process of its own, whose files are not counted with the server's.
class StreamClients {
 public:
  /// Forks: before the bench has threads.
  explicit StreamClients(int streams)
      : streams_(streams), process_([this](Forked& parent) { return listen(parent); }) {}

  /// Returns when every stream has its first event.
  void open(const std::string& address, const std::string& request) {
    TANDEM_ASSERT(process_.say(address) && process_.say(request));
    char ready = 0;
    TANDEM_ASSERT(process_.hear(&ready, 1));
  }
  /// When each stream has heard of the end; on the clock that processes share.
  std::vector<Instant> ends() {
    std::vector<Instant> out(static_cast<std::size_t>(streams_));
    TANDEM_ASSERT(process_.hear(out.data(), out.size() * sizeof(Instant)));
    return out;
  }

 private:
  bool listen(Forked& parent) const {
    const SystemClock clock;
    const std::string address = parent.hear();
    Client client(address, streams_);
    client.send_all(parent.hear());
    (void)client.wait_for("job.queued", clock);
    TANDEM_ASSERT(parent.say("r", 1));
    const std::vector<Instant> ends = client.wait_for("job.cancelled", clock);
    return parent.say(ends.data(), ends.size() * sizeof(Instant));
  }
  const int streams_;
  Forked process_;
};

bool may_open(::benchmark::State& state, int streams) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_cur >= static_cast<rlim_t>(streams) + 100) return true;
  state.SkipWithError("the limit of open files is too low");
  return false;
}

/// Streams of one job, which is then cancelled: how long after the request to cancel each client has the event.
void event_streams(::benchmark::State& state) {
  const auto streams = static_cast<int>(state.range(0));
  if (!may_open(state, streams)) return;
  StreamClients clients(streams);
  Served served(0);
  Latencies taken;
  double before = 0;
  double after = 0;
  for (auto _ : state) {
    const auto admission = served.node.engine->admit(served.node.noop(0), "default", "", "user:bench");
    before = resident_mib();
    clients.open(served.server->address(),
                 served.request("GET", "/v1/jobs/" + admission->id.value + "/events", "Accept: text/event-stream\r\n"));
    after = resident_mib();
    const Instant asked = served.node.clock.monotonic();
    TANDEM_ASSERT(served.node.engine->cancel(admission->id, "user:bench", "").has_value());
    for (const Instant at : clients.ends()) taken.push_back(at - asked);
  }
  state.counters["streams_mib"] = after - before;
  state.counters["server_mib"] = after;
  engine::report(state, "fan_out", std::move(taken));
}

/// The limit of event_streams: the same clients, and a loop that writes the bytes of such an event to each of their sockets, with
/// nothing to store, read or format before and nothing to close after it.
void plain_writes(::benchmark::State& state) {
  const auto streams = static_cast<int>(state.range(0));
  if (!may_open(state, streams)) return;
  StreamClients clients(streams);
  const SystemClock clock;
  const int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  TANDEM_ASSERT(bind(listening, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0 &&
                listen(listening, SOMAXCONN) == 0 &&
                getsockname(listening, reinterpret_cast<sockaddr*>(&at), &size) == 0);
  const auto write_all = [](int to, std::string_view bytes) {
    TANDEM_ASSERT(::write(to, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  };
  Latencies taken;
  std::chrono::nanoseconds writing{0};
  for (auto _ : state) {
    std::vector<int> sockets;
    std::thread server([&] {
      while (sockets.size() < static_cast<std::size_t>(streams)) {
        sockets.push_back(accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        const int on = 1;
        setsockopt(sockets.back(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        write_all(sockets.back(), "job.queued");
      }
    });
    clients.open(fmt::format("127.0.0.1:{}", ntohs(at.sin_port)), "GET");
    server.join();
    const std::string event = "job.cancelled" + std::string(kEventBytes, 'x');
    const Instant asked = clock.monotonic();
    for (const int one : sockets) write_all(one, event);
    writing = clock.monotonic() - asked;
    for (const Instant heard : clients.ends()) taken.push_back(heard - asked);
    for (const int one : sockets) close(one);
  }
  close(listening);
  state.counters["writing_ms"] = std::chrono::duration<double, std::milli>(writing).count();
  engine::report(state, "fan_out", std::move(taken));
}

BENCHMARK(engine::fdatasync_loop)
    ->Name("fdatasync_loop")
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(::benchmark::kMillisecond);
BENCHMARK(admission_raw)
    ->ArgName("connections")
    ->Arg(1)
    ->Arg(64)
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(::benchmark::kMillisecond);
BENCHMARK(post_jobs)
    ->ArgNames({"connections", "workers"})
    ->Args({1, 0})
    ->Args({1, 2})
    ->Args({64, 0})
    ->Args({64, 2})
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(::benchmark::kMillisecond);
BENCHMARK(get_job)->ArgName("connections")->Arg(64)->Iterations(1)->UseRealTime()->Unit(::benchmark::kMillisecond);
BENCHMARK(event_streams)
    ->ArgName("streams")
    ->Arg(10'000)
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(::benchmark::kMillisecond);

BENCHMARK(plain_writes)->ArgName("streams")->Arg(10'000)->Iterations(1)->UseRealTime()->Unit(::benchmark::kMillisecond);

}  // namespace

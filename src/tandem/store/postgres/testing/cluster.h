// tandem/store/postgres/testing/cluster.h - Cluster: a PostgreSQL server of the test's own, on a socket in a scratch folder.
//
// Room: store, tests only. Debian 12's PostgreSQL 15. Run by root it belongs to the user "postgres", whom the package makes. Its
// first files are made once a machine (initdb takes seconds) and copied. It dies with the test.
#pragma once

#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tandem/base/assert.h"
#include "tandem/base/executor.h"
#include "tandem/base/pause.h"
#include "tandem/store/postgres/libpq.h"
#include "tandem/store/testing/temp_folder.h"

namespace tandem::postgres {

TANDEM_LATE_FUNCTION(libpq, PQconnectdb);
TANDEM_LATE_FUNCTION(libpq, PQexec);
TANDEM_LATE_FUNCTION(libpq, PQping);
TANDEM_LATE_FUNCTION(libpq, PQsendQueryParams);

class Cluster {
 public:
  /// `settings`: further lines "name = value". Durability is off unless they turn it on: these servers die with their test. `port`: also
  /// part of the name of its socket; it listens on a network where `settings` say so.
  explicit Cluster(const std::string& settings = "fsync = off\nfull_page_writes = off", std::uint16_t port = 5432)
      : port_(port) {
    const std::string made = first_files();
    run(as_owner() + "cp -r " + made + " " + data());
    std::ofstream(data() + "/postgresql.auto.conf", std::ios::app)
        << "\nlisten_addresses = ''\nunix_socket_directories = '" << folder_.path() << "'\nport = " << port_
        << "\nshared_buffers = 32MB\nmax_connections = 50\nlog_min_messages = fatal\n"
        << settings << "\n";
    start();
  }
  ~Cluster() { kill(SIGKILL); }
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  std::string address(const std::string& name = "postgres") const {
    return "postgresql://postgres@/" + name + "?host=" + folder_.path() + "&port=" + std::to_string(port_);
  }

  /// Waits until it takes sessions. After a crash a server with fsync writes every file of its folder through first: on a slow disk
  /// that others write to, that takes tens of seconds.
  void start() {
    ThreadExecutor timers(1);
    TANDEM_ASSERT(libpq.open().has_value());
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(200);
    while (std::chrono::steady_clock::now() < end) {
      // It refuses as long as workers of a killed one are there, which they are for a moment.
      if (process_ == 0 || waitpid(process_, nullptr, WNOHANG) == process_) launch();
      if (PQping(address().c_str()) == PQPING_OK) return;
      (void)tandem::pause(timers, std::chrono::milliseconds(10), {});
    }
    std::ifstream log(folder_ / "log");
    fprintf(stderr, "the server takes no sessions; its log:\n%s\n",
            std::string(std::istreambuf_iterator<char>(log), {}).c_str());
    TANDEM_ASSERT(false);
  }

  /// SIGINT: ends sessions and stops; SIGQUIT: stops as a crash; SIGKILL: kill -9, the workers end by themselves.
  void kill(int signal) {
    if (process_ <= 0) return;
    ::kill(process_, signal);
    int status = 0;
    waitpid(std::exchange(process_, 0), &status, 0);
  }

  /// Runs SQL and returns the first column of its first row as text; empty when there is none.
  std::string sql(const std::string& text, const std::string& name = "postgres") const {
    PGconn* connection = PQconnectdb(address(name).c_str());
    PGresult* result = PQexec(connection, text.c_str());
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) fprintf(stderr, "%s\n", PQerrorMessage(connection));
    TANDEM_ASSERT(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK);
    std::string out = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
    PQclear(result);
    PQfinish(connection);
    return out;
  }

 private:
  void launch() {
    const std::string log = folder_ / "log";
    process_ = fork();
    TANDEM_ASSERT(process_ >= 0);
    if (process_ == 0) {
      // Its workers must not hold what the test reports through.
      if (freopen(log.c_str(), "a", stdout) == nullptr || freopen(log.c_str(), "a", stderr) == nullptr) _exit(126);
      prctl(PR_SET_PDEATHSIG, SIGQUIT);
      const std::string server = kPrograms + std::string("/postgres");
      if (geteuid() == 0) {
        execlp("setpriv", "setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--pdeathsig",
               "QUIT", server.c_str(), "-D", data().c_str(), nullptr);
      } else {
        execl(server.c_str(), server.c_str(), "-D", data().c_str(), nullptr);
      }
      _exit(127);
    }
  }

  static constexpr const char* kPrograms = "/usr/lib/postgresql/15/bin";

  std::string data() const { return folder_ / "data"; }
  static std::string as_owner() {
    return geteuid() == 0 ? "setpriv --reuid postgres --regid postgres --clear-groups " : "";
  }
  static void run(const std::string& command) {
    const int status = system((command + " >&2").c_str());
    if (status != 0)
      fprintf(stderr, "failed: %s\nIs PostgreSQL here? ./dev setup test installs it.\n", command.c_str());
    TANDEM_ASSERT(status == 0);
  }
  /// The folder that initdb made for this user of the machine.
  static std::string first_files() {
    const std::string folder =
        (std::filesystem::temp_directory_path() / ("tandem-postgres-15-" + std::to_string(geteuid()))).string();
    const std::string lock = folder + ".lock";
    FILE* file = fopen(lock.c_str(), "w");
    TANDEM_ASSERT(file != nullptr && flock(fileno(file), LOCK_EX) == 0);
    if (!std::filesystem::exists(folder + "/data/PG_VERSION")) {
      std::filesystem::remove_all(folder);
      std::filesystem::create_directory(folder);
      if (geteuid() == 0) run("chown postgres:postgres " + folder);
      run(as_owner() + kPrograms + "/initdb -D " + folder +
          "/new -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null && mv " + folder + "/new " + folder +
          "/data");
    }
    fclose(file);
    return folder + "/data";
  }

  struct OwnedFolder : store::TempFolder {
    OwnedFolder() {
      if (geteuid() == 0) run("chown postgres:postgres " + path());
    }
  } folder_;
  const std::uint16_t port_;
  pid_t process_ = 0;
};

}  // namespace tandem::postgres

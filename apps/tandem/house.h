// apps/tandem/house.h - the composition root: every seam, store, backend and engine of one process, built from the settings.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tandem/api/service/service.h"
#include "tandem/base/crash_point.h"
#include "tandem/base/credential.h"
#include "tandem/base/fs.h"
#include "tandem/base/log.h"
#include "tandem/base/machine_memory.h"
#include "tandem/base/setting.h"
#include "tandem/evidence/telemetry/telemetry.h"
#include "tandem/middleware/remote/codec.h"
#include "tandem/net/client/curl_http.h"
#include "tandem/orchestrate/engine/store_clock.h"
#include "tandem/orchestrate/resilience/gates.h"
#include "tandem/trust/access/rules.h"
#include "tandem/trust/identity/identity_book.h"

namespace tandem::app {

/// What the machine gives; one of each a process.
struct Machine {
  SystemClock clock;
  SystemRng rng;
  RealFs fs;
  SystemEnvironment environment;
};

enum class Role : std::uint8_t {
  kReader,  ///< looks things up, or admits for a server to come
  kRunner,  ///< runs the one job that it attends to, and leaves the others in the queue
  kWorker,  ///< runs every job, and may look after those of lost processes
  kOnlyWorker,  ///< runs every job
  kScheduler,  ///< runs none, and may look after those of lost processes
};

/// Everything behind one data directory, held under its lock.
/// Threads: open and destroy on one thread; what it hands out is thread-safe.
class House {
 public:
  /// A reader of a directory that another command has, and no server, gets a house all the same, whose store it can only read.
  /// Errors: 1045 lock_held - a server or another command has the directory; those of the store.
  static Result<std::unique_ptr<House>> open(const Settings& settings, Machine& machine, Log& log, Role role,
                                             std::size_t workers);
  ~House();

  /// Of whoever asks.
  std::shared_ptr<service::Service> service_of(identity::PrincipalPtr who);
  const identity::IdentityBook& identities() const { return identities_; }
  engine::Engine& engine() { return *engine_; }
  store::Store& store() { return *store_; }
  Executor& executor() { return *executor_; }
  /// Of all that share the store: what has a time of its own in it is told by no other.
  const Clock& store_clock() const { return *clock_; }
  telemetry::MeterRegistry& meters() { return meters_; }
  const problem::ProblemRegistry& problems() const { return problems_; }
  const std::string& data_dir() const { return data_dir_; }

 private:
  House() = default;

  std::string data_dir_;
  identity::IdentityBook identities_ = identity::IdentityBook::open_to_all();
  access::Rules rules_;
  telemetry::MeterRegistry meters_;
  problem::ProblemRegistry problems_ = problem::ProblemRegistry::with_builtin_types();
  CrashPoints crash_points_;
  std::unique_ptr<engine::StoreClock> clock_;  ///< of the machine where nobody shares the store
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<MachineMemory> memory_;
  std::unique_ptr<Http> http_;
  std::unique_ptr<Credentials> credentials_;
  std::unique_ptr<resilience::Gates> gates_;
  std::unique_ptr<Tracer> tracer_;
  std::unique_ptr<store::Store> store_;
  budget::Limits limits_;
  std::unique_ptr<backend::BackendRegistry> backends_;
  std::unique_ptr<submit::Submitter> submitter_;
  std::unique_ptr<engine::Engine> engine_;
};

/// Settings data.dir, else $XDG_DATA_HOME/tandem, else ~/.local/share/tandem.
/// Errors: 1061 bad_setting - none of the three is set.
Result<std::string> data_dir_of(const Settings& settings, const Environment& environment);
/// What `tandem serve` left in the data directory. Its address is empty when it was left by another process than the one that holds
/// the directory now: its port may belong to anybody by then.
service::ServerPlace server_place(const std::string& data_dir, Fs& fs);
std::string server_file(const std::string& data_dir);

/// For a process that reads what `settings` name as secrets: no core files, and no process of another user can look into it.
void keep_secrets_in_memory(const Settings& settings);

/// All backends that the settings describe; the absent ones too, so that the router can say why.
Result<std::unique_ptr<backend::BackendRegistry>> make_backends(const Settings& settings, Executor& executor,
                                                                MachineMemory& memory, Machine& machine, Http& http,
                                                                Credentials& credentials, Log& log, Meter& meter);
/// Whose key the settings of IonQ name, as the vendor tells it. Errors: those of remote::ask_whose_key(), and as make_backends().
Result<std::optional<remote::KeyOwner>> ask_whose_ionq_key(const Settings& settings, Executor& executor,
                                                           Machine& machine, Http& http, Credentials& credentials,
                                                           Log& log);
/// The only way out of this process: to the servers and devices that the settings name, and nowhere else.
/// `servers` are ours: what they answer may be as large as the jobs that they took.
Result<std::unique_ptr<Http>> make_http(const Settings& settings, Machine& machine, Executor& executor,
                                        const std::vector<std::string>& servers = {});
/// What of this build and machine decides bytes.
lineage::Versions versions(const Settings& settings, Fs& fs, std::size_t processors);
/// Of the setting identity.file. Errors: those of the file and of IdentityBook::parse().
Result<identity::IdentityBook> read_identities(const Settings& settings, Fs& fs);
/// Of the setting policy.file. Errors: those of the file and of Rules::parse(); 1061 bad_setting - rules that ask people, and nobody to
/// ask because there is no identity.file.
Result<access::Rules> read_rules(const Settings& settings, Fs& fs);
/// What running steps may take together.
std::unique_ptr<MachineMemory> make_memory(const Settings& settings, Fs& fs, Executor& executor);
/// Bytes of memory that one step may plan for: it stands in plans, so it follows from the settings and the machine, not from the hour. What
/// there is when the step begins is asked of MachineMemory.
std::uint64_t memory_limit(const Settings& settings, Fs& fs);
/// The file in the data directory, or the database of store.address. `alone`: this process holds the directory; else the file
/// can only be read. Errors: 3012 restore_unfinished; those of the store.
Result<std::unique_ptr<store::Store>> open_store(const Settings& settings, const std::string& data_dir,
                                                 Executor& executor, Machine& machine, Log& log, Meter& meter,
                                                 const CrashPoints& crash_points, bool alone);
/// The same store only to be read, whoever writes it meanwhile; nothing is created or migrated.
Result<std::unique_ptr<store::Store>> open_store_to_read(const Settings& settings, const std::string& data_dir,
                                                         Machine& machine);
/// Brings the store to the schema of this version. The process holds the directory.
Result<store::Migration> migrate_store(const Settings& settings, const std::string& data_dir, Machine& machine);
/// The newest schema version of stores of a kind that this binary can read; 0: it does not know the kind.
std::uint64_t newest_schema(std::string_view kind);
/// Where a test may kill a process of this program: the names of all parts.
std::vector<std::string> crash_point_names();
/// CrashPoints::arm with a name that there is. Errors: 1061 bad_setting.
Result<CrashPoints> arm_crash_points(const Environment& environment);
std::string lock_file(const std::string& data_dir);

}  // namespace tandem::app

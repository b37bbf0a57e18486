// tandem/store/store.h - Store: durable rows. It knows rows, not meanings.
//
// Room: store. The only write is commit(batch of rows with preconditions), completed by callback; no transaction stays
// open across calls, so group commit, pipelining and simulation follow from the shape. Implementations: memory, sqlite, postgres.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tandem/base/bytes.h"
#include "tandem/base/clock.h"
#include "tandem/base/executor.h"
#include "tandem/base/result.h"

namespace tandem::store {

/// The tables of the house. A new one is a migration.
enum class Table : std::uint8_t {
  kJob,  ///< job id -> state, fence, spec, plan, summary
  kJobIndex,  ///< "state/<state>/<created>/<id>" and the like -> empty
  kStep,  ///< "<job>/<number>/..." -> checkpoint, "<job>/result" -> result
  kBlob,  ///< sha256 hex -> bytes that jobs may share: documents, raw results
  kSubmission,  ///< attempt token -> submission record
  kIdempotency,  ///< "<tenant>/<key>" -> fingerprint, job id, response
  kBudget,  ///< scope or hold -> amounts
  kEvidence,  ///< "<problem class>/<method>/<time>/<id>" -> evidence record
  kLineage,  ///< lineage id -> record
  kMeta,  ///< facts of the application itself: "node/<id>" of the processes that share the store, probes
};
inline constexpr std::size_t kNumTables = static_cast<std::size_t>(Table::kMeta) + 1;
std::string_view to_string(Table table);  ///< "job", "job_index", ...: also the SQL name

struct Row {
  std::string key;
  std::uint64_t version = 0;  ///< 1 on insert, +1 on every put
  Bytes value;
  friend bool operator==(const Row&, const Row&) = default;
};

/// What must hold of a row when the batch is applied; otherwise nothing of the batch is. All preconditions of a batch
/// see the rows as they were before it; its operations are then applied in their order.
struct Expect {
  enum class Kind : std::uint8_t { kAny, kAbsent, kPresent, kVersion } kind = Kind::kAny;
  std::uint64_t version = 0;
  static Expect any() { return {}; }
  static Expect absent() { return {Kind::kAbsent, 0}; }
  static Expect present() { return {Kind::kPresent, 0}; }
  static Expect at(std::uint64_t version) { return {Kind::kVersion, version}; }
};

struct Put {
  Table table;
  std::string key;
  Bytes value;
  Expect expect;
  std::uint64_t version = 0;  ///< that the row gets; 0: one more than it has. For restoring
};
struct Erase {
  Table table;
  std::string key;
  Expect expect;
};
/// A precondition on a row that is not written.
struct Check {
  Table table;
  std::string key;
  Expect expect;
};
/// Appends to the event log; sequence numbers are given at commit, gapless, in commit order.
struct Append {
  std::string subject;  ///< the job id
  Bytes value;
};
using Operation = std::variant<Put, Erase, Check, Append>;

struct Batch {
  static constexpr std::size_t kOperationsMax = 10'000;
  static constexpr std::size_t kBytesMax = std::size_t{1} << 30;
  static constexpr std::size_t kKeyBytesMax = 1024;  ///< keys may hold any bytes; B-trees like them short
  static constexpr std::size_t kValueBytesMax = std::size_t{1} << 29;  ///< engines end a row below 10^9 bytes
  std::vector<Operation> operations;
  Batch& put(Table table, std::string key, Bytes value, Expect expect = {});
  Batch& erase(Table table, std::string key, Expect expect = {});
  Batch& check(Table table, std::string key, Expect expect);
  Batch& append(std::string subject, Bytes value);
  /// Puts a row that must not be there, at its version.
  Batch& restore(Table table, Row row);
};

struct Committed {
  /// One for each Append of the batch, in its order.
  std::vector<std::uint64_t> sequences;
};

struct LogEntry {
  std::uint64_t sequence = 0;
  std::string subject;
  Bytes value;
};

struct Scan {
  Table table;
  std::string from;  ///< inclusive
  std::string until;  ///< exclusive; empty: to the end
  std::size_t limit = 1000;
  bool descending = false;
  static Scan prefix(Table table, std::string prefix, std::size_t limit = 1000);
};

/// A whole store as of one moment: every commit is in it entirely or not at all, whatever is written meanwhile. An engine holds on
/// to what it shows until it is destroyed (the log of a file grows, a server keeps old rows), so it is read at once and let go.
///
/// Threads: one at a time. It does not outlive its store.
/// Cost:    some MiB of memory and twice the largest row; MemoryStore copies everything.
/// Errors:  those of reads, and what the function it was given says, which ends the reading.
class Snapshot {
 public:
  using TakeRow = std::function<Result<void>(Row)>;
  using TakeEntry = std::function<Result<void>(LogEntry)>;
  virtual ~Snapshot() = default;
  virtual std::uint64_t last_sequence() const = 0;
  /// Of the engine's tables: how many migrations they have been through; 0 where there is nothing to migrate.
  virtual std::uint64_t schema_version() const = 0;
  /// Every row of the table, keys ascending.
  virtual Result<void> read_rows(Table table, const TakeRow& take) = 0;
  /// The whole log in its order.
  virtual Result<void> read_log(const TakeEntry& take) = 0;
  /// What the engine finds wrong with its own files and counts, in words. Reads everything.
  virtual Result<std::vector<std::string>> faults() = 0;
};

/// What bringing a store to the schema of this version did; equal where nothing was due. 0: there was no store.
struct Migration {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
};

using CommitDone = std::function<void(Result<Committed>)>;

/// Threads: every method is safe to call concurrently. Reads see every commit whose `done` was called before.
///
/// Errors of commit: 3004 precondition_failed (table and key named); 3006 batch_too_large; 1041 disk_full and 3007
///                   store_out_of_memory, 1045 lock_held (a person's database shell) - nothing was written and later
///                   commits may succeed; 1042 io_error, 3003
///                   store_damaged - whether the batch is on disk is unknown; 3005 store_closed - after one of those
///                   two nothing more is acknowledged.
///                   A store behind a server also gives 3008 store_unreachable: nothing was written.
/// Errors of reads:  1042 io_error; 3008 store_unreachable; 3003 store_damaged; 3007 store_out_of_memory.
class Store {
 public:
  virtual ~Store() = default;
  /// Applies the whole batch or nothing; `done` is called once, on a thread of the store, when the batch is durable
  /// (synced) or refused. Batches of one thread are applied, and answered, in the order of their calls. `done` must be
  /// short and must not throw; it may call commit. The store keeps what it has not answered in memory: callers bound it
  /// by waiting. Destroying the store finishes what was handed in before and answers it; a commit called meanwhile from
  /// a `done` gets 3005.
  virtual void commit(Batch batch, CommitDone done) = 0;
  /// commit() and wait for its answer. Not on a thread of the store.
  virtual Result<Committed> commit_and_wait(Batch batch);
  virtual Result<std::optional<Row>> get(Table table, std::string_view key) = 0;
  virtual Result<std::vector<Row>> scan(const Scan& scan) = 0;
  /// Number of rows with a prefix; O(rows) unless `prefix` is empty.
  virtual Result<std::uint64_t> count(Table table, std::string_view prefix) = 0;
  /// Entries after `after`, ascending; with `subject` only that subject's.
  virtual Result<std::vector<LogEntry>> read_log(std::uint64_t after, std::size_t limit,
                                                 std::string_view subject = {}) = 0;
  virtual Result<std::uint64_t> last_sequence() = 0;
  /// Sees every commit whose `done` was called before. Errors: those of reads.
  virtual Result<std::unique_ptr<Snapshot>> snapshot() {
    return fail(errors::kInternal, "a {} store has no snapshots", kind());
  }
  /// Other processes may write to it as well. Where this is false, this process has the store alone as long as it is open.
  virtual bool shared() const { return false; }
  /// The clock that all who share the store agree on; only of a shared one. Errors: those of reads.
  virtual Result<Timestamp> now() { return fail(errors::kInternal, "a store of one process has no clock"); }
  /// Calls `on_change` on a thread of the store when another process may have committed. Calls may be missed and come together:
  /// whoever must know looks by himself now and then. Destroying the handle ends it. Null where nobody else writes.
  virtual std::unique_ptr<Timer> watch(std::function<void()> /*on_change*/) { return nullptr; }
  virtual std::string_view kind() const = 0;  ///< "memory", "sqlite", "postgres"
};

}  // namespace tandem::store

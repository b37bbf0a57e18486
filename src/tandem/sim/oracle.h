// tandem/sim/oracle.h - Oracle: what must hold of every history, whatever failed in it; and what histories have covered.
//
// Room: sim. It looks at the rows that processes write, at the log and at the device's book, never into the engine.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tandem/base/id.h"
#include "tandem/model/job/job_event.h"
#include "tandem/model/job/job_state.h"
#include "tandem/orchestrate/submit/submission_record.h"
#include "tandem/sim/coverage.h"
#include "tandem/sim/device.h"
#include "tandem/sim/disk.h"
#include "tandem/sim/doubts.h"
#include "tandem/sim/scheduler.h"
#include "tandem/trust/approval/approval.h"
#include "tandem/trust/budget/budget.h"

namespace tandem::sim {

/// Threads: one.
class Oracle {
 public:
  /// Called with each change of a row and each fault, in words; for people.
  using Trace = std::function<void(const std::string& line)>;

  Oracle(const Scheduler& scheduler, Disk& disk, const Devices& devices, const Options& options, Trace trace);

  /// The first thing that did not hold; empty: none so far.
  const std::string& violation() const { return violation_; }
  void violate(std::string what);

  // What the world saw.
  void tell(const std::string& process, const std::string& what) const {
    if (trace_) write_trace(process, what);
  }
  void fault(const std::string& process, const std::string& name);
  void acknowledged(const std::string& key, const JobId& id);
  /// The events of a job that has ended, as a client reads them.
  void told_events(const JobId& id, const std::vector<job::Event>& events);
  /// A retry, which has no key.
  void acknowledged_retry(const JobId& id) { retries_.insert(id); }
  void told_final(const JobId& id, job::JobState state);
  void read_clock(const std::string& process) { clock_read_[process] = scheduler_.now(); }
  void hindered(const std::string& process) { doubts_.hindered(process, scheduler_.now()); }
  void clock_jumped() { doubts_.clock_jumped(scheduler_.now()); }
  /// The disk lost what was not synced: what was remembered of it is read anew, what clients were told is not taken back.
  void disk_went_back();
  void accepted_by_device(const SimDevice& device, const std::string& token);  ///< before the device has it
  void billed_twice(const SimDevice& device, const std::string& token);
  void vendor_saw(backend::SubmitSafety safety, std::string_view what) {
    ++coverage_.vendors[vendor_name(safety, what)];
  }
  /// Somebody says yes to the request `id`, having seen a plan and what it may spend.
  void said_yes(const approval::ApprovalId& id, const std::string& actor, const approval::Subject& seen);

  /// What must hold at any time; `when` is for people.
  void check_acknowledged(const std::string& when);
  /// Whether all jobs have ended and nothing but the device's or a person's word is missing.
  bool settled(std::string* what_is_open) const;
  /// What must hold when nothing happens any more.
  void check_end();

  const Coverage& coverage() const { return coverage_; }

 private:
  /// What counts of a job's row.
  struct Job {
    std::uint64_t version = 0;
    job::JobState state = job::JobState::kQueued;
    std::uint64_t fence = 0;
    bool cancel_requested = false;
    std::string key;  ///< tenant and serial key; empty: it has none
    std::string spec_sha256;  ///< blob of its document
    std::string owner;  ///< the process that runs it, where others share the store
    Timestamp updated_at;  ///< as whoever wrote it says
  };
  /// Reads the row, or remembers it. Null: it is no job's.
  const Job* job(const std::string& id, const Cell& cell) const;
  const Job* job(const std::string& id) const;  ///< as it is now; null: there is none
  const submit::SubmissionRecord* submission(const std::string& token, const Cell& cell) const;
  void write_trace(const std::string& process, const std::string& what) const;
  void on_change(const std::string& process, const Changed& changed);
  void on_job(const std::string& process, const Changed& changed);
  void check_date(const std::string& process, const std::string& id, const Job& row);
  void on_submission(const std::string& process, const Changed& changed);
  /// Of a submission after which money is promised or bytes go out: whoever made it runs the job.
  enum class Goes : bool { kOn, kPaid };  ///< kPaid: money is reserved or bytes go out
  void check_owner(const submit::SubmissionRecord& record, Goes goes);
  bool is_decided_by_worker(const submit::SubmissionRecord& before, const submit::SubmissionRecord& after) const;
  /// By the document that `record` is a part of carrying out: whether it needs people.
  bool is_production(const submit::SubmissionRecord& record, const std::string& spec_sha256);
  void check_approved(const submit::SubmissionRecord& record, const Json& row);
  /// What became of it at its vendor, and what no vendor's may come to.
  void check_vendor(const submit::SubmissionRecord& before, const submit::SubmissionRecord& after);
  void on_node(const std::string& process, const Changed& changed);
  void check_log();
  void count_vendor(const std::string& type, const Json& event, bool waited_for);
  void check_money();
  void check_books();
  void check_charges();
  void check_unfound();
  /// What a row of money says is held, before or after its change.
  void count_held(const std::string& key, const Cell& cell, int sign);
  /// After each batch: every account holds what its jobs and attempts have there.
  void check_accounts();

  const Scheduler& scheduler_;
  Disk& disk_;
  const Devices& devices_;
  const std::int64_t lease_ttl_ms_;
  const bool shared_;
  const Trace trace_;
  std::string violation_;
  Coverage coverage_;
  Doubts doubts_;
  mutable std::map<std::string, Job, std::less<>> jobs_;  ///< as last read
  mutable std::map<std::string, submit::SubmissionRecord, std::less<>> submissions_;
  std::map<std::string, JobId> acknowledged_;
  std::set<JobId> retries_;
  std::map<std::string, std::string> has_key_;  ///< tenant and serial key: the job that runs under it
  std::map<JobId, job::JobState> told_;
  std::map<std::pair<std::string, std::string>, std::vector<approval::Subject>> yes_;  ///< by request and actor
  std::map<std::string, bool> production_;  ///< by the document's blob, as first read
  struct Counted {
    Bytes value;  ///< of the row
    budget::HeldParts parts;
  };
  std::map<std::string, Counted> counted_;  ///< by key of a row of money, as last read
  budget::HeldParts held_;  ///< summed up over all rows; of accounts where the sum is not 0
  std::map<std::string, Scheduler::Nanos> clock_read_;
  std::map<std::string, Scheduler::Nanos> lease_until_;
};

}  // namespace tandem::sim

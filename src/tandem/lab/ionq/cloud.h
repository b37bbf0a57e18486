// tandem/lab/ionq/cloud.h - IonqCloud: the emulated provider behind the API: a queue, simulators, prices, a book.
//
// Room: lab. Not here: HTTP (ionq_api.h), faults (lab/provider).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/lab/ionq/ionq_server.h"
#include "tandem/lab/ionq/submission.h"
#include "tandem/model/device/calibration.h"

namespace tandem::lab {

enum class IonqStatus : std::uint8_t { kSubmitted, kReady, kStarted, kCompleted, kFailed, kCanceled };
std::string_view to_string(IonqStatus status);  ///< "submitted", ...

/// A job as it stands now.
struct IonqJob {
  std::string id;
  IonqSubmission submission;
  IonqStatus status = IonqStatus::kSubmitted;
  std::size_t queue_position = 0;  ///< while it waits: jobs before it
  job::Money price;  ///< what it costs when it runs
  job::Money billed;  ///< what it cost; 0 until it has ended
  Timestamp submitted_at;
  std::optional<Timestamp> started_at;
  std::optional<Timestamp> ended_at;
  std::string failure;
  std::shared_ptr<const Json> probabilities;  ///< decimal outcome -> share; null until it completed
  std::shared_ptr<const Json> histogram;  ///< decimal outcome -> shots; null of the ideal simulator, which draws none
  bool has_ended() const { return ended_at.has_value(); }
};

/// What the list may be narrowed to; empty members narrow nothing.
struct IonqFilter {
  std::vector<std::string> ids;
  std::string status;
  std::vector<std::string> targets;
};

enum class IonqCancel : std::uint8_t { kCanceled, kEnded, kUnknown };

/// A machine or the simulator.
struct IonqBackend {
  std::string name;
  bool simulator = false;
  std::string characterization_id;  ///< empty of the simulator
};

/// Runs one job at a time, each after its time at the head of the queue. Threads: every method is safe to call concurrently.
class IonqCloud {
 public:
  /// Errors: those of Book; 1023 value_out_of_range - an option, or a book of an emulator with another seed or size.
  static Result<std::unique_ptr<IonqCloud>> open(const IonqOptions& options, const Clock& clock, ProviderSeams seams);
  ~IonqCloud();
  IonqCloud(const IonqCloud&) = delete;
  IonqCloud& operator=(const IonqCloud&) = delete;

  std::span<const IonqBackend> backends() const;
  const IonqBackend* find_backend(std::string_view name) const;
  const device::Calibration& calibration() const;  ///< of every machine
  std::size_t queue_depth() const;  ///< jobs that have not ended
  job::Money price(bool simulator, std::uint64_t shots, std::uint64_t gates_1q, std::uint64_t gates_2q) const;

  /// In the book when it returns. `body` and `user_agent`: as they were sent.
  /// Errors: 6007 server_overloaded - the queue is full; those of the book.
  Result<IonqJob> accept(IonqSubmission submission, const Json& body, std::string_view user_agent);
  std::optional<IonqJob> find(std::string_view id) const;
  /// Newest first, from behind the job `after` on; at most `limit`. `more`: there are further ones.
  std::vector<IonqJob> list(const IonqFilter& filter, std::string_view after, std::size_t limit, bool& more) const;
  /// A job that waits ends at once and costs nothing; one that runs ends soon and pays in full.
  IonqCancel cancel(std::string_view id);
  /// Errors: those of the book. False: there is none.
  Result<bool> remove(std::string_view id);

 private:
  struct State;
  explicit IonqCloud(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace tandem::lab

// tandem/lab/device/device.h - Device: the emulated machine behind the API: a queue, a noisy simulator, a price, a book.
//
// Room: lab. Not here: HTTP (api.h), faults (device_server.h).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/lab/device/device_server.h"
#include "tandem/model/circuit/circuit.h"
#include "tandem/model/device/calibration.h"

namespace tandem::lab {

enum class JobStatus : std::uint8_t { kQueued, kRunning, kSucceeded, kFailed, kCancelled };
std::string_view to_string(JobStatus status);  ///< "queued", ...

/// A job as it stands now.
struct DeviceJob {
  std::string id;
  std::string token;
  JobStatus status = JobStatus::kQueued;
  std::size_t queue_position = 0;  ///< while queued: jobs before it
  std::uint64_t shots = 0;
  job::Money billed;
  Timestamp accepted_at;
  std::optional<Timestamp> ended_at;
  std::string error;
  std::shared_ptr<const Json> pubs;  ///< the results, as API v1 writes them; null until it succeeded
};

enum class CancelOutcome : std::uint8_t { kCancelled, kAsked, kEnded, kUnknown };

/// Runs one job at a time, each after its time at the head of the queue. Same seed, token and PUBs: same results, also after
/// a restart. Threads: every method is safe to call concurrently.
class Device {
 public:
  /// Errors: those of Book; 1023 value_out_of_range - an option, or a book of a device with another seed or size.
  static Result<std::unique_ptr<Device>> open(const DeviceOptions& options, ProviderSeams seams);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const device::Calibration& calibration() const;
  device::Target target() const;
  std::size_t queue_depth() const;  ///< jobs that have not ended

  /// Bills the work and puts it at the end of the queue; in the book when it returns.
  /// Errors: 1402 backend_cannot and 1113 too_many_qubits - the work; 6007 server_overloaded - the queue is full; those of
  ///         the book.
  Result<DeviceJob> accept(std::string token, std::vector<circuit::Pub> pubs);
  std::optional<DeviceJob> find(std::string_view id) const;
  std::vector<DeviceJob> find_token(std::string_view token) const;  ///< oldest first
  /// Queued work ends at once and pays the price per job; running work ends soon and pays in full.
  CancelOutcome cancel(std::string_view id);

 private:
  struct State;
  explicit Device(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

/// Shots that one PUB is billed for: every binding and, with observables, every measured basis.
/// Errors: 1402 backend_cannot - not measurable here; those of Pub::check().
Result<std::uint64_t> billed_shots(const circuit::Pub& pub, std::uint32_t qubits);

}  // namespace tandem::lab

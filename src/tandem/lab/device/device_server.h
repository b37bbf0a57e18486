// tandem/lab/device/device_server.h - DeviceServer: an emulated quantum device, served over HTTP as a provider would.
//
// Room: lab. A process of its own in use (`tandem emulate device`), with its own book of billed work; labelled `emulated` in
// every answer. What it returns is simulated with noise (compute/noise), never made up. The API is our own: v1 is described
// in docs/guide/lab_device.md. It does NOT de-duplicate tokens: whoever submits twice is billed twice, and the book shows it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "tandem/base/clock.h"
#include "tandem/base/result.h"
#include "tandem/lab/provider/fault_script.h"
#include "tandem/lab/provider/seams.h"
#include "tandem/model/job/money.h"

namespace tandem::lab {

struct DeviceOptions {
  static constexpr std::uint32_t kQubitsMax = 24;  ///< of noisy simulation within seconds
  std::string listen = "127.0.0.1:9641";  ///< loopback only; port 0 takes a free one, see address()
  std::string book;  ///< path of the append-only book; its folder must exist
  FaultScript faults;
  std::uint64_t seed = 1;  ///< same seed, token and program: same counts
  std::uint32_t qubits = 20;
  std::chrono::milliseconds queue_time{20};  ///< each job waits this long at the head of the queue before it runs
  job::Money price_per_job{10'000};
  job::Money price_per_shot{30};
  std::size_t queue_max = 1000;  ///< jobs not yet ended; one more is refused with 429
  std::uint64_t shots_max = 1'000'000;  ///< of one job, all its PUBs and bindings together
  std::string api_key;  ///< wanted as "Authorization: Bearer KEY"; empty: none
  std::uint64_t memory_bytes_max = std::uint64_t{2} << 30;  ///< for simulating
  /// Effort of simulating one circuit, about two seconds on one core: noise::NoiseOptions says what more shots than that share.
  std::uint64_t amplitude_updates_max = std::uint64_t{1} << 31;
};

/// Threads: every method is safe to call concurrently.
class DeviceServer {
 public:
  /// Reads the book (jobs that had ended are there again, accepted ones run again with the same outcome), then listens.
  /// Errors: 2010, 2011, 2012 as net/server; 1023 value_out_of_range - an option; 3003 store_damaged - a line of the book;
  ///         1045 lock_held - another device uses the book; those of Fs.
  static Result<std::unique_ptr<DeviceServer>> start(DeviceOptions options, ProviderSeams seams);
  virtual ~DeviceServer() = default;
  /// "127.0.0.1:43210"
  virtual const std::string& address() const = 0;
  /// Takes no more requests; true when none is left at the deadline. Jobs in the queue stay in the book for the next start.
  virtual bool drain(Deadline deadline) = 0;
};

}  // namespace tandem::lab

// tandem/lab/ionq/ionq_server.h - IonqServer: an emulated IonQ Quantum Cloud (API v0.4), served over HTTP or TLS.
//
// Room: lab. A process of its own in use (`tandem emulate ionq`), with its own book of billed work; the header Tandem-Emulated stands
// on every answer. Requests are held to the vendor's OpenAPI text; what real clients send beside it stands in tolerance.h. Results are
// simulated, never made up: exact for the ideal simulator, with noise for machines. The page is docs/guide/ionq.md.
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

/// Play money: at these rates, which no vendor ever named, as of kPricesDate.
struct IonqPrices {
  static constexpr std::string_view kDate = "2026-11-27";
  job::Money job_minimum{1'000'000};
  job::Money per_1q_gate_shot{30};
  job::Money per_2q_gate_shot{300};
};

struct IonqOptions {
  static constexpr std::uint32_t kQubitsMax = 24;  ///< of noisy simulation within seconds
  std::string listen = "127.0.0.1:9642";  ///< loopback only; port 0 takes a free one, see address()
  std::string book;  ///< path of the append-only book; its folder must exist
  FaultScript faults;
  std::uint64_t seed = 1;  ///< same seed and body: same result
  std::uint32_t qubits = 20;  ///< of every backend: what this process simulates, not what the vendor's have
  std::chrono::milliseconds queue_time{20};  ///< each job waits this long at the head of the queue before it runs
  IonqPrices prices;
  std::size_t queue_max = 1000;  ///< jobs not yet ended; one more is refused with 429
  std::string api_key;  ///< wanted as "Authorization: apiKey KEY"; empty: any
  std::string tls_certificate_file;  ///< PEM chain; empty: plain HTTP
  std::string tls_key_file;  ///< PEM
  std::uint64_t memory_bytes_max = std::uint64_t{2} << 30;  ///< for simulating
  std::uint64_t amplitude_updates_max = std::uint64_t{1} << 31;  ///< of simulating one noisy circuit
};

/// Threads: every method is safe to call concurrently.
class IonqServer {
 public:
  /// Reads the book (jobs that had ended are there again, accepted ones run again with the same outcome), then listens.
  /// Errors: 2010, 2011, 2012 as net/server; 1023 value_out_of_range - an option or a TLS identity; 3003 store_damaged - a line of the book;
  ///         1045 lock_held - another emulator uses the book; those of Fs.
  static Result<std::unique_ptr<IonqServer>> start(IonqOptions options, ProviderSeams seams);
  virtual ~IonqServer() = default;
  /// "127.0.0.1:43210"
  virtual const std::string& address() const = 0;
  /// Takes no more requests; true when none is left at the deadline. Jobs in the queue stay in the book for the next start.
  virtual bool drain(Deadline deadline) = 0;
};

}  // namespace tandem::lab

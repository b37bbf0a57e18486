// tandem/lab/provider/fault_stage.h - FaultStage: answers requests to an emulated provider, well or as the fault script says.
//
// Room: lab. Owns the counting of requests and the carrying out of faults. Not here: what goes wrong when (fault_script.h).
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string_view>

#include "tandem/base/executor.h"
#include "tandem/base/http.h"
#include "tandem/base/log.h"
#include "tandem/lab/provider/delays.h"
#include "tandem/lab/provider/fault_script.h"
#include "tandem/net/server/server.h"

namespace tandem::lab {

/// How a provider says what the script wants said.
struct FaultFaces {
  std::function<HttpResponse(int status, std::string_view code, std::string_view detail)> problem;
  std::function<HttpResponse(HttpResponse)> with_half_of_the_shots;
  std::function<HttpResponse(HttpResponse)> with_half_of_the_price;  ///< empty where no price is asked for
};

/// Threads: safe to call concurrently.
class FaultStage {
 public:
  using Do = std::function<HttpResponse()>;

  /// `script`, `executor` and `log` outlive the stage.
  FaultStage(const FaultScript& script, std::uint64_t seed, FaultFaces faces, Executor& executor, Log& log)
      : script_(script), seed_(seed), faces_(std::move(faces)), log_(log), delays_(executor) {}

  /// Answers with work(), or as the script says for this request of `operation`; then work() may run later, or never.
  void answer(Operation operation, Do work, std::shared_ptr<server::Responder> responder);
  /// Waits for what runs later; what has not begun never does.
  void close() { delays_.close(); }

 private:
  void carry_out(const Fault& fault, Do work, std::shared_ptr<server::Responder> responder);
  void send_slowly(HttpResponse whole, std::chrono::milliseconds over, server::Responder& responder);

  const FaultScript& script_;
  std::uint64_t seed_;
  FaultFaces faces_;
  Log& log_;
  std::array<std::atomic<std::uint64_t>, kNumOperations> requests_{};
  Delays delays_;
};

}  // namespace tandem::lab

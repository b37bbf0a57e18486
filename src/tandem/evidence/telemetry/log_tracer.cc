#include <fmt/format.h>

#include "tandem/evidence/telemetry/telemetry.h"

namespace tandem::telemetry {
namespace {

class LogSpan final : public Span {
 public:
  LogSpan(std::string_view name, std::string_view job_id, Log& log, const Clock& clock)
      : name_(name), job_id_(job_id), log_(log), clock_(clock), begin_(clock.monotonic()) {}
  ~LogSpan() override {
    const auto elapsed = std::chrono::duration<double, std::milli>(clock_.monotonic() - begin_);
    log_.write(LogLevel::kDebug, "span",
               {{"name", name_},
                {"job_id", job_id_},
                {"elapsed_ms", fmt::format("{:.3f}", elapsed.count())},
                {"attributes", attributes_}});
  }
  void set(std::string_view key, std::string_view value) override { attributes_ += fmt::format("{}={} ", key, value); }
  void set(std::string_view key, double value) override { attributes_ += fmt::format("{}={} ", key, value); }

 private:
  std::string name_;
  std::string job_id_;
  std::string attributes_;
  Log& log_;
  const Clock& clock_;
  Instant begin_;
};

}  // namespace

std::unique_ptr<Span> LogTracer::start(std::string_view name, std::string_view job_id) {
  return std::make_unique<LogSpan>(name, job_id, log_, clock_);
}

}  // namespace tandem::telemetry

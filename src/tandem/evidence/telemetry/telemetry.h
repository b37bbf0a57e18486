// tandem/evidence/telemetry/telemetry.h - MeterRegistry and LogTracer: what stands behind the Meter and Span seams in a server.
//
// Room: evidence. Figures for operators; nothing is decided by them. Not here: lineage and evidence, which are records.
#pragma once

#include <memory>
#include <string>

#include "tandem/base/clock.h"
#include "tandem/base/log.h"
#include "tandem/base/meter.h"
#include "tandem/base/span.h"

namespace tandem::telemetry {

/// Counters, histograms and gauges by name, in the Prometheus text format 0.0.4.
///
/// Names and label names are ours (asserted by the library's own rules); label values may be anything, but must come from
/// small sets: a job id is no label. Threads: every method is safe to call concurrently.
class MeterRegistry final : public Meter {
 public:
  MeterRegistry();
  ~MeterRegistry() override;
  void add(std::string_view name, double amount, Labels labels) override;
  void observe(std::string_view name, double value, Labels labels) override;
  void set(std::string_view name, double value, Labels labels) override;
  std::string text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Writes one debug line for each finished span, with its duration and attributes.
class LogTracer final : public Tracer {
 public:
  LogTracer(Log& log, const Clock& clock) : log_(log), clock_(clock) {}
  std::unique_ptr<Span> start(std::string_view name, std::string_view job_id) override;

 private:
  Log& log_;
  const Clock& clock_;
};

}  // namespace tandem::telemetry

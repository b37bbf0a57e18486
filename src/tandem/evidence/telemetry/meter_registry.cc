#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "tandem/evidence/telemetry/telemetry.h"

namespace tandem::telemetry {
namespace {

/// From a fast commit to a long job, in seconds; two buckets a decade are enough for alerts.
const prometheus::Histogram::BucketBoundaries kSeconds = {0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1,
                                                          0.3,    1,      3,     10,    30,   100};

prometheus::Labels to_labels(Labels labels) {
  prometheus::Labels out;
  for (const auto& [name, value] : labels) out.emplace(name, value);
  return out;
}

}  // namespace

struct MeterRegistry::State {
  prometheus::Registry registry;
};

MeterRegistry::MeterRegistry() : state_(std::make_unique<State>()) {}
MeterRegistry::~MeterRegistry() = default;

void MeterRegistry::add(std::string_view name, double amount, Labels labels) {
  prometheus::BuildCounter()
      .Name(std::string(name))
      .Register(state_->registry)
      .Add(to_labels(labels))
      .Increment(amount);
}

void MeterRegistry::observe(std::string_view name, double value, Labels labels) {
  prometheus::BuildHistogram()
      .Name(std::string(name))
      .Register(state_->registry)
      .Add(to_labels(labels), kSeconds)
      .Observe(value);
}

void MeterRegistry::set(std::string_view name, double value, Labels labels) {
  prometheus::BuildGauge().Name(std::string(name)).Register(state_->registry).Add(to_labels(labels)).Set(value);
}

std::string MeterRegistry::text() const { return prometheus::TextSerializer().Serialize(state_->registry.Collect()); }

}  // namespace tandem::telemetry

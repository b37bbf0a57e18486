// tandem/base/meter.h - the Meter seam: counters and histograms by name.
//
// Room: base. evidence/telemetry implements it and writes the Prometheus text; NullMeter forgets.
#pragma once

#include <initializer_list>
#include <string_view>
#include <utility>

namespace tandem {

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

/// Threads: safe to call concurrently. Names end in their unit: "tandem_store_commit_seconds".
class Meter {
 public:
  virtual ~Meter() = default;
  virtual void add(std::string_view name, double amount, Labels labels = {}) = 0;
  virtual void observe(std::string_view name, double value, Labels labels = {}) = 0;
  virtual void set(std::string_view name, double value, Labels labels = {}) = 0;
};

class NullMeter final : public Meter {
 public:
  void add(std::string_view, double, Labels) override {}
  void observe(std::string_view, double, Labels) override {}
  void set(std::string_view, double, Labels) override {}
};

}  // namespace tandem

// tandem/base/testing/recording_meter.h - a Meter that keeps what was measured.
//
// Room: base, tests only.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "tandem/base/meter.h"

namespace tandem {

/// Series are named as in the Prometheus text, without quotes: "tandem_submissions_total{state=settled}".
///
/// Threads: safe to call concurrently.
class RecordingMeter final : public Meter {
 public:
  void add(std::string_view name, double amount, Labels labels) override {
    const std::lock_guard lock(mutex_);
    totals_[series(name, labels)] += amount;
  }
  void observe(std::string_view name, double value, Labels labels) override {
    const std::lock_guard lock(mutex_);
    observed_[series(name, labels)].push_back(value);
  }
  void set(std::string_view name, double value, Labels labels) override {
    const std::lock_guard lock(mutex_);
    totals_[series(name, labels)] = value;
  }

  /// Of a counter the sum, of a gauge the last value; 0 where nothing was said.
  double total(const std::string& series) const {
    const std::lock_guard lock(mutex_);
    const auto found = totals_.find(series);
    return found == totals_.end() ? 0 : found->second;
  }
  /// What a histogram was told, in order.
  std::vector<double> observed(const std::string& series) const {
    const std::lock_guard lock(mutex_);
    const auto found = observed_.find(series);
    return found == observed_.end() ? std::vector<double>() : found->second;
  }

 private:
  static std::string series(std::string_view name, Labels labels) {
    std::string out(name);
    for (const auto& [key, value] : labels) {
      out += out.size() == name.size() ? '{' : ',';
      out.append(key).append("=").append(value);
    }
    return labels.size() == 0 ? out : out + '}';
  }

  mutable std::mutex mutex_;
  std::map<std::string, double> totals_;
  std::map<std::string, std::vector<double>> observed_;
};

}  // namespace tandem

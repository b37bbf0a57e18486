// tandem/base/crash_point.h - CrashPoints: places in the code where a test may kill the process, by name.
//
// Room: base. Compiled into every build, so that what is tested is what ships; armed only by the environment, never in
// production. Not here: the names (each owner lists its own).
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "tandem/base/result.h"

namespace tandem {

class Environment;

/// Threads: reach() is safe to call concurrently.
class CrashPoints {
 public:
  /// Nothing is armed.
  CrashPoints() = default;
  /// TANDEM_CRASH_POINT=NAME or NAME:N arms the Nth arrival (1: the first) at point NAME.
  /// Errors: 1061 bad_setting - N is no number from 1, or TANDEM_PROD is set as well, to anything but 0.
  static Result<CrashPoints> arm(const Environment& environment);
  CrashPoints(CrashPoints&& other) noexcept { *this = std::move(other); }
  CrashPoints& operator=(CrashPoints&& other) noexcept {
    name_ = std::move(other.name_);
    arrivals_left_ = other.arrivals_left_.load();
    return *this;
  }

  /// Ends the process as `kill -9` does when `name` is armed and its turn has come; else costs one comparison.
  void reach(std::string_view name) const {
    if (name == name_) arrive();
  }
  bool armed() const { return !name_.empty(); }
  const std::string& name() const { return name_; }  ///< empty: nothing is armed

 private:
  CrashPoints(std::string name, std::uint64_t arrivals) : name_(std::move(name)), arrivals_left_(arrivals) {}
  void arrive() const;

  std::string name_;
  mutable std::atomic<std::uint64_t> arrivals_left_{0};
};

}  // namespace tandem

// tandem/base/log.h - structured log lines: an event name and fields. Off by default in the CLI, JSON lines in the server.
//
// Room: base. Not here: audit and lineage, which are records, not logs.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace spdlog {
class logger;
}

namespace tandem {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError, kOff };

using LogFields = std::initializer_list<std::pair<std::string_view, std::string>>;

/// Threads: safe to call concurrently.
class Log {
 public:
  virtual ~Log() = default;
  virtual void write(LogLevel level, std::string_view event, LogFields fields = {}) = 0;
};

/// JSON lines on standard error, through spdlog.
class StderrLog final : public Log {
 public:
  explicit StderrLog(LogLevel level);
  void write(LogLevel level, std::string_view event, LogFields fields) override;

 private:
  std::shared_ptr<spdlog::logger> logger_;
};

class NullLog final : public Log {
 public:
  void write(LogLevel, std::string_view, LogFields) override {}
};

}  // namespace tandem

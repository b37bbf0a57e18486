#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "tandem/base/json.h"
#include "tandem/base/log.h"

namespace tandem {
namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      break;
  }
  return spdlog::level::off;
}

std::string quote_json(std::string_view text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

StderrLog::StderrLog(LogLevel level)
    : logger_(std::make_shared<spdlog::logger>("tandem", std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
  logger_->set_level(to_spdlog(level));
  logger_->set_formatter(std::make_unique<spdlog::pattern_formatter>(
      R"({"time":"%Y-%m-%dT%H:%M:%S.%fZ","level":"%l",%v})", spdlog::pattern_time_type::utc));
}

void StderrLog::write(LogLevel level, std::string_view event, LogFields fields) {
  if (level == LogLevel::kOff || !logger_->should_log(to_spdlog(level))) return;
  std::string line = "\"event\":" + quote_json(event);
  for (const auto& [key, value] : fields) line += "," + quote_json(key) + ":" + quote_json(value);
  logger_->log(to_spdlog(level), line);
}

}  // namespace tandem

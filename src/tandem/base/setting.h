// tandem/base/setting.h - every setting: one table (contract/settings.json -> settings_table.h), three sources.
//
// Room: base. Precedence: file < environment TANDEM_* < flag. `tandem config show` prints value and origin.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/result.h"

namespace tandem {

enum class SettingType : std::uint8_t { kString, kInteger, kBoolean, kDuration, kPath, kAddress, kUrl };

/// One row of contract/settings.json. `name` is dotted ("server.listen"); the variable is TANDEM_SERVER_LISTEN.
struct SettingRecord {
  std::string_view name;
  SettingType type;
  std::string_view default_value;  ///< as text
  std::int64_t min;                ///< integers and durations (ms)
  std::int64_t max;
  std::string_view values;  ///< of a string: "debug|info", the words it may be; of a URL: its schemes; empty: any
  std::string_view meaning;
};

enum class SettingOrigin : std::uint8_t { kDefault, kFile, kEnvironment, kFlag };

struct SettingValue {
  std::string text;
  SettingOrigin origin = SettingOrigin::kDefault;
  std::string source;  ///< file:line:column, variable or flag
};

/// Reads the process environment; a seam so that tests do not depend on theirs.
class Environment {
 public:
  virtual ~Environment() = default;
  /// All variables with a prefix, name -> value.
  virtual std::map<std::string, std::string> with_prefix(std::string_view prefix) const = 0;
  virtual std::string get(std::string_view name) const = 0;  ///< empty when unset
};
class SystemEnvironment final : public Environment {
 public:
  std::map<std::string, std::string> with_prefix(std::string_view prefix) const override;
  std::string get(std::string_view name) const override;
};

/// Immutable after load(). Errors: 1060 unknown_setting (with the nearest name); 1061 bad_setting (value, type, limits, source).
class Settings {
 public:
  /// `file_text` may be empty; `flags` are name -> value.
  static Result<Settings> load(std::string_view file_text, std::string_view file_name, const Environment& environment,
                               const std::map<std::string, std::string>& flags);
  std::string string(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;  ///< durations in milliseconds
  bool boolean(std::string_view name) const;
  const SettingValue& value(std::string_view name) const;
  /// SHA-256 of all names and values, for lineage.
  std::string digest() const;

 private:
  std::map<std::string, SettingValue, std::less<>> values_;
};

}  // namespace tandem

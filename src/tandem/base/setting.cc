#include "tandem/base/setting.h"

#include <algorithm>

#include "tandem/base/assert.h"
#include "tandem/base/hash.h"
#include "tandem/base/settings_table.h"
#include "tandem/base/text.h"
#include "tandem/base/yaml.h"

namespace tandem {
namespace {

constexpr std::string_view kVariablePrefix = "TANDEM_";
constexpr std::int64_t kPortMax = 65535;

/// Where a setting was given, for errors and for `tandem config show`.
struct Given {
  std::string name;
  std::string text;
  SettingOrigin origin;
  std::string source;
};

const SettingRecord* find_record(std::string_view name) {
  const auto* const found =
      std::find_if(settings::kTable.begin(), settings::kTable.end(), [&](const auto& r) { return r.name == name; });
  return found == settings::kTable.end() ? nullptr : found;
}

std::string variable_of(std::string_view name) {
  std::string variable(kVariablePrefix);
  for (const char c : name) variable += c == '.' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return variable;
}

tl::unexpected<Error> unknown_setting(const Given& given, std::string_view spelled, std::string_view near) {
  return fail_at(given.source, errors::kUnknownSetting, "unknown setting {}{}", quote(spelled),
                 near.empty() ? "; `tandem config show` lists all" : fmt::format(", did you mean '{}'?", near));
}

tl::unexpected<Error> bad_setting(const Given& given, std::string_view expected) {
  return fail_at(given.source, errors::kBadSetting, "the setting '{}' is {}; write {}", given.name, quote(given.text),
                 expected);
}

Result<std::string> within_limits(const Given& given, const SettingRecord& record, std::int64_t value,
                                  std::string_view unit) {
  if (value < record.min || value > record.max) {
    return bad_setting(given, fmt::format("a value from {}{} to {}{}", record.min, unit, record.max, unit));
  }
  return fmt::format("{}{}", value, unit);
}

bool is_host_and_port(std::string_view text, std::int64_t port_min) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const auto port = parse_int64(text.substr(colon + 1));
  return port && *port >= port_min && *port <= kPortMax && text.find_first_of(" /?#@") == std::string_view::npos;
}

/// A text of a few allowed ones; the nearest is named.
Result<std::string> one_of_values(const Given& given, const SettingRecord& record) {
  const std::vector<std::string_view> values = split(record.values, '|');
  if (record.values.empty() || std::find(values.begin(), values.end(), given.text) != values.end()) return given.text;
  return bad_setting(given, fmt::format("one of {}{}", fmt::join(values, ", "), did_you_mean(given.text, values)));
}

/// SCHEME://HOST, maybe with :PORT and a path; empty where that is the default.
Result<std::string> url(const Given& given, const SettingRecord& record) {
  if (given.text.empty() && record.default_value.empty()) return given.text;
  const std::vector<std::string_view> schemes = split(record.values, '|');
  const std::size_t end = given.text.find("://");
  const std::string_view scheme = std::string_view(given.text).substr(0, end);
  const bool known = end != std::string::npos && std::find(schemes.begin(), schemes.end(), scheme) != schemes.end();
  const std::string_view rest = known ? std::string_view(given.text).substr(end + 3) : std::string_view();
  const std::string_view authority = rest.substr(0, rest.find('/'));
  const bool names_port = authority.find(':', authority.rfind(']') + 1) != std::string_view::npos;
  const std::string with_port = std::string(authority) + (names_port ? "" : ":1");  // that of the scheme
  if (!authority.empty() && is_host_and_port(with_port, 1)) return given.text;
  const std::string expected =
      fmt::format("{}://HOST[:PORT] with a port from 1 to {}", fmt::join(schemes, "://HOST[:PORT] or "), kPortMax);
  if (given.text.find('@') == std::string::npos) return bad_setting(given, expected);
  return fail_at(given.source, errors::kBadSetting,
                 "the setting '{}' names a user, or has a password in it, which settings and logs would show; write {}",
                 given.name, expected);
}

/// The value in its one spelling, so that equal settings have equal digests: integers in digits, durations in ms.
Result<std::string> normal_form(const Given& given, const SettingRecord& record) {
  switch (record.type) {
    case SettingType::kString:
      return one_of_values(given, record);
    case SettingType::kUrl:
      return url(given, record);
    case SettingType::kPath:
      return given.text;
    case SettingType::kBoolean:
      if (given.text != "true" && given.text != "false") return bad_setting(given, "true or false");
      return given.text;
    case SettingType::kInteger: {
      const auto value = parse_int64(given.text);
      if (!value) return bad_setting(given, "an integer");
      return within_limits(given, record, *value, "");
    }
    case SettingType::kDuration: {
      const auto value = parse_duration(given.text);
      if (!value) return bad_setting(given, "a duration with a unit, such as 250ms, 5s or 2m");
      const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(*value);
      if (whole != *value) return bad_setting(given, "a duration of whole milliseconds, such as 1ms");
      return within_limits(given, record, whole.count(), "ms");
    }
    case SettingType::kAddress:
      if (!is_host_and_port(given.text, 0)) return bad_setting(given, "HOST:PORT with a port from 0 to 65535");
      return given.text;
  }
  return given.text;
}

/// The leaves of the settings file: {"server": {"listen": "..."}} gives server.listen.
Result<void> collect(const LocatedJson& document, const Json& object, const std::string& prefix,
                     const std::string& pointer, std::vector<Given>& out) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(object, pointer));
  for (const auto& [key, member] : object.items()) {
    const std::string name = prefix.empty() ? key : prefix + "." + key;
    const std::string at = reader.at(key);
    if (member.is_object()) {
      TANDEM_TRY(collect(document, member, name, at, out));
      continue;
    }
    Given given{.name = name,
                .text = member.is_string() ? member.get<std::string>() : member.dump(),
                .origin = SettingOrigin::kFile,
                .source = document.place_of(at)};
    if (find_record(name) != nullptr && (member.is_array() || member.is_null())) return bad_setting(given, "one value");
    out.push_back(std::move(given));
  }
  return {};
}

Result<std::vector<Given>> from_file(std::string_view text, std::string_view name) {
  std::vector<Given> given;
  if (trim(text).empty()) return given;
  TANDEM_TRY_ASSIGN(const LocatedJson document, parse_json_or_yaml(text, name));
  auto collected = collect(document, document.value, "", "", given);
  if (!collected) {
    if (collected.error().number == errors::kWrongType)
      collected.error().place = document.place_of(collected.error().place);
    return tl::unexpected<Error>(std::move(collected).error());
  }
  return given;
}

/// A variable is ours to judge when it starts with a group of settings ("TANDEM_SERVER_") or nearly spells one of them; other
/// programs and our own tests use the prefix too.
Result<std::vector<Given>> from_environment(const Environment& environment) {
  std::vector<std::string> variables;
  std::vector<std::string> groups;
  for (const SettingRecord& record : settings::kTable) {
    variables.push_back(variable_of(record.name));
    groups.push_back(variable_of(record.name.substr(0, record.name.find('.') + 1)));
  }
  const std::vector<std::string_view> names(variables.begin(), variables.end());
  std::vector<Given> out;
  for (auto& [variable, text] : environment.with_prefix(kVariablePrefix)) {
    Given given{.name = "", .text = text, .origin = SettingOrigin::kEnvironment, .source = variable};
    const auto found = std::find(variables.begin(), variables.end(), variable);
    if (found != variables.end()) {
      given.name = settings::kTable[static_cast<std::size_t>(found - variables.begin())].name;
      out.push_back(std::move(given));
      continue;
    }
    const bool in_group =
        std::any_of(groups.begin(), groups.end(), [&name = variable](const auto& g) { return name.starts_with(g); });
    const std::string near = nearest(variable, names);
    if (in_group || !near.empty()) return unknown_setting(given, variable, near);
  }
  return out;
}

}  // namespace

Result<Settings> Settings::load(std::string_view file_text, std::string_view file_name, const Environment& environment,
                                const std::map<std::string, std::string>& flags) {
  Settings settings;
  std::vector<std::string_view> names;
  for (const SettingRecord& record : settings::kTable) {
    names.push_back(record.name);
    settings.values_[std::string(record.name)] = {
        .text = std::string(record.default_value), .origin = SettingOrigin::kDefault, .source = {}};
  }
  TANDEM_TRY_ASSIGN(std::vector<Given> given, from_file(file_text, file_name));
  TANDEM_TRY_ASSIGN(std::vector<Given> variables, from_environment(environment));
  std::move(variables.begin(), variables.end(), std::back_inserter(given));
  for (const auto& [name, text] : flags) {
    given.push_back({.name = name, .text = text, .origin = SettingOrigin::kFlag, .source = "command line"});
  }
  for (const Given& one : given) {
    const SettingRecord* const record = find_record(one.name);
    if (record == nullptr) return unknown_setting(one, one.name, nearest(one.name, names));
    TANDEM_TRY_ASSIGN(std::string text, normal_form(one, *record));
    SettingValue& value = settings.values_.find(one.name)->second;
    if (value.origin == SettingOrigin::kFile && one.origin == SettingOrigin::kFile) {
      return fail_at(one.source, errors::kJsonDuplicateKey, "the setting '{}' also stands at {}; remove one", one.name,
                     value.source);
    }
    value = {.text = std::move(text), .origin = one.origin, .source = one.source};
  }
  return settings;
}

const SettingValue& Settings::value(std::string_view name) const {
  const auto found = values_.find(name);
  TANDEM_ASSERT(found != values_.end());
  return found->second;
}

std::string Settings::string(std::string_view name) const { return value(name).text; }

std::int64_t Settings::integer(std::string_view name) const {
  std::string_view text = value(name).text;
  if (text.ends_with("ms")) text.remove_suffix(2);
  const auto number = parse_int64(text);
  TANDEM_ASSERT(number.has_value());  // load() checked the text, a test the defaults
  return *number;
}

bool Settings::boolean(std::string_view name) const { return value(name).text == "true"; }

std::string Settings::digest() const {
  Json all = Json::object();
  for (const auto& [name, value] : values_) all[name] = value.text;
  return sha256(canonical_json(all)).hex();
}

}  // namespace tandem

// What `tandem backends add` writes into a settings file.
#include "tandem/base/settings_table.h"
#include "tandem/base/text.h"
#include "tandem/base/yaml.h"
#include "tandem/base/yaml_writer.h"
#include "vendor.h"

namespace tandem::app {
namespace {

/// A file is read for itself.
class NoEnvironment final : public Environment {
 public:
  std::map<std::string, std::string> with_prefix(std::string_view) const override { return {}; }
  std::string get(std::string_view) const override { return {}; }
};

/// "ionq:", "ionq.url: ...", maybe in quotes: where a part of the vendor begins.
bool begins_part(std::string_view line, std::string_view vendor) {
  if (!line.empty() && (line.front() == '"' || line.front() == '\'')) line.remove_prefix(1);
  if (!line.starts_with(vendor)) return false;
  line.remove_prefix(vendor.size());
  return !line.empty() && (line.front() == ':' || line.front() == '.' || line.front() == '"' || line.front() == '\'');
}

/// Without the lines that say something of the vendor: those that begin a part of it, and what is indented under them, with the empty
/// lines between.
std::string without_parts(const std::string& text, std::string_view vendor) {
  std::string out;
  std::string empty_lines;  // of the vendor only when something of it follows
  bool inside = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    const std::string_view line = std::string_view(text).substr(at, end - at);
    at = end;
    if (inside && trim(line).empty()) {
      empty_lines += line;
      continue;
    }
    const bool is_indented = line.front() == ' ' || line.front() == '\t';
    inside = begins_part(line, vendor) || (inside && is_indented);
    if (!inside) out.append(empty_lines).append(line);
    empty_lines.clear();
  }
  return out + empty_lines;
}

/// Whether the file, and no default, gives a setting of the vendor.
bool says_something(const Settings& settings, std::string_view vendor) {
  for (const SettingRecord& record : settings::kTable)
    if (record.name.starts_with(std::string(vendor) + ".") &&
        settings.value(record.name).origin == SettingOrigin::kFile)
      return true;
  return false;
}

std::string place_of(const Settings& settings, std::string_view vendor) {
  for (const SettingRecord& record : settings::kTable)
    if (record.name.starts_with(std::string(vendor) + ".") &&
        settings.value(record.name).origin == SettingOrigin::kFile)
      return settings.value(record.name).source;
  return {};
}

bool are_as_wanted(const Settings& settings, const Vendor& vendor, const VendorSettings& wanted) {
  return settings.string(vendor.setting("url")) == wanted.url &&
         settings.string(vendor.setting("credential")) == wanted.credential &&
         settings.string(vendor.setting("backends")) == wanted.backends;
}

/// Nothing but the vendor's settings changed.
bool others_are_equal(const Settings& before, const Settings& after, std::string_view vendor) {
  for (const SettingRecord& record : settings::kTable) {
    if (record.name.starts_with(std::string(vendor) + ".")) continue;
    if (before.value(record.name).text != after.value(record.name).text) return false;
  }
  return true;
}

}  // namespace

std::string settings_block(const Vendor& vendor, const VendorSettings& wanted) {
  return write_yaml({{std::string(vendor.name),
                      {{"url", wanted.url}, {"credential", wanted.credential}, {"backends", wanted.backends}}}});
}

Result<std::string> with_settings(const std::string& text, const std::string& file, const Vendor& vendor,
                                  const VendorSettings& wanted, bool replace) {
  const NoEnvironment nothing;
  TANDEM_TRY_ASSIGN(const Settings before, Settings::load(text, file, nothing, {}));
  if (are_as_wanted(before, vendor, wanted)) return text;
  if (says_something(before, vendor.name) && !replace)
    return fail_at(place_of(before, vendor.name), errors::kSettingPresent,
                   "the file has settings of {} already, and others than these; --replace writes these in their place",
                   vendor.name);
  std::string out = without_parts(text, vendor.name);
  if (!out.empty() && out.back() != '\n') out += '\n';
  out += settings_block(vendor, wanted);
  const auto after = Settings::load(out, file, nothing, {});
  if (after && are_as_wanted(*after, vendor, wanted) && others_are_equal(before, *after, vendor.name)) return out;
  return fail_at(file, errors::kBadSetting,
                 "a program cannot edit a file that is written like this; put these lines into it:\n{}",
                 settings_block(vendor, wanted));
}

}  // namespace tandem::app

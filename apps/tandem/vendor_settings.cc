// What `tandem backends add` writes into a settings file.
#include <map>
#include <vector>

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

/// What the file, and no default, says of the vendor: the last parts of the names.
std::vector<std::string> said_of(const Settings& settings, const Vendor& vendor) {
  std::vector<std::string> out;
  const std::string prefix = vendor.setting("");
  for (const SettingRecord& record : settings::kTable)
    if (record.name.starts_with(prefix) && settings.value(record.name).origin == SettingOrigin::kFile)
      out.emplace_back(record.name.substr(prefix.size()));
  return out;
}

bool is_written(std::string_view what) { return what == "url" || what == "credential" || what == "backends"; }

bool are_as_wanted(const Settings& settings, const Vendor& vendor, const VendorSettings& wanted) {
  return settings.string(vendor.setting("url")) == wanted.url &&
         settings.string(vendor.setting("credential")) == wanted.credential &&
         settings.string(vendor.setting("backends")) == wanted.backends;
}

/// Nothing but what is written changed.
bool others_are_equal(const Settings& before, const Settings& after, const Vendor& vendor) {
  const std::string prefix = vendor.setting("");
  for (const SettingRecord& record : settings::kTable) {
    if (record.name.starts_with(prefix) && is_written(record.name.substr(prefix.size()))) continue;
    if (before.value(record.name).text != after.value(record.name).text) return false;
  }
  return true;
}

}  // namespace

Result<void> check_settings(const Vendor& vendor, const VendorSettings& wanted) {
  auto read = Settings::load(settings_block(vendor, wanted), "", NoEnvironment(), {});
  if (read) return {};
  read.error().place = "--url";  // the others may be any text
  return tl::unexpected(std::move(read).error());
}

std::string settings_block(const Vendor& vendor, const VendorSettings& wanted,
                           const std::map<std::string, std::string>& beside) {
  Json block = {{"url", wanted.url}, {"credential", wanted.credential}, {"backends", wanted.backends}};
  for (const auto& [name, value] : beside) block[name] = value;
  return write_yaml({{std::string(vendor.name), std::move(block)}});
}

Result<std::string> with_settings(const std::string& text, const std::string& file, const Vendor& vendor,
                                  const VendorSettings& wanted, bool replace) {
  const NoEnvironment nothing;
  TANDEM_TRY_ASSIGN(const Settings before, Settings::load(text, file, nothing, {}));
  if (are_as_wanted(before, vendor, wanted)) return text;
  const std::vector<std::string> said = said_of(before, vendor);
  if (!said.empty() && !replace)
    return fail_at(before.value(vendor.setting(said.front())).source, errors::kSettingPresent,
                   "the file has settings of {} already, and others than these; --replace writes these in their place",
                   vendor.name);
  std::map<std::string, std::string> beside;
  for (const std::string& name : said)
    if (!is_written(name)) beside.emplace(name, before.value(vendor.setting(name)).text);
  const std::string block = settings_block(vendor, wanted, beside);
  std::string out = without_parts(text, vendor.name);
  if (!out.empty() && out.back() != '\n') out += '\n';
  out += block;
  const auto after = Settings::load(out, file, nothing, {});
  if (after && are_as_wanted(*after, vendor, wanted) && others_are_equal(before, *after, vendor)) return out;
  return fail_at(file, errors::kBadSetting,
                 "a program cannot edit a file that is written like this; put these lines into it:\n{}", block);
}

}  // namespace tandem::app

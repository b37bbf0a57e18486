// apps/tandem/vendor.h - vendors that `tandem backends add` and `test` know, their settings, and the records of runs on them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "house.h"
#include "tandem/base/clock.h"
#include "tandem/base/json.h"

namespace tandem::app {

/// What is particular to one. Its settings are "<name>.url", ".credential" and ".backends"; its backends are "<name>.<backend>".
struct Vendor {
  std::string_view name;
  std::string_view title;  ///< for people
  std::string_view url;  ///< its own
  std::vector<std::string> backends;  ///< that the adapter has
  std::string_view backends_default;
  std::vector<std::string_view> not_learnt;  ///< what no free call of it tells, a sentence each
  std::string setting(std::string_view what) const { return std::string(name) + "." + std::string(what); }
};
/// Their names.
std::vector<std::string> vendor_names();
/// Errors: 1023 value_out_of_range - with those that there are.
Result<Vendor> find_vendor(std::string_view name);

/// Settings of one vendor.
struct VendorSettings {
  std::string url;
  std::string credential;
  std::string backends;
};
/// Errors: 1061 bad_setting - the URL is none that a setting may have.
Result<void> check_settings(const Vendor& vendor, const VendorSettings& wanted);
/// As a block of a settings file; `beside`: what it says of the vendor besides, by name without the vendor.
std::string settings_block(const Vendor& vendor, const VendorSettings& wanted,
                           const std::map<std::string, std::string>& beside = {});
/// `text`, the settings file, with the block at its end; with `replace` in place of what it says of the vendor. The rest stays byte for
/// byte as it is, and every other setting, also of the vendor, has the value that it had (checked).
/// Errors: 1062 setting_present - it says something else of the vendor, and `replace` is false; 1061 bad_setting - the file cannot
///         be edited by a program: the message has the block; those of reading it.
Result<std::string> with_settings(const std::string& text, const std::string& file, const Vendor& vendor,
                                  const VendorSettings& wanted, bool replace);

/// One run on a vendor's backend that its user paid for: contract/schemas/vendor_run.schema.json.
struct VendorRun {
  Timestamp at;
  std::string vendor;
  std::string backend;
  bool emulated = false;
  std::string adapter_version;
  std::string tandem_version;
  std::string url;
  std::string job_id;
  std::string token;
  std::string handle;
  job::Money quote;
  job::Money cost_max;
  job::Money billed;
  std::uint64_t shots = 0;
  std::string raw_sha256;
  std::string calibration_id;
  std::vector<std::string> covered;
  double correlated = 0;  ///< share of the outcomes 00 and 11 of a Bell pair: 1 without noise, 0.5 by chance

  std::string level() const { return emulated ? "" : "L4"; }
  /// "L4 by the run of 2026-11-28 ($1.00)", "emulated run of 2026-11-28, so no L4"; of another version of the adapter it says so.
  std::string words(std::string_view version_now) const;
  Json document() const;
  static Result<VendorRun> parse(const Json& document);
};
/// "vendor_runs.jsonl" in the data directory: one run a line, only appended to. Not in the store: a run stays true when its job is removed.
std::string vendor_runs_file(const std::string& data_dir);
/// Durable when it returns.
Result<void> append_vendor_run(const std::string& data_dir, const VendorRun& run, Fs& fs);
/// The last of each backend, by backend; none where there is no file. What is no record is told on stderr and passed over.
std::map<std::string, VendorRun> latest_vendor_runs(const std::string& data_dir, Fs& fs);

}  // namespace tandem::app

#include "vendor.h"

#include "tandem/base/text.h"
#include "tandem/middleware/adapter/ionq/ionq.h"

namespace tandem::app {
namespace {

constexpr std::uint64_t kRunsBytesMax = 64u << 20;  ///< a line has less than a kilobyte

Result<job::Money> money(const ObjectReader& reader, std::string_view key) {
  return reader.integer(key, 0, INT64_MAX).map([](std::int64_t micros) { return job::Money{micros}; });
}

Result<VendorRun> parse_run(const Json& document) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  VendorRun out;
  TANDEM_TRY_ASSIGN(const std::string at, reader.string("at"));
  TANDEM_TRY_ASSIGN(out.at, parse_rfc3339(at));
  TANDEM_TRY_ASSIGN(out.vendor, reader.string("vendor"));
  TANDEM_TRY_ASSIGN(out.backend, reader.string("backend"));
  TANDEM_TRY_ASSIGN(out.emulated, reader.boolean_or("emulated", true));
  TANDEM_TRY_ASSIGN(out.adapter_version, reader.string("adapter_version"));
  TANDEM_TRY_ASSIGN(out.tandem_version, reader.string("tandem_version"));
  TANDEM_TRY_ASSIGN(out.url, reader.string("url"));
  TANDEM_TRY_ASSIGN(out.job_id, reader.string("job_id"));
  TANDEM_TRY_ASSIGN(out.token, reader.string("token"));
  TANDEM_TRY_ASSIGN(out.handle, reader.string("handle"));
  TANDEM_TRY_ASSIGN(out.quote, money(reader, "quote_usd_micros"));
  TANDEM_TRY_ASSIGN(out.cost_max, money(reader, "cost_max_usd_micros"));
  TANDEM_TRY_ASSIGN(out.billed, money(reader, "billed_usd_micros"));
  TANDEM_TRY_ASSIGN(const std::int64_t shots, reader.integer("shots", 0, INT64_MAX));
  out.shots = static_cast<std::uint64_t>(shots);
  TANDEM_TRY_ASSIGN(out.raw_sha256, reader.string("raw_sha256"));
  TANDEM_TRY_ASSIGN(out.calibration_id, reader.string("calibration_id"));
  out.covered = document.value("covered", std::vector<std::string>());
  out.correlated = document.value("correlated", 0.0);
  return out;
}

}  // namespace

std::vector<std::string> vendor_names() { return {"ionq"}; }

Result<Vendor> find_vendor(std::string_view name) {
  if (name == "ionq") {
    return Vendor{
        .name = "ionq",
        .title = "IonQ Quantum Cloud, API v0.4",
        .url = "https://api.ionq.co/v0.4",
        .backends = ionq::backend_names(),
        .backends_default = "simulator, qpu.forte-1",
        .not_learnt = {"whose account it is and which roles the key has: the API names the key and its project only",
                       "what is left to spend: budgets of the account are seen in the vendor's console",
                       "whether it may submit: only a submission tells; `--run --max-cost USD` makes one",
                       "devices that the vendor has and the adapter does not know"}};
  }
  return fail_at("VENDOR", errors::kValueOutOfRange, "{} is no vendor that there is an adapter for; there is {}",
                 quote(name), fmt::join(vendor_names(), ", "));
}

std::string VendorRun::words(std::string_view version_now) const {
  const std::string day = format_rfc3339(at).substr(0, 10);
  if (emulated) return fmt::format("emulated run of {}, so no L4", day);
  const std::string out = fmt::format("{} by the run of {} ({})", level(), day, format_usd(billed.usd_micros));
  return adapter_version == version_now ? out : fmt::format("{}, of version {} of the adapter", out, adapter_version);
}

Json VendorRun::document() const {
  return {{"at", format_rfc3339(at)},
          {"vendor", vendor},
          {"backend", backend},
          {"emulated", emulated},
          {"level", level()},
          {"adapter_version", adapter_version},
          {"tandem_version", tandem_version},
          {"url", url},
          {"job_id", job_id},
          {"token", token},
          {"handle", handle},
          {"quote_usd_micros", quote.usd_micros},
          {"cost_max_usd_micros", cost_max.usd_micros},
          {"billed_usd_micros", billed.usd_micros},
          {"shots", shots},
          {"raw_sha256", raw_sha256},
          {"calibration_id", calibration_id},
          {"covered", covered},
          {"correlated", correlated}};
}

Result<VendorRun> VendorRun::parse(const Json& document) { return parse_run(document); }

std::string vendor_runs_file(const std::string& data_dir) { return data_dir + "/vendor_runs.jsonl"; }

/// On a line of its own, whatever a power cut left of the one before.
Result<void> append_vendor_run(const std::string& data_dir, const VendorRun& run, Fs& fs) {
  const std::string path = vendor_runs_file(data_dir);
  bool is_torn = false;
  if (fs.exists(path)) {
    TANDEM_TRY_ASSIGN(const Bytes before, fs.read_file(path, kRunsBytesMax));
    is_torn = !before.empty() && before.back() != '\n';
  }
  TANDEM_TRY_ASSIGN(const auto file, fs.open_append(path));
  return file->append_durable((is_torn ? "\n" : "") + run.document().dump() + "\n");
}

std::map<std::string, VendorRun> latest_vendor_runs(const std::string& data_dir, Fs& fs) {
  std::map<std::string, VendorRun> out;
  const std::string path = vendor_runs_file(data_dir);
  if (!fs.exists(path)) return out;
  const auto text = fs.read_file(path, kRunsBytesMax);
  if (!text) {
    fmt::print(stderr, "no runs are shown: {}\n", text.error().to_string());
    return out;
  }
  std::size_t number = 0;
  for (const std::string_view line : split(*text, '\n')) {
    ++number;
    if (trim(line).empty()) continue;
    const auto run = parse_json(line, path).and_then(VendorRun::parse);
    if (run)
      out.insert_or_assign(run->backend, *run);
    else
      fmt::print(stderr, "{}:{} is no record of a run and is passed over: {}\n", path, number, run.error().to_string());
  }
  return out;
}

}  // namespace tandem::app

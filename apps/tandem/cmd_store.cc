// apps/tandem/cmd_store.cc - store: check, backup, restore, export and migrate what is kept, on either store.
#include <sys/stat.h>

#include <filesystem>

#include "cli.h"
#include "tandem/base/text.h"
#include "tandem/orchestrate/engine/store_check.h"
#include "tandem/store/backup.h"

namespace tandem::app {
namespace {

using store::Table;

constexpr std::size_t kShownFindings = 20;

/// Which store a command means, and the hold on its directory where it is a file that is written.
struct Place {
  Settings settings;
  std::string data_dir;  ///< empty where the store is a database
  std::unique_ptr<FileLock> lock;
};

enum class Use : std::uint8_t { kRead, kWrite };

Result<Place> place_of(Cli& cli, Use use) {
  TANDEM_TRY_ASSIGN(Settings settings, cli.settings());
  Place out{.settings = std::move(settings), .data_dir = {}, .lock = {}};
  if (!out.settings.string("store.address").empty()) return out;
  TANDEM_TRY_ASSIGN(out.data_dir, data_dir_of(out.settings, cli.machine.environment));
  if (use == Use::kRead) return out;
  TANDEM_TRY(cli.machine.fs.make_directories(out.data_dir));
  TANDEM_TRY_ASSIGN(out.lock, cli.machine.fs.lock(lock_file(out.data_dir)));
  return out;
}

/// For people and documents; an address holds no secret (Address::parse).
std::string shown(const Place& place) {
  return place.data_dir.empty() ? place.settings.string("store.address") : place.data_dir;
}

Json counts(const std::array<std::uint64_t, store::kNumTables>& rows) {
  Json out = Json::object();
  for (std::size_t i = 0; i < rows.size(); ++i) out[std::string(to_string(static_cast<Table>(i)))] = rows[i];
  return out;
}

std::uint64_t total(const std::array<std::uint64_t, store::kNumTables>& rows) {
  std::uint64_t out = 0;
  for (const std::uint64_t count : rows) out += count;
  return out;
}

Result<void> require_known_schema(const store::BackupHeader& header) {
  if (header.schema_version <= newest_schema(header.store)) return {};
  return fail(
      errors::kStoreNewer,
      "the backup is of a store of kind {} with schema version {}, this binary knows versions up to {}: use the "
      "newer binary",
      quote(header.store), header.schema_version, newest_schema(header.store));
}

/// Backups say of themselves what is checked first. Errors: those of BackupReader; 3001.
Result<std::unique_ptr<store::BackupReader>> open_backup(Cli& cli, const std::string& file) {
  TANDEM_TRY_ASSIGN(auto reader, store::BackupReader::open(cli.machine.fs, file));
  TANDEM_TRY(require_known_schema(reader->header()));
  return reader;
}

/// What a check looked at, beside its findings.
struct Checked {
  std::string store;  ///< kind
  std::string place;
  std::uint64_t schema_version = 0;
  std::uint64_t last_sequence = 0;
};

Result<Checked> check_backup(Cli& cli, const std::string& file, engine::StoreCheck& check) {
  TANDEM_TRY_ASSIGN(const auto reader, open_backup(cli, file));
  while (true) {
    TANDEM_TRY_ASSIGN(const auto record, reader->next());
    if (!record) break;
    if (const auto* row = std::get_if<store::BackupRow>(&*record))
      check.row(row->table, row->row);
    else
      check.entry(std::get<store::LogEntry>(*record));
  }
  const store::BackupHeader& header = reader->header();
  return Checked{header.store, file, header.schema_version, header.last_sequence};
}

/// What cannot be read is a finding, and what follows is read all the same; other errors end the check.
Result<void> read_or_note(Result<void> done, const std::string& place, engine::StoreCheck& check) {
  if (done || done.error().number != errors::kStoreDamaged) return done;
  check.finding(place, done.error().to_string());
  return {};
}

Result<Checked> check_store(Cli& cli, engine::StoreCheck& check) {
  TANDEM_TRY_ASSIGN(const Place place, place_of(cli, Use::kRead));
  TANDEM_TRY_ASSIGN(const auto store, open_store_to_read(place.settings, place.data_dir, cli.machine));
  TANDEM_TRY_ASSIGN(const auto snapshot, store->snapshot());
  const auto faults = snapshot->faults();
  if (!faults)
    TANDEM_TRY(read_or_note(tl::unexpected(faults.error()), std::string(store->kind()), check));
  else
    for (const std::string& fault : *faults) check.finding(std::string(store->kind()), fault);
  for (std::size_t i = 0; i < store::kNumTables; ++i) {
    const auto table = static_cast<Table>(i);
    auto read = snapshot->read_rows(table, [&](const store::Row& row) -> Result<void> {
      check.row(table, row);
      return {};
    });
    TANDEM_TRY(read_or_note(std::move(read), std::string(to_string(table)), check));
  }
  auto read = snapshot->read_log([&](const store::LogEntry& entry) -> Result<void> {
    check.entry(entry);
    return {};
  });
  TANDEM_TRY(read_or_note(std::move(read), "log", check));
  if (check.entries() != snapshot->last_sequence())
    check.finding("log", fmt::format("it has {} entries and ends with {}", check.entries(), snapshot->last_sequence()));
  return Checked{std::string(store->kind()), shown(place), snapshot->schema_version(), snapshot->last_sequence()};
}

Result<int> check(Cli& cli, const std::string& file) {
  engine::StoreCheck check;
  TANDEM_TRY_ASSIGN(const Checked checked, file.empty() ? check_store(cli, check) : check_backup(cli, file, check));
  check.finish();
  const int code = check.findings_total() == 0
                       ? 0
                       : error_record(file.empty() ? errors::kStoreDamaged : errors::kBackupDamaged).exit_code;
  if (cli.json) {
    Json findings = Json::array();
    for (const engine::Finding& finding : check.findings())
      findings.push_back({{"place", finding.place}, {"what", finding.what}});
    print_json({{"ok", code == 0},
                {"place", checked.place},
                {"store", checked.store},
                {"schema_version", checked.schema_version},
                {"last_sequence", checked.last_sequence},
                {"rows", counts(check.rows())},
                {"blobs_unreferenced", check.blobs_unreferenced()},
                {"findings", findings},
                {"findings_total", check.findings_total()}});
    return code;
  }
  fmt::print("{} ({}, schema {}): {} rows, {} events\n", checked.place, checked.store, checked.schema_version,
             total(check.rows()), check.entries());
  if (check.blobs_unreferenced() != 0)
    fmt::print("  {} blobs are named by no job; servers erase those of removed jobs\n", check.blobs_unreferenced());
  for (std::size_t i = 0; i < std::min(kShownFindings, check.findings().size()); ++i)
    fmt::print("  {}: {}\n", check.findings()[i].place, check.findings()[i].what);
  if (check.findings_total() > kShownFindings)
    fmt::print("  ... {} in all; --json has {}\n", check.findings_total(), check.findings().size());
  fmt::print("{}\n", code == 0 ? "sound" : "DAMAGED");
  return code;
}

void print_summary(const Cli& cli, const store::BackupSummary& summary, const std::string& file, const Place& place,
                   std::string_view sentence) {
  if (cli.json) {
    print_json({{"file", file},
                {"place", shown(place)},
                {"store", summary.header.store},
                {"schema_version", summary.header.schema_version},
                {"created_at", format_rfc3339(summary.header.created_at)},
                {"last_sequence", summary.header.last_sequence},
                {"rows", counts(summary.rows)}});
  } else {
    fmt::print("{} {}: {} rows and {} events of {}\n", sentence, file, total(summary.rows),
               summary.header.last_sequence, format_rfc3339(summary.header.created_at));
  }
}

/// The files of the data directory are replaced by nobody but the store itself.
Result<void> refuse_inside(const std::string& file, const std::string& data_dir) {
  std::error_code unknown;
  const std::filesystem::path parent = std::filesystem::weakly_canonical(file, unknown).parent_path();
  if (unknown || !std::filesystem::equivalent(parent, data_dir, unknown) || unknown) return {};
  return fail(errors::kUsage, "{} stands in the data directory itself; name a file elsewhere", quote(file));
}

Result<int> backup(Cli& cli, const std::string& file, bool plain) {
  TANDEM_TRY_ASSIGN(const CrashPoints crash_points, arm_crash_points(cli.machine.environment));
  TANDEM_TRY_ASSIGN(const Place place, place_of(cli, Use::kRead));
  TANDEM_TRY(refuse_inside(file, place.data_dir));
  ::umask(S_IRWXG | S_IRWXO);  // it holds what the data directory shows to nobody else
  TANDEM_TRY_ASSIGN(const auto store, open_store_to_read(place.settings, place.data_dir, cli.machine));
  const store::BackupOptions options{.compression = plain ? store::Compression::kNone : store::Compression::kZlib,
                                     .tandem = TANDEM_VERSION};
  TANDEM_TRY_ASSIGN(const auto summary,
                    store::back_up(*store, cli.machine.fs, file, options, cli.machine.clock, crash_points));
  print_summary(cli, summary, file, place, "written to");
  return 0;
}

Result<int> restore(Cli& cli, const std::string& file) {
  TANDEM_TRY(open_backup(cli, file));  // before a store is made for it
  TANDEM_TRY_ASSIGN(const CrashPoints crash_points, arm_crash_points(cli.machine.environment));
  TANDEM_TRY_ASSIGN(const Place place, place_of(cli, Use::kWrite));
  ThreadExecutor executor(1);
  StderrLog log(LogLevel::kWarning);
  NullMeter meter;
  TANDEM_TRY_ASSIGN(const auto store,
                    open_store(place.settings, place.data_dir, executor, cli.machine, log, meter, crash_points, true));
  TANDEM_TRY_ASSIGN(const auto summary, store::restore(cli.machine.fs, file, *store, crash_points));
  print_summary(cli, summary, file, place, "restored from");
  return 0;
}

/// Bytes as a member of a line: JSON as it is, other text as text, the rest in base64.
void add_value(Json& line, const Bytes& value) {
  if (auto document = parse_json(value, "value"))
    line["value"] = *std::move(document);
  else if (invalid_utf8_at(value) == std::string::npos)
    line["value_text"] = value;
  else
    line["value_base64"] = to_base64(value);
}

void add_key(Json& line, const char* name, const std::string& key) {
  if (invalid_utf8_at(key) == std::string::npos)
    line[name] = key;
  else
    line[std::string(name) + "_base64"] = to_base64(key);
}

Result<int> export_lines(Cli& cli) {
  TANDEM_TRY_ASSIGN(const Place place, place_of(cli, Use::kRead));
  TANDEM_TRY_ASSIGN(const auto store, open_store_to_read(place.settings, place.data_dir, cli.machine));
  TANDEM_TRY_ASSIGN(const auto snapshot, store->snapshot());
  print_json_line({{"kind", "store"},
                   {"store", store->kind()},
                   {"schema_version", snapshot->schema_version()},
                   {"last_sequence", snapshot->last_sequence()},
                   {"exported_at", format_rfc3339(cli.machine.clock.now())},
                   {"tandem", TANDEM_VERSION}});
  for (std::size_t i = 0; i < store::kNumTables; ++i) {
    const auto table = static_cast<Table>(i);
    TANDEM_TRY(snapshot->read_rows(table, [&](const store::Row& row) -> Result<void> {
      Json line = {{"kind", "row"}, {"table", to_string(table)}, {"version", row.version}};
      add_key(line, "key", row.key);
      add_value(line, row.value);
      print_json_line(line);
      return {};
    }));
  }
  TANDEM_TRY(snapshot->read_log([&](const store::LogEntry& entry) -> Result<void> {
    Json line = {{"kind", "event"}, {"sequence", entry.sequence}};
    add_key(line, "subject", entry.subject);
    add_value(line, entry.value);
    print_json_line(line);
    return {};
  }));
  return 0;
}

Result<int> migrate(Cli& cli) {
  TANDEM_TRY_ASSIGN(const Place place, place_of(cli, Use::kWrite));
  TANDEM_TRY_ASSIGN(const store::Migration done, migrate_store(place.settings, place.data_dir, cli.machine));
  if (cli.json)
    print_json({{"place", shown(place)}, {"from", done.from}, {"to", done.to}});
  else if (done.from == done.to)
    fmt::print("{} has schema version {}; there is nothing to do\n", shown(place), done.to);
  else
    fmt::print("{} was brought from schema version {} to {}\n", shown(place), done.from, done.to);
  return 0;
}

CLI::App* add_command(CLI::App& parent, Cli& cli, const std::string& name, const std::string& what) {
  CLI::App* command = parent.add_subcommand(name, what);
  command
      ->add_option_function<std::string>(
          "--store", [&cli](const std::string& value) { cli.flags["store.address"] = value; },
          "postgresql://... instead of the file in the data directory (default: setting store.address)")
      ->type_name("ADDRESS");
  return command;
}

}  // namespace

void add_store(CLI::App& app, Cli& cli) {
  CLI::App* commands = app.add_subcommand("store", "check, back up, restore, export and migrate what is kept");
  commands->require_subcommand(1);
  auto file = std::make_shared<std::string>();

  CLI::App* checking =
      add_command(*commands, cli, "check", "hold the store, or a backup, to everything that must be true of it");
  checking->add_option("FILE", *file, "a backup; without it the store itself")->type_name("FILE");
  checking->callback([&cli, file] { cli.action = [&cli, file] { return check(cli, *file); }; });

  CLI::App* saving =
      add_command(*commands, cli, "backup", "write the whole store of this moment into one file; servers may go on");
  auto plain = std::make_shared<bool>(false);
  saving->add_option("FILE", *file, "replaced when the backup is complete")->type_name("FILE")->required();
  saving->add_flag("--no-compress", *plain, "larger and faster");
  saving->callback([&cli, file, plain] { cli.action = [&cli, file, plain] { return backup(cli, *file, *plain); }; });

  CLI::App* loading = add_command(*commands, cli, "restore", "fill an empty store of either kind from a backup");
  loading->add_option("FILE", *file, "what `store backup` wrote")->type_name("FILE")->required();
  loading->callback([&cli, file] { cli.action = [&cli, file] { return restore(cli, *file); }; });

  add_command(*commands, cli, "export", "print everything as JSON, one object a line")->callback([&cli] {
    cli.action = [&cli] { return export_lines(cli); };
  });
  add_command(*commands, cli, "migrate", "bring the store to the schema of this version")->callback([&cli] {
    cli.action = [&cli] { return migrate(cli); };
  });
}

}  // namespace tandem::app

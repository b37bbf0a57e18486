#include "circuit_cost.h"

#include <cmath>

#include "tandem/base/text.h"
#include "tandem/compute/statevector/circuit_report.h"
#include "tandem/model/format/circuit_file.h"
#include "tandem/model/format/format.h"

namespace tandem::app {
namespace {

using statevector::CircuitReport;
using statevector::MachineProfile;
using statevector::Precision;
using statevector::StageReport;

constexpr std::uint64_t kProfileBytesMax = 1u << 16;

std::string profile_file(const std::string& data_dir) { return data_dir + "/machine.json"; }

Json document_of(const StageReport& stage) {
  return {{"kind", to_string(stage.kind)},      {"bits", stage.bits},
          {"gathered", stage.gathered},         {"turns", stage.turns},
          {"lane_turns", stage.lane_turns},     {"phase_groups", stage.phase_groups},
          {"pair_gates", stage.pair_gates},     {"dense_gates", stage.dense_gates},
          {"moved_bytes", stage.moved_bytes},   {"fused", stage.fused},
          {"memory_s", stage.memory_s},         {"work_s", stage.work_s},
          {"predicted_s", stage.predicted_s()}, {"measured_s", stage.measured_s}};
}

Json number_or_null(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json document_of(const CircuitReport& report) {
  Json stages = Json::array();
  for (const StageReport& stage : report.stages) stages.push_back(document_of(stage));
  return {{"qubits", report.num_qubits},
          {"gates", report.gates},
          {"state_bytes", report.state_bytes},
          {"rounding", {{"f32", number_or_null(report.single_rounding)}, {"f64", report.double_rounding}}},
          {"planning_s", report.planning_s},
          {"moved_bytes", report.moved_bytes()},
          {"fused", report.fused()},
          {"predicted_s", report.predicted_s()},
          {"measured_s", report.measured_s()},
          {"memory_limit_s", report.memory_limit_s},
          {"arithmetic_limit_s", report.arithmetic_limit_s},
          {"share_of_limit", report.share_of_limit()},
          {"stages", stages}};
}

std::string milliseconds(double seconds) { return fmt::format("{:.3g}", 1e3 * seconds); }

void print_report(const CircuitReport& report, bool measured) {
  fmt::print("{} gates on {} qubits: {} bytes, planned in {} ms as {} passes over the state\n\n", report.gates,
             report.num_qubits, report.state_bytes, milliseconds(report.planning_s), report.stages.size());
  std::vector<std::vector<std::string>> rows = {
      {"pass", "by", "tile", "turns", "phases", "gates", "MB", "memory ms", "work ms", "predicted ms", "measured ms"}};
  const auto measured_ms = [&](double seconds) { return measured ? milliseconds(seconds) : "-"; };
  for (std::size_t i = 0; i < report.stages.size(); ++i) {
    const StageReport& stage = report.stages[i];
    rows.push_back({std::to_string(i + 1), std::string(to_string(stage.kind)),
                    fmt::format("{} bits{}", stage.bits.size(), stage.gathered ? ", gathered" : ""),
                    std::to_string(stage.turns + stage.lane_turns), std::to_string(stage.phase_groups),
                    std::to_string(stage.pair_gates + stage.dense_gates),
                    fmt::format("{:.4g}", stage.moved_bytes / 1e6), milliseconds(stage.memory_s),
                    milliseconds(stage.work_s), milliseconds(stage.predicted_s()), measured_ms(stage.measured_s)});
  }
  rows.push_back({"all", "", "", "", "", "", fmt::format("{:.4g}", report.moved_bytes() / 1e6), "", "",
                  milliseconds(report.predicted_s()), measured_ms(report.measured_s())});
  print_table(rows);
  const bool by_memory = report.memory_limit_s > report.arithmetic_limit_s;
  fmt::print("\nthe machine's limit by {}: {} ms", by_memory ? "memory" : "arithmetic", milliseconds(report.limit_s()));
  if (measured) fmt::print(", of which {:.0f} % are reached", 100 * report.share_of_limit());
  fmt::print("\n{}; rounding moves no probability by more than {:.2g} (f32: {:.2g}, f64: {:.2g})\n",
             to_string(report.precision),
             report.precision == Precision::kSingle ? report.single_rounding : report.double_rounding,
             report.single_rounding, report.double_rounding);
}

}  // namespace

std::optional<MachineProfile> kept_machine_profile(const Settings& settings, Machine& machine, std::size_t threads) {
  const auto data_dir = data_dir_of(settings, machine.environment);
  if (!data_dir) return std::nullopt;
  const std::string path = profile_file(*data_dir);
  const auto text = machine.fs.read_file(path, kProfileBytesMax);
  if (!text) return std::nullopt;
  const auto document = parse_json(*text, path);
  if (!document || !document->is_object() ||
      document->value("model", Json()) != versions(settings, machine.fs, threads).machine_profile["model"])
    return std::nullopt;
  const auto kept = MachineProfile::parse(document->value("speed", Json()), "/speed");
  if (!kept || kept->isa != simd::to_string(simd::best_isa()) || kept->threads != threads) return std::nullopt;
  return *kept;
}

Result<MachineProfile> machine_profile(const Settings& settings, Machine& machine, Executor& executor) {
  if (const auto kept = kept_machine_profile(settings, machine, executor.threads())) return *kept;
  TANDEM_TRY_ASSIGN(const std::string data_dir, data_dir_of(settings, machine.environment));
  TANDEM_TRY_ASSIGN(const MachineProfile measured,
                    statevector::measure_machine(simd::best_isa(), executor, machine.clock));
  const Json model = versions(settings, machine.fs, executor.threads()).machine_profile["model"];
  const std::string text = Json({{"model", model}, {"speed", measured.document()}}).dump(2) + "\n";
  if (machine.fs.make_directories(data_dir))
    static_cast<void>(machine.fs.write_file_atomic(profile_file(data_dir), text));
  return measured;
}

Result<int> explain_circuit(Cli& cli, const CircuitWanted& wanted) {
  TANDEM_TRY_ASSIGN(const Settings settings, cli.settings());
  if (wanted.precision != "f32" && wanted.precision != "f64")
    return fail_at("--precision", errors::kUsage, "{} is not f32 or f64", quote(wanted.precision));
  const auto bytes_max = static_cast<std::uint64_t>(settings.integer("input.file_bytes_max"));
  TANDEM_TRY_ASSIGN(Bytes raw, cli.machine.fs.read_file(wanted.file, bytes_max));
  TANDEM_TRY_ASSIGN(const Bytes text, format::unpack(std::move(raw), wanted.file, {.bytes_max = bytes_max}));
  TANDEM_TRY_ASSIGN(const circuit::Circuit circuit, format::read_circuit(text, wanted.file));
  if (wanted.tolerance && !(*wanted.tolerance > 0 && std::isfinite(*wanted.tolerance)))
    return fail_at("--tolerance", errors::kUsage, "{} is no error of rounding; use more than 0", *wanted.tolerance);
  ThreadExecutor executor(static_cast<std::size_t>(settings.integer("compute.threads")));
  TANDEM_TRY_ASSIGN(const MachineProfile profile, machine_profile(settings, cli.machine, executor));
  const statevector::ReportOptions options{
      .precision = wanted.precision == "f32" ? Precision::kSingle : Precision::kDouble,
      .tolerance = wanted.tolerance.value_or(0),
      .measuring = wanted.plan_only ? statevector::Measuring::kPlanOnly : statevector::Measuring::kRun,
      .memory_bytes_max = make_memory(settings, cli.machine.fs, executor)->room()};
  auto found = statevector::report_circuit(circuit, profile, options, executor, cli.machine.clock);
  if (!found && found.error().place == "/tolerance") found.error().place = "--tolerance";
  TANDEM_TRY_ASSIGN(const CircuitReport report, std::move(found));
  if (for_machines(cli))
    print_json({{"circuit", document_of(report)},
                {"precision", to_string(report.precision)},
                {"machine", profile.document()}});
  else
    print_report(report, !wanted.plan_only);
  return 0;
}

}  // namespace tandem::app

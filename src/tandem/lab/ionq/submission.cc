#include "tandem/lab/ionq/submission.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "tandem/base/assert.h"
#include "tandem/base/text.h"
#include "tandem/lab/ionq/tolerance.h"

namespace tandem::lab {
namespace {

using circuit::Angle;
using circuit::Circuit;
using circuit::Gate;

template <typename T>
using Checked = tl::expected<T, Refusal>;

constexpr double kPi = std::numbers::pi;
constexpr std::array<std::string_view, 8> kNoiseModels = {"ideal",  "harmony", "harmony-1", "harmony-2",
                                                          "aria-1", "aria-2",  "forte-1",   "forte-enterprise-1"};

tl::unexpected<Refusal> refuse(std::string key, std::string message) {
  return tl::unexpected(
      Refusal{.message = fmt::format("\"{}\" {}", key, std::move(message)), .keys = {std::move(key)}});
}

Checked<void> allow_only(const Json& object, const std::string& at, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end())
      return refuse(at.empty() ? key : at + "." + key, "is not allowed");
  }
  return {};
}

bool is_integer(const Json& value) {
  return value.is_number_integer() ||
         (value.is_number_float() && value.get<double>() == std::floor(value.get<double>()));
}

bool is_int32(const Json& value) {
  return is_integer(value) && value.get<double>() >= INT32_MIN && value.get<double>() <= INT32_MAX;
}

/// One gate of the list, read.
struct WireGate {
  std::string name;
  std::vector<std::uint32_t> targets;
  std::vector<std::uint32_t> controls;
  std::optional<double> rotation;
  std::optional<double> phase;
  std::optional<double> angle;
  std::vector<double> phases;
};

/// Reads the gates of one circuit and builds what they mean.
class Reader {
 public:
  Reader(bool native, std::uint32_t qubits_max) : native_(native), qubits_max_(qubits_max) {}

  Checked<void> read(const Json& gates) {
    if (gates.size() > kIonqGatesMax)
      return refuse("input.circuit", fmt::format("has more than {} gates", kIonqGatesMax));
    for (std::size_t i = 0; i < gates.size(); ++i) {
      const std::string at = fmt::format("input.circuit[{}]", i);
      auto gate = read_gate(gates[i], at);
      if (!gate) return tl::unexpected(std::move(gate.error()));
      wire_.push_back(*std::move(gate));
    }
    return {};
  }

  std::uint32_t width() const {
    std::uint32_t out = 0;
    for (const WireGate& gate : wire_) {
      for (const std::uint32_t qubit : gate.targets) out = std::max(out, qubit + 1);
      for (const std::uint32_t qubit : gate.controls) out = std::max(out, qubit + 1);
    }
    return out;
  }

  Checked<Circuit> build(std::uint32_t qubits) {
    circuit_ = Circuit::create(qubits, qubits).value();  // within the limit of the backend
    for (std::size_t i = 0; i < wire_.size(); ++i) {
      const std::string at = fmt::format("input.circuit[{}]", i);
      auto added = native_ ? add_native(wire_[i], at) : add_qis(wire_[i], at);
      if (!added) return tl::unexpected(std::move(added.error()));
      // A gate on the wire is a few hundred instructions at most.
      if (circuit_.instructions().size() > kIonqInstructionsMax)
        return refuse("input.circuit",
                      fmt::format("TooManyGates: more than {} when controls are written out", kIonqInstructionsMax));
    }
    circuit_.measure_all();
    return std::move(circuit_);
  }

 private:
  Checked<WireGate> read_gate(const Json& gate, const std::string& at) const {
    if (!gate.is_object()) return refuse(at, "must be of type object");
    auto known = native_ ? allow_only(gate, at,
                                      {"gate", "target", "targets", "controls", "phase", "phases", "angle", "rotation"})
                         : allow_only(gate, at, {"gate", "target", "targets", "control", "controls", "rotation"});
    if (!known) return tl::unexpected(std::move(known.error()));
    if (!gate.contains("gate") || !gate["gate"].is_string()) return refuse(at + ".gate", "is required");
    WireGate out{.name = gate["gate"]};
    for (const auto& [one, many, into] :
         {std::tuple{"target", "targets", &out.targets}, {"control", "controls", &out.controls}}) {
      if (gate.contains(one) && gate.contains(many))
        return refuse(at + "." + one, fmt::format("cannot stand beside \"{}\"", many));
      const Json list = gate.contains(one) ? Json::array({gate[one]}) : gate.value(many, Json::array());
      if (!list.is_array()) return refuse(at + "." + many, "must be of type array");
      for (const Json& qubit : list) {
        if (!is_integer(qubit) || qubit.get<double>() < 0 || qubit.get<double>() >= qubits_max_)
          return refuse(at + "." + (gate.contains(one) ? one : many),
                        fmt::format("must be qubits below {}", qubits_max_));
        into->push_back(static_cast<std::uint32_t>(qubit.get<double>()));
      }
    }
    for (const auto& [name, into] :
         {std::pair{"rotation", &out.rotation}, {"phase", &out.phase}, {"angle", &out.angle}}) {
      if (!gate.contains(name)) continue;
      if (!gate[name].is_number()) return refuse(at + "." + name, "must be of type number");
      *into = gate[name].get<double>();
    }
    if (gate.contains("phases")) {
      const Json& phases = gate["phases"];
      const bool numbers = phases.is_array() &&
                           std::all_of(phases.begin(), phases.end(), [](const Json& one) { return one.is_number(); });
      if (!numbers) return refuse(at + ".phases", "must be an array of numbers");
      out.phases = phases.get<std::vector<double>>();
    }
    if (out.targets.empty() && out.name != "nop") return refuse(at + ".target", "is required");
    std::vector<std::uint32_t> all = out.targets;
    all.insert(all.end(), out.controls.begin(), out.controls.end());
    std::sort(all.begin(), all.end());
    if (std::adjacent_find(all.begin(), all.end()) != all.end()) return refuse(at, "names a qubit twice");
    return out;
  }

  void one(Gate gate, std::uint32_t qubit, std::initializer_list<Angle> angles = {}) {
    circuit_.gate(gate, {qubit}, angles);
  }
  void two(Gate gate, std::uint32_t a, std::uint32_t b, std::initializer_list<Angle> angles = {}) {
    circuit_.gate(gate, {a, b}, angles);
  }
  static Angle radians(double value) { return Angle::constant(value); }
  /// Whole turns change nothing that can be measured, and a huge number of them would be no finite angle.
  static double in_radians(double turns) { return 2 * kPi * std::fmod(turns, 1.0); }

  /// A Toffoli of gates that machines have (Nielsen & Chuang, figure 4.9).
  void toffoli(std::uint32_t a, std::uint32_t b, std::uint32_t target) {
    one(Gate::kH, target);
    two(Gate::kCx, b, target);
    one(Gate::kTdg, target);
    two(Gate::kCx, a, target);
    one(Gate::kT, target);
    two(Gate::kCx, b, target);
    one(Gate::kTdg, target);
    two(Gate::kCx, a, target);
    one(Gate::kT, b);
    one(Gate::kT, target);
    one(Gate::kH, target);
    two(Gate::kCx, a, b);
    one(Gate::kT, a);
    one(Gate::kTdg, b);
    two(Gate::kCx, a, b);
  }

  Checked<void> add_qis(const WireGate& gate, const std::string& at) {
    const bool turns = gate.name == "rx" || gate.name == "ry" || gate.name == "rz" || gate.name == "xx" ||
                       gate.name == "yy" || gate.name == "zz";
    if (turns && !gate.rotation) return refuse(at + ".rotation", "is required");
    if (!turns && gate.name != "z" && gate.rotation) return refuse(at + ".rotation", "is not allowed");
    if (gate.name == "swap" || gate.name == "xx" || gate.name == "yy" || gate.name == "zz") return add_pair(gate, at);
    if (gate.controls.size() > 2) return refuse(at + ".controls", "TooManyControls: at most two here");
    for (const std::uint32_t target : gate.targets) {
      auto added = add_single(gate, target, at);
      if (!added) return added;
    }
    return {};
  }

  Checked<void> add_pair(const WireGate& gate, const std::string& at) {
    if (gate.targets.size() != 2) return refuse(at + ".targets", "must be two qubits");
    const std::uint32_t a = gate.targets[0];
    const std::uint32_t b = gate.targets[1];
    if (gate.name == "swap" && gate.controls.size() == 1) {
      two(Gate::kCx, b, a);
      toffoli(gate.controls[0], a, b);
      two(Gate::kCx, b, a);
      return {};
    }
    if (!gate.controls.empty()) return refuse(at + ".controls", fmt::format("are not known of {}", gate.name));
    if (gate.name == "swap") {
      two(Gate::kSwap, a, b);
    } else {
      two(gate.name == "xx"   ? Gate::kRxx
          : gate.name == "yy" ? Gate::kRyy
                              : Gate::kRzz,
          a, b, {radians(*gate.rotation)});
    }
    return {};
  }

  /// A gate on one target, with up to two controls.
  Checked<void> add_single(const WireGate& gate, std::uint32_t target, const std::string& at) {
    struct Row {
      std::string_view name;
      Gate plain;
      Gate controlled;  ///< kI: none, see `angle`
      double angle;     ///< of a controlled phase that does the same, between two h where `turned`
      bool turned;
    };
    static constexpr Row kRows[] = {
        {"x", Gate::kX, Gate::kCx, 0, false},          {"not", Gate::kX, Gate::kCx, 0, false},
        {"y", Gate::kY, Gate::kCy, 0, false},          {"z", Gate::kZ, Gate::kCz, 0, false},
        {"h", Gate::kH, Gate::kCh, 0, false},          {"s", Gate::kS, Gate::kI, kPi / 2, false},
        {"si", Gate::kSdg, Gate::kI, -kPi / 2, false}, {"t", Gate::kT, Gate::kI, kPi / 4, false},
        {"ti", Gate::kTdg, Gate::kI, -kPi / 4, false}, {"v", Gate::kSx, Gate::kI, kPi / 2, true},
        {"vi", Gate::kSxdg, Gate::kI, -kPi / 2, true}, {"rx", Gate::kRx, Gate::kCrx, 0, false},
        {"ry", Gate::kRy, Gate::kCry, 0, false},       {"rz", Gate::kRz, Gate::kCrz, 0, false},
    };
    if (gate.name == "cnot") {
      if (gate.controls.size() != 1) return refuse(at + ".control", "is required");
      two(Gate::kCx, gate.controls[0], target);
      return {};
    }
    const auto* row =
        std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& one) { return one.name == gate.name; });
    if (row == std::end(kRows)) return refuse(at + ".gate", fmt::format("UnsupportedGate: {}", quote(gate.name)));
    const bool phase = gate.name == "z" && gate.rotation;
    if (gate.controls.empty()) {
      if (phase || gate.rotation) {
        one(phase ? Gate::kP : row->plain, target, {radians(*gate.rotation)});
      } else {
        one(row->plain, target);
      }
      return {};
    }
    if (gate.controls.size() == 1) {
      const std::uint32_t control = gate.controls[0];
      if (phase || gate.rotation) {
        two(phase ? Gate::kCp : row->controlled, control, target, {radians(*gate.rotation)});
      } else if (row->controlled != Gate::kI) {
        two(row->controlled, control, target);
      } else {
        if (row->turned) one(Gate::kH, target);
        two(Gate::kCp, control, target, {radians(row->angle)});
        if (row->turned) one(Gate::kH, target);
      }
      return {};
    }
    if (phase || (gate.name != "x" && gate.name != "not" && gate.name != "z")) {
      return refuse(at + ".controls", fmt::format("TooManyControls: {} takes one here", gate.name));
    }
    if (gate.name == "z") one(Gate::kH, target);
    toffoli(gate.controls[0], gate.controls[1], target);
    if (gate.name == "z") one(Gate::kH, target);
    return {};
  }

  /// Phases and angles are turns. https://ionq.com/docs/getting-started-with-native-gates
  Checked<void> add_native(const WireGate& gate, const std::string& at) {
    if (gate.name == "nop") return {};
    if (!gate.controls.empty() || gate.rotation)
      return refuse(at, "has controls or a rotation, which native gates have not");
    const bool pair = gate.name == "ms" || gate.name == "zz";
    if (gate.targets.size() != (pair ? 2u : 1u))
      return refuse(at + ".targets", fmt::format("must be {} for {}", pair ? "two" : "one", gate.name));
    const std::uint32_t a = gate.targets[0];
    if (gate.name == "gpi" || gate.name == "gpi2") {
      if (!gate.phase) return refuse(at + ".phase", "is required");
      const double phi = in_radians(*gate.phase);
      if (gate.name == "gpi") {
        one(Gate::kU, a, {radians(kPi), radians(phi), radians(kPi - phi)});
      } else {
        one(Gate::kU, a, {radians(kPi / 2), radians(phi - kPi / 2), radians(kPi / 2 - phi)});
      }
      return {};
    }
    if (!pair) return refuse(at + ".gate", fmt::format("UnsupportedGate: {}", quote(gate.name)));
    const std::uint32_t b = gate.targets[1];
    if (gate.name == "zz") {
      if (!gate.angle) return refuse(at + ".angle", "is required");
      two(Gate::kRzz, a, b, {radians(in_radians(*gate.angle))});
      return {};
    }
    if (gate.phases.size() != 2) return refuse(at + ".phases", "must be two numbers");
    for (const auto& [qubit, turn] : {std::pair{a, gate.phases[0]}, {b, gate.phases[1]}})
      one(Gate::kRz, qubit, {radians(-in_radians(turn))});
    two(Gate::kRxx, a, b, {radians(in_radians(gate.angle.value_or(0.25)))});
    for (const auto& [qubit, turn] : {std::pair{a, gate.phases[0]}, {b, gate.phases[1]}})
      one(Gate::kRz, qubit, {radians(in_radians(turn))});
    return {};
  }

  bool native_;
  std::uint32_t qubits_max_;
  std::vector<WireGate> wire_;
  Circuit circuit_;
};

Checked<std::uint64_t> read_shots(const Json& document, std::string_view user_agent) {
  if (!document.contains("shots")) return 100;
  Json shots = document["shots"];
  if (shots.is_string() && tolerates(user_agent, Tolerance::kShotsAsText)) {
    const auto number = parse_int64(shots.get<std::string>());
    if (number) shots = *number;
  }
  if (!is_integer(shots) || shots.get<double>() < 1 || shots.get<double>() > static_cast<double>(kIonqShotsMax)) {
    return refuse("shots", fmt::format("must be an integer from 1 to {}", kIonqShotsMax));
  }
  return static_cast<std::uint64_t>(shots.get<double>());
}

Checked<void> check_metadata(const Json& document) {
  if (!document.contains("metadata")) return {};
  if (!document["metadata"].is_object()) return refuse("metadata", "must be of type object");
  for (const auto& [key, value] : document["metadata"].items()) {
    if (!value.is_string()) return refuse("metadata." + key, "must be of type string");
  }
  return {};
}

/// The model; empty where a machine is asked.
Checked<std::string> read_noise(const Json& document, std::string_view user_agent) {
  const bool simulator = document["backend"] == "simulator";
  if (!document.contains("noise")) return simulator ? "ideal" : "";
  const Json& noise = document["noise"];
  if (!noise.is_object()) return refuse("noise", "must be of type object");
  if (auto known = allow_only(noise, "noise", {"model", "seed"}); !known)
    return tl::unexpected(std::move(known.error()));
  const bool named = noise.contains("model") && noise["model"].is_string();
  if (!named || std::find(kNoiseModels.begin(), kNoiseModels.end(), noise["model"].get_ref<const std::string&>()) ==
                    kNoiseModels.end())
    return refuse("noise.model", fmt::format("must be one of {}", fmt::join(kNoiseModels, ", ")));
  if (noise.contains("seed") && !is_int32(noise["seed"]) &&
      !(noise["seed"].is_null() && tolerates(user_agent, Tolerance::kSeedNull)))
    return refuse("noise.seed", "must be an integer of 32 bits");
  if (!simulator) return refuse("noise", "is for the simulator only");
  return noise["model"].get<std::string>();
}

Checked<void> check_settings(const Json& document, std::uint64_t shots) {
  if (!document.contains("settings")) return {};
  const Json& settings = document["settings"];
  if (!settings.is_object()) return refuse("settings", "must be of type object");
  const Json mitigation = settings.value("error_mitigation", Json::object());
  if (!mitigation.is_object()) return refuse("settings.error_mitigation", "must be of type object");
  if (mitigation.contains("debiasing") && !mitigation["debiasing"].is_boolean())
    return refuse("settings.error_mitigation.debiasing", "must be of type boolean");
  if (mitigation.value("debiasing", false) && shots < 500)
    return refuse("settings.error_mitigation.debiasing", "needs at least 500 shots");
  const Json compilation = settings.value("compilation", Json::object());
  if (!compilation.is_object()) return refuse("settings.compilation", "must be of type object");
  if (compilation.contains("opt") && !compilation["opt"].is_number())
    return refuse("settings.compilation.opt", "must be of type number");
  if (compilation.contains("precision") && !compilation["precision"].is_string())
    return refuse("settings.compilation.precision", "must be of type string");
  return {};
}

/// What an answer may repeat of checked settings: the text leaves those of a request open, those of an answer it does not.
struct Repeated {
  const char* part;
  const char* name;
  bool (Json::*is_its_type)() const noexcept;
};
constexpr Repeated kRepeated[] = {{"error_mitigation", "debiasing", &Json::is_boolean},
                                  {"compilation", "opt", &Json::is_number},
                                  {"compilation", "precision", &Json::is_string},
                                  {"compilation", "gate_basis", &Json::is_string},
                                  {"compilation", "service_version", &Json::is_string}};
Json repeated(const Json& settings) {
  Json out = Json::object();
  for (const Repeated& one : kRepeated) {
    if (!settings.contains(one.part)) continue;
    Json& into = out[one.part];
    if (into.is_null()) into = Json::object();
    const Json value = settings[one.part].value(one.name, Json());
    if ((value.*one.is_its_type)()) into[one.name] = value;
  }
  return out;
}

}  // namespace

tl::expected<IonqSubmission, Refusal> parse_ionq_submission(const Json& document, std::string_view user_agent,
                                                            std::uint32_t qubits_max) {
  if (!document.is_object()) return refuse("body", "must be of type object");
  Json top = document;
  if (tolerates(user_agent, Tolerance::kLang)) top.erase("lang");
  if (auto known = allow_only(
          top, "",
          {"name", "metadata", "shots", "backend", "session_id", "settings", "dry_run", "noise", "type", "input"});
      !known)
    return tl::unexpected(std::move(known.error()));
  if (top.value("type", Json()) != "ionq.circuit.v1")
    return refuse("type", "must be \"ionq.circuit.v1\": this emulator runs single circuits only");
  if (top.value("dry_run", Json(false)) != Json(false)) return refuse("dry_run", "is not emulated");
  if (top.contains("session_id")) return refuse("session_id", "is not emulated");
  if (top.contains("name") && !top["name"].is_string()) return refuse("name", "must be of type string");
  if (!top.contains("backend") || !top["backend"].is_string()) return refuse("backend", "is required");
  IonqSubmission out{
      .backend = top["backend"], .name = top.value("name", Json()), .metadata = top.value("metadata", Json())};
  const auto take = [](auto checked, auto& into) -> Checked<void> {
    if (!checked) return tl::unexpected(std::move(checked.error()));
    into = *std::move(checked);
    return {};
  };
  if (auto taken = take(read_shots(top, user_agent), out.shots); !taken)
    return tl::unexpected(std::move(taken.error()));
  if (auto taken = take(read_noise(top, user_agent), out.noise_model); !taken)
    return tl::unexpected(std::move(taken.error()));
  if (auto good = check_metadata(top); !good) return tl::unexpected(std::move(good.error()));
  if (auto good = check_settings(top, out.shots); !good) return tl::unexpected(std::move(good.error()));
  if (!out.noise_model.empty()) {
    out.noise = {{"model", out.noise_model}};
    if (top.contains("noise") && top["noise"].contains("seed") && !top["noise"]["seed"].is_null())
      out.noise["seed"] = top["noise"]["seed"];
  }
  out.settings = repeated(top.value("settings", Json::object()));

  const Json input = top.value("input", Json());
  if (!input.is_object()) return refuse("input", "is required");
  if (auto known = allow_only(input, "input", {"qubits", "circuit", "gateset"}); !known)
    return tl::unexpected(std::move(known.error()));
  const Json gateset = input.value("gateset", Json());
  if (gateset != "qis" && gateset != "native") return refuse("input.gateset", "must be \"qis\" or \"native\"");
  if (!input.contains("circuit") || !input["circuit"].is_array())
    return refuse("input.circuit", "must be of type array");
  Reader reader(gateset == "native", qubits_max);
  if (auto read = reader.read(input["circuit"]); !read) return tl::unexpected(std::move(read.error()));
  const Json qubits = input.value("qubits", Json(std::max(1u, reader.width())));
  if (!is_integer(qubits) || qubits.get<double>() < 1)
    return refuse("input.qubits", "must be an integer of at least 1");
  if (qubits.get<double>() > qubits_max)
    return refuse("input.qubits", fmt::format("NotEnoughQubits: this backend has {}", qubits_max));
  if (qubits.get<double>() < reader.width()) return refuse("input.qubits", "is less than a qubit that is used");
  if (auto built = take(reader.build(static_cast<std::uint32_t>(qubits.get<double>())), out.circuit); !built)
    return tl::unexpected(std::move(built.error()));
  out.gates_1q = out.circuit.count_of(1);
  out.gates_2q = out.circuit.count_of(2);
  return out;
}

}  // namespace tandem::lab

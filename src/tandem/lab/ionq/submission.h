// tandem/lab/ionq/submission.h - what POST /jobs was sent, checked against the vendor's OpenAPI text to the letter.
//
// Room: lab. Written apart from the adapter that sends it, so that the two agree because both follow the text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/model/circuit/circuit.h"

namespace tandem::lab {

/// A single-circuit job.
struct IonqSubmission {
  std::string backend;  ///< as sent
  std::uint64_t shots = 100;
  std::string noise_model;  ///< of the simulator; empty: a machine
  Json name;  ///< null where absent, as all three
  Json metadata;
  Json noise;
  Json settings = Json::object();
  circuit::Circuit circuit;  ///< all qubits measured at the end
  std::uint64_t gates_1q = 0;
  std::uint64_t gates_2q = 0;
};

/// Why a submission is refused: an answer with status 400.
struct Refusal {
  std::string message;
  std::vector<std::string> keys;  ///< where, as in "input.circuit[3].target"
};

inline constexpr std::uint64_t kIonqShotsMax = 1'000'000;
inline constexpr std::size_t kIonqGatesMax = 1'000'000;
inline constexpr std::size_t kIonqInstructionsMax = 10'000'000;  ///< when targets and controls are written out

/// `qubits_max`: of the backend.
tl::expected<IonqSubmission, Refusal> parse_ionq_submission(const Json& document, std::string_view user_agent,
                                                            std::uint32_t qubits_max);

}  // namespace tandem::lab

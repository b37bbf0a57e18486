// tandem/lab/provider/testing/provider_bench.h - ProviderBench: an emulated provider with its book, and how our side speaks to it.
//
// Room: lab, tests only. What rigs that know no provider by name (rig.h, fault_matrix.h) are given one by.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/middleware/remote/codec.h"

namespace tandem::lab {

/// X on qubit 0 of three, measured: tells the bit orders apart.
inline circuit::Pub x_on_qubit_0(std::uint64_t shots) {
  circuit::Pub pub{.circuit = circuit::Circuit::create(3, 3).value(), .shots = shots};
  pub.circuit.gate(circuit::Gate::kX, {0}).measure_all();
  return pub;
}

/// How our side speaks to a provider.
struct ProviderAccess {
  std::string url;  ///< with the version of the API where it has one
  std::function<std::unique_ptr<const remote::Codec>()> make_codec;
  std::string api_key;  ///< empty: none is wanted
};

/// The provider's side: a process of its own in real life, a server with its own threads here. Threads: one.
class ProviderBench {
 public:
  ProviderBench() = default;
  virtual ~ProviderBench() = default;
  ProviderBench(const ProviderBench&) = delete;
  ProviderBench& operator=(const ProviderBench&) = delete;

  /// "127.0.0.1:43210"
  virtual const std::string& origin() const = 0;
  virtual ProviderAccess access() const = 0;
  virtual std::vector<Json> book() = 0;

  /// token -> how often it was accepted, and so billed.
  std::map<std::string, int> times_billed() {
    std::map<std::string, int> out;
    for (const Json& line : book())
      if (line.value("line", "") == "accepted") ++out[line.value("token", "")];
    return out;
  }
};

}  // namespace tandem::lab

// tandem/orchestrate/resilience/provider_name.h - how limits name all backends of a vendor together.
//
// Room: orchestrate; for the sources of this part only.
#pragma once

#include <string>
#include <string_view>

namespace tandem::resilience {

/// "vendor.qpu.one" -> "vendor.*".
inline std::string all_of_vendor(std::string_view backend) {
  return std::string(backend.substr(0, backend.find('.'))).append(".*");
}

}  // namespace tandem::resilience

// tandem/base/testing/memory_credentials.h - Credentials made of a map from reference to secret.
//
// Room: base, tests only.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "tandem/base/credential.h"

namespace tandem {

/// Threads: `secrets` must not change while others read.
class MemoryCredentials final : public Credentials {
 public:
  MemoryCredentials() = default;
  explicit MemoryCredentials(std::map<std::string, std::string> initial) : secrets(std::move(initial)) {}
  MemoryCredentials(std::initializer_list<std::pair<const std::string, std::string>> initial) : secrets(initial) {}

  Result<Secret> get(std::string_view reference) override {
    const auto found = secrets.find(std::string(reference));
    if (found == secrets.end()) {
      return fail(errors::kCredentialMissing, "the credential '{}' does not exist; create it", reference);
    }
    return Secret(found->second);
  }

  std::map<std::string, std::string> secrets;
};

}  // namespace tandem

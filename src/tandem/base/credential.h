// tandem/base/credential.h - the Credential seam: secrets by reference, never by value in a document, log or store.
//
// Room: base. FileCredentials reads "file:PATH" (mode 0400 or 0600) and "env:TANDEM_SECRET_NAME".
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "tandem/base/result.h"

namespace tandem {

class Environment;
class Fs;

/// A secret that does not print. `reveal()` is for the last step before the wire.
class Secret {
 public:
  explicit Secret(std::string value) : value_(std::move(value)) {}
  const std::string& reveal() const { return value_; }

 private:
  std::string value_;
};

class Credentials {
 public:
  virtual ~Credentials() = default;
  /// Errors: 1050 credential_missing; 1051 credential_unsafe - others may read the file; 1052 bad_credential_reference.
  virtual Result<Secret> get(std::string_view reference) = 0;
};

class FileCredentials final : public Credentials {
 public:
  FileCredentials(Fs& fs, const Environment& environment) : fs_(fs), environment_(environment) {}
  Result<Secret> get(std::string_view reference) override;

 private:
  Fs& fs_;
  const Environment& environment_;
};

}  // namespace tandem

// tandem/base/credential.h - the Credential seam: secrets by reference, never by value in a document, log or store.
//
// Room: base. FileCredentials reads "systemd:NAME" (what the service manager handed over), "file:PATH" (mode 0400 or 0600) and
// "env:TANDEM_SECRET_NAME" (with a warning: children and the user's other processes can see it).
#pragma once

#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "tandem/base/result.h"

namespace tandem {

class Environment;
class Fs;
class Log;

/// A secret that does not print, and leaves no copy in the memory that it had. `reveal()` is for the last step before the wire.
class Secret {
 public:
  explicit Secret(std::string value) : value_(std::move(value)) {}
  Secret(const Secret&) = default;
  Secret& operator=(const Secret& other);
  ~Secret() { wipe(); }
  const std::string& reveal() const { return value_; }

 private:
  void wipe();
  std::string value_;
};

/// Where a secret stands, as a setting says it.
struct CredentialReference {
  enum class Kind : std::uint8_t { kFile, kVariable, kService } kind = Kind::kFile;
  std::string name;  ///< path, variable, or name of the service manager's
  /// Errors: 1052 bad_credential_reference. What was given is not repeated: it may be the secret itself.
  static Result<CredentialReference> parse(std::string_view text);
};

class Credentials {
 public:
  virtual ~Credentials() = default;
  /// Errors: 1050 credential_missing; 1051 credential_unsafe - others may read the file; 1052 bad_credential_reference.
  virtual Result<Secret> get(std::string_view reference) = 0;
};

/// Threads: safe to call concurrently. References outlive it.
class FileCredentials final : public Credentials {
 public:
  FileCredentials(Fs& fs, const Environment& environment, Log& log) : fs_(fs), environment_(environment), log_(log) {}
  /// A variable is warned of once.
  Result<Secret> get(std::string_view reference) override;

 private:
  Result<Secret> of_service_manager(std::string_view reference, const std::string& name);
  void warn_of_variable(std::string_view name);

  Fs& fs_;
  const Environment& environment_;
  Log& log_;
  std::mutex mutex_;
  std::set<std::string, std::less<>> warned_;  ///< guarded by mutex_
};

}  // namespace tandem

#include "tandem/base/credential.h"

#include <cstring>

#include "tandem/base/fs.h"
#include "tandem/base/log.h"
#include "tandem/base/setting.h"
#include "tandem/base/text.h"

namespace tandem {
namespace {

constexpr std::string_view kFileScheme = "file:";
constexpr std::string_view kVariableScheme = "env:";
constexpr std::string_view kServiceScheme = "systemd:";
constexpr std::string_view kServiceDirectory = "CREDENTIALS_DIRECTORY";  // systemd.exec(5)
constexpr std::string_view kVariablePrefix =
    "TANDEM_SECRET_";  // so that a document cannot ask for any variable of the process
constexpr std::uint64_t kSecretBytesMax = 64u << 10;  // keys and certificates are far smaller

Result<Secret> checked(std::string_view reference, std::string value) {
  while (!value.empty() && (value.back() == '\n' || value.back() == '\r')) value.pop_back();
  if (value.empty())
    return fail(errors::kCredentialMissing, "the credential {} is empty; write the secret into it", quote(reference));
  return Secret(std::move(value));
}

}  // namespace

Secret& Secret::operator=(const Secret& other) {
  if (this == &other) return *this;
  wipe();
  value_ = other.value_;
  return *this;
}

void Secret::wipe() {
  value_.resize(value_.capacity());  // also what was there before a move
  ::explicit_bzero(value_.data(), value_.size());  // a compiler does not leave it out
}

Result<CredentialReference> CredentialReference::parse(std::string_view text) {
  if (text.starts_with(kFileScheme) && text.size() > kFileScheme.size())
    return CredentialReference{.kind = Kind::kFile, .name = std::string(text.substr(kFileScheme.size()))};
  if (text.starts_with(kVariableScheme)) {
    const std::string_view name = text.substr(kVariableScheme.size());
    if (name.starts_with(kVariablePrefix) && name.size() > kVariablePrefix.size())
      return CredentialReference{.kind = Kind::kVariable, .name = std::string(name)};
  }
  if (text.starts_with(kServiceScheme)) {
    const std::string_view name = text.substr(kServiceScheme.size());
    if (!name.empty() && name.find('/') == std::string_view::npos && name != "." && name != "..")
      return CredentialReference{.kind = Kind::kService, .name = std::string(name)};
  }
  return fail(
      errors::kBadCredentialReference,
      "this is no credential reference, and is not repeated here because it may be a secret; write systemd:NAME, "
      "file:PATH or env:TANDEM_SECRET_NAME");
}

Result<Secret> FileCredentials::get(std::string_view reference) {
  TANDEM_TRY_ASSIGN(const CredentialReference where, CredentialReference::parse(reference));
  if (where.kind == CredentialReference::Kind::kFile) {
    const std::string& path = where.name;
    auto bytes = fs_.read_private_file(path, kSecretBytesMax);
    if (!bytes && bytes.error().number == errors::kFileNotFound) {
      return fail(errors::kCredentialMissing, "the credential file {} does not exist; create it with mode 0400",
                  quote(path));
    }
    if (!bytes) return tl::unexpected<Error>(std::move(bytes).error());
    return checked(reference, std::move(*bytes));
  }
  if (where.kind == CredentialReference::Kind::kService) return of_service_manager(reference, where.name);
  warn_of_variable(where.name);
  return checked(reference, environment_.get(where.name));
}

Result<Secret> FileCredentials::of_service_manager(std::string_view reference, const std::string& name) {
  const std::string directory = environment_.get(kServiceDirectory);
  // Nobody else can enter the directory; the files' modes show an access list that is no permission of a group.
  auto bytes = directory.empty() ? Result<Bytes>(fail(errors::kFileNotFound, "{} is not set", kServiceDirectory))
                                 : fs_.read_file(directory + "/" + name, kSecretBytesMax);
  if (!bytes && bytes.error().number == errors::kFileNotFound) {
    return fail(errors::kCredentialMissing,
                "the service manager has handed over no credential {}; add LoadCredential={}:PATH to the unit",
                quote(name), name);
  }
  if (!bytes) return tl::unexpected<Error>(std::move(bytes).error());
  return checked(reference, std::move(*bytes));
}

void FileCredentials::warn_of_variable(std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (!warned_.emplace(name).second) return;
  log_.write(LogLevel::kWarning, "credential.in_environment",
             {{"variable", std::string(name)},
              {"advice", "others may see the environment of a process; use systemd:NAME or file:PATH"}});
}

}  // namespace tandem

#include "tandem/base/credential.h"

#include "tandem/base/fs.h"
#include "tandem/base/setting.h"
#include "tandem/base/text.h"

namespace tandem {
namespace {

constexpr std::string_view kFileScheme = "file:";
constexpr std::string_view kVariableScheme = "env:";
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

Result<Secret> FileCredentials::get(std::string_view reference) {
  if (reference.starts_with(kFileScheme) && reference.size() > kFileScheme.size()) {
    const std::string path(reference.substr(kFileScheme.size()));
    auto bytes = fs_.read_private_file(path, kSecretBytesMax);
    if (!bytes && bytes.error().number == errors::kFileNotFound) {
      return fail(errors::kCredentialMissing, "the credential file {} does not exist; create it with mode 0400",
                  quote(path));
    }
    if (!bytes) return tl::unexpected<Error>(std::move(bytes).error());
    return checked(reference, std::move(*bytes));
  }
  if (reference.starts_with(kVariableScheme)) {
    const std::string_view name = reference.substr(kVariableScheme.size());
    if (name.starts_with(kVariablePrefix) && name.size() > kVariablePrefix.size())
      return checked(reference, environment_.get(name));
  }
  return fail(errors::kBadCredentialReference,
              "{} is not a credential reference; write file:PATH or env:TANDEM_SECRET_NAME", quote(reference));
}

}  // namespace tandem

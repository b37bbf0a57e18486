#include "tandem/store/postgres/address.h"

#include <arpa/inet.h>

#include <memory>
#include <vector>

#include "tandem/base/text.h"
#include "tandem/store/postgres/libpq.h"

namespace tandem::postgres {
namespace {

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using Options = std::unique_ptr<PQconninfoOption, FreeOptions>;

bool is_this_machine(std::string_view host) {
  if (host.empty() || host.front() == '/' || host.front() == '@' || host == "localhost" || host == "::1") return true;
  in_addr address{};
  const bool numeric = inet_pton(AF_INET, std::string(host).c_str(), &address) == 1;
  return numeric && (ntohl(address.s_addr) >> 24) == 127;
}

/// A value that the address gives, or else the one that libpq takes from its variables and defaults.
std::string effective(const Address& address, const char* key) {
  if (const auto given = address.options.find(key); given != address.options.end()) return given->second;
  const Options defaults(PQconndefaults());
  for (const PQconninfoOption* option = defaults.get(); option != nullptr && option->keyword != nullptr; ++option)
    if (std::string_view(option->keyword) == key && option->val != nullptr) return option->val;
  return {};
}

}  // namespace

Result<void> open_libpq() { return libpq.open(); }

Result<Address> Address::parse(const std::string& text) {
  TANDEM_TRY(open_libpq());
  char* message = nullptr;
  const Options parsed(PQconninfoParse(text.c_str(), &message));
  if (message != nullptr) PQfreemem(message);
  if (!parsed) {
    // libpq's own words may quote the whole address, and with it a password.
    return fail(errors::kBadStoreAddress,
                "the address of the store is not one of PostgreSQL; write "
                "postgresql://user@host:5432/name");
  }
  Address out;
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option)
    if (option->val != nullptr && *option->val != '\0') out.options.emplace(option->keyword, option->val);
  if (out.options.contains("service")) {
    return fail(
        errors::kBadStoreAddress,
        "the address of the store names a service, whose file decides what is checked; write host, port and name, "
        "or set PGSERVICE");
  }
  for (const char* secret : {"password", "sslpassword"}) {
    if (out.options.contains(secret)) {
      return fail(
          errors::kBadStoreAddress,
          "the address of the store holds a {}, which settings and logs would show; put it into a password file "
          "(PGPASSFILE, ~/.pgpass)",
          secret);
    }
  }
  const std::string host = effective(out, "host");
  const std::string mode = effective(out, "sslmode");
  // A numeric address is where the connection really goes, whatever the name says.
  for (const std::string& names : {host, effective(out, "hostaddr")}) {
    for (const std::string_view name : split(names, ',')) {
      if (is_this_machine(name) || mode == "verify-full") continue;
      return fail(errors::kBadStoreAddress,
                  "the store is on another machine ({}), and sslmode is {}; add sslmode=verify-full and the root "
                  "certificate (sslrootcert)",
                  name, quote(mode));
    }
  }
  const std::string port = effective(out, "port");
  const std::string user = effective(out, "user");
  const std::string name = effective(out, "dbname");
  out.shown = fmt::format("postgresql://{}@{}:{}/{}", user, host.empty() ? "localhost" : host,
                          port.empty() ? "5432" : port, name.empty() ? user : name);
  return out;
}

}  // namespace tandem::postgres

// Addresses to listen on: whatever is accepted is written back and read again to the same value.
#include "tandem/net/server/listen_address.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tandem/base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem::server;
  const auto address = parse_listen_address({reinterpret_cast<const char*>(data), size});
  if (!address) return 0;
  TANDEM_ASSERT(!address->host.empty());
  const auto again = parse_listen_address(format_address(address->host, address->port));
  TANDEM_ASSERT(again && *again == *address);
  return 0;
}

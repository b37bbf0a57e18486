#include "tandem/base/http.h"

#include "tandem/base/text.h"

namespace tandem {

std::string_view header_value(const Headers& headers, std::string_view name) {
  const std::string wanted = to_lower(name);
  for (const auto& [key, value] : headers) {
    if (to_lower(key) == wanted) return value;
  }
  return {};
}

}  // namespace tandem

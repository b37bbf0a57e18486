#include "tandem/model/result/kind.h"

#include "tandem/base/text.h"

namespace tandem::result {

Result<ObjectReader> open_kind(const Json& document, const std::string& pointer, std::string_view kind) {
  TANDEM_TRY_ASSIGN(ObjectReader reader, ObjectReader::create(document, pointer));
  TANDEM_TRY_ASSIGN(const std::string found, reader.string("kind"));
  if (found != kind) {
    return fail_at(reader.at("kind"), errors::kValueOutOfRange, "the kind is {}; expected '{}'", quote(found), kind);
  }
  return reader;
}

}  // namespace tandem::result

#include "tandem/store/precondition.h"

#include <string>

namespace tandem::store {
namespace {

constexpr std::size_t kShownKeyBytesMax = 80;

/// A key as a person can read it: printable ASCII as it is, other bytes as \xNN, long keys cut.
std::string shown(std::string_view key) {
  std::string text;
  for (const char c : key.substr(0, kShownKeyBytesMax)) {
    if (c >= 0x20 && c < 0x7f && c != '\\') {
      text.push_back(c);
    } else {
      text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  if (key.size() > kShownKeyBytesMax) text += "...";
  return text;
}

Result<void> check_size(std::string_view what, std::string_view key, std::size_t size, std::size_t size_max) {
  if (size <= size_max) return {};
  return fail(errors::kBatchTooLarge, "the {} of '{}' has {} bytes, the limit is {}: split it", what, shown(key), size,
              size_max);
}

Result<void> check_row(std::string_view key, std::string_view value) {
  TANDEM_TRY(check_size("key", key, key.size(), Batch::kKeyBytesMax));
  return check_size("value", key, value.size(), Batch::kValueBytesMax);
}

struct RowLimits {
  Result<void> operator()(const Put& put) const { return check_row(put.key, put.value); }
  Result<void> operator()(const Erase& erase) const { return check_row(erase.key, {}); }
  Result<void> operator()(const Check& check) const { return check_row(check.key, {}); }
  Result<void> operator()(const Append& append) const { return check_row(append.subject, append.value); }
};

struct OperationSize {
  std::size_t operator()(const Put& put) const { return put.key.size() + put.value.size(); }
  std::size_t operator()(const Erase& erase) const { return erase.key.size(); }
  std::size_t operator()(const Check& check) const { return check.key.size(); }
  std::size_t operator()(const Append& append) const { return append.subject.size() + append.value.size(); }
};

}  // namespace

std::size_t size_bytes(const Operation& operation) { return std::visit(OperationSize{}, operation); }

std::size_t size_bytes(const Batch& batch) {
  std::size_t total = 0;
  for (const Operation& operation : batch.operations) total += size_bytes(operation);
  return total;
}

Result<void> check_limits(const Batch& batch) {
  if (batch.operations.size() > Batch::kOperationsMax) {
    return fail(errors::kBatchTooLarge, "the batch has {} operations, the limit is {}: split it",
                batch.operations.size(), Batch::kOperationsMax);
  }
  for (const Operation& operation : batch.operations) TANDEM_TRY(std::visit(RowLimits{}, operation));
  if (const std::size_t size = size_bytes(batch); size > Batch::kBytesMax) {
    return fail(errors::kBatchTooLarge, "the batch has {} bytes, the limit is {}: split it", size, Batch::kBytesMax);
  }
  return {};
}

Result<void> check_expect(Table table, std::string_view key, Expect expect, std::optional<std::uint64_t> version) {
  switch (expect.kind) {
    case Expect::Kind::kAny:
      return {};
    case Expect::Kind::kAbsent:
      if (!version) return {};
      return fail(errors::kPreconditionFailed, "{} '{}' exists at version {} and was expected to be absent: read again",
                  to_string(table), shown(key), *version);
    case Expect::Kind::kPresent:
      if (version) return {};
      return fail(errors::kPreconditionFailed, "{} '{}' does not exist and was expected to: read again",
                  to_string(table), shown(key));
    case Expect::Kind::kVersion:
      if (version == expect.version) return {};
      if (!version) {
        return fail(errors::kPreconditionFailed, "{} '{}' does not exist and was expected at version {}: read again",
                    to_string(table), shown(key), expect.version);
      }
      return fail(errors::kPreconditionFailed, "{} '{}' is at version {} and was expected at version {}: read again",
                  to_string(table), shown(key), *version, expect.version);
  }
  return fail(errors::kInternal, "{} '{}': unknown precondition {}", to_string(table), shown(key),
              static_cast<int>(expect.kind));
}

}  // namespace tandem::store

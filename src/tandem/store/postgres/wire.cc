#include "tandem/store/postgres/wire.h"

#include <cstdlib>

#include "tandem/base/assert.h"

namespace tandem::postgres {
namespace {

constexpr std::uint32_t kByteaOid = 17;
constexpr std::uint32_t kInt8Oid = 20;
constexpr std::size_t kArrayHead = 20;  // dimensions, flags, element type, length, lower bound: four bytes each

std::string array_head(std::uint32_t element_type, std::size_t length, std::size_t bytes) {
  std::string out;
  out.reserve(kArrayHead + bytes);
  append_number<std::uint32_t>(out, 1);
  append_number<std::uint32_t>(out, 0);
  append_number(out, element_type);
  append_number<std::uint32_t>(out, static_cast<std::uint32_t>(length));
  append_number<std::uint32_t>(out, 1);
  return out;
}

}  // namespace

Params& Params::add(const char* data, std::size_t size) {
  values_.push_back(data == nullptr ? "" : data);  // a null pointer would be NULL instead of no bytes
  lengths_.push_back(static_cast<int>(size));
  formats_.push_back(1);
  return *this;
}

Params& Params::own(std::string encoded) {
  const std::string& kept = owned_.emplace_back(std::move(encoded));
  return add(kept.data(), kept.size());
}

Params& Params::integer(std::int64_t value) {
  std::string encoded;
  append_number(encoded, static_cast<std::uint64_t>(value));
  return own(std::move(encoded));
}

Params& Params::bytes(std::string_view value) { return add(value.data(), value.size()); }

Params& Params::integers(std::span<const std::int64_t> values) {
  std::string out = array_head(kInt8Oid, values.size(), values.size() * 12);
  for (const std::int64_t value : values) {
    append_number<std::uint32_t>(out, sizeof value);
    append_number(out, static_cast<std::uint64_t>(value));
  }
  return own(std::move(out));
}

Params& Params::byte_strings(std::span<const std::string_view> values) {
  std::size_t bytes = 0;
  for (const std::string_view value : values) bytes += kSizeBytes + value.size();
  std::string out = array_head(kByteaOid, values.size(), bytes);
  for (const std::string_view value : values) append_sized(out, value);
  return own(std::move(out));
}

std::string_view Answer::bytes(std::size_t row, int column) const {
  return {PQgetvalue(result_.get(), static_cast<int>(row), column),
          static_cast<std::size_t>(PQgetlength(result_.get(), static_cast<int>(row), column))};
}

std::int64_t Answer::integer(std::size_t row, int column) const {
  const std::string_view encoded = bytes(row, column);
  TANDEM_ASSERT(encoded.size() == sizeof(std::int64_t));
  return static_cast<std::int64_t>(number_at<std::uint64_t>(encoded.data()));
}

std::size_t Answer::num_changed() const { return std::strtoull(PQcmdTuples(result_.get()), nullptr, 10); }

bool Answer::null(std::size_t row, int column) const {
  return PQgetisnull(result_.get(), static_cast<int>(row), column) != 0;
}

std::vector<std::int64_t> Answer::integers(std::size_t row, int column) const {
  const std::string_view encoded = bytes(row, column);
  std::vector<std::int64_t> out;
  if (encoded.size() < kArrayHead) return out;  // an empty array has no dimensions
  const auto length = number_at<std::uint32_t>(encoded.data() + 12);
  if (encoded.size() != kArrayHead + length * std::size_t{12}) return out;  // a null is shorter
  for (std::uint32_t i = 0; i < length; ++i)
    out.push_back(static_cast<std::int64_t>(number_at<std::uint64_t>(encoded.data() + kArrayHead + i * 12 + 4)));
  return out;
}

}  // namespace tandem::postgres

// tandem/store/postgres/wire.h - parameters and answers in PostgreSQL's binary format.
//
// Room: store.
// Source: PostgreSQL 15 documentation, chapters 34 "libpq" and 55 "Frontend/Backend Protocol"; arrays as in array_send().
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/store/postgres/libpq.h"

namespace tandem::postgres {

/// The highest byte first.
template <typename Unsigned>
void append_number(std::string& out, Unsigned value) {
  for (int shift = 8 * (static_cast<int>(sizeof value) - 1); shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(static_cast<unsigned char>(value >> shift)));
}
template <typename Unsigned>
Unsigned number_at(const char* from) {
  Unsigned value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i)
    value = static_cast<Unsigned>(value << 8 | static_cast<unsigned char>(from[i]));
  return value;
}

inline constexpr std::size_t kSizeBytes = sizeof(std::uint32_t);
/// Its size before it.
inline void append_sized(std::string& out, std::string_view value) {
  append_number(out, static_cast<std::uint32_t>(value.size()));
  out.append(value);
}

/// The parameters $1, $2, ... of one statement. Single byte strings are not copied and must live until Connection::send().
class Params {
 public:
  Params& integer(std::int64_t value);  ///< int8
  Params& bytes(std::string_view value);  ///< bytea, or text
  Params& integers(std::span<const std::int64_t> values);  ///< int8[]
  Params& byte_strings(std::span<const std::string_view> values);  ///< bytea[]

  int count() const { return static_cast<int>(values_.size()); }
  const char* const* values() const { return values_.data(); }
  const int* lengths() const { return lengths_.data(); }
  const int* formats() const { return formats_.data(); }

 private:
  Params& add(const char* data, std::size_t size);
  Params& own(std::string encoded);

  std::deque<std::string> owned_;
  std::vector<const char*> values_;
  std::vector<int> lengths_;
  std::vector<int> formats_;  // 1: binary
};

/// What one statement gave, in binary. Rows and columns count from 0.
class Answer {
 public:
  explicit Answer(PGresult* result) : result_(result) {}
  std::size_t num_rows() const { return static_cast<std::size_t>(PQntuples(result_.get())); }
  std::string_view bytes(std::size_t row, int column) const;
  std::int64_t integer(std::size_t row, int column) const;  ///< of an int8
  bool null(std::size_t row, int column) const;
  /// Of an int8[]; empty when one of them is null, or all.
  std::vector<std::int64_t> integers(std::size_t row, int column) const;
  std::size_t num_changed() const;  ///< rows, by a statement that writes
  std::size_t memory_bytes() const { return PQresultMemorySize(result_.get()); }

 private:
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

}  // namespace tandem::postgres

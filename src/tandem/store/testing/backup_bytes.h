// tandem/store/testing/backup_bytes.h - a backup file put together by hand, so that tests can write what BackupWriter never would.
//
// Room: store, tests only. Follows docs/guide/stores.md, not backup_file.cc.
#pragma once

#include <zlib.h>

#include <string>
#include <string_view>

#include "tandem/base/hash.h"

namespace tandem::store {

inline std::string little_endian(std::uint64_t value, std::size_t bytes) {
  std::string out;
  for (; bytes > 0; --bytes, value >>= 8) out += static_cast<char>(value & 0xff);
  return out;
}

inline std::string backup_block(std::string_view records) {
  const auto sum = crc32(0, reinterpret_cast<const unsigned char*>(records.data()), static_cast<uInt>(records.size()));
  return little_endian(records.size(), 4) + little_endian(records.size(), 4) + little_endian(sum, 4) +
         std::string(records);
}

inline std::string backup_bytes(std::string_view header, std::string_view blocks, std::uint64_t format = 1) {
  const std::string bytes = "TANDEMBK" + little_endian(format, 4) + little_endian(header.size(), 4) +
                            std::string(header) + std::string(blocks) + little_endian(0, 4);
  const auto digest = sha256(bytes);
  return bytes + std::string(digest.bytes.begin(), digest.bytes.end());
}

inline constexpr std::string_view kBackupHeader =
    R"({"created_at":"2026-01-02T03:04:05.000006Z","last_sequence":1,"schema_version":1,"store":"sqlite",)"
    R"("tables":["job","meta"],"tandem":"0.1.0"})";

inline std::string backup_row(unsigned table, std::uint64_t version, std::string_view key, std::string_view value) {
  return little_endian(1, 1) + little_endian(table, 1) + little_endian(version, 8) + little_endian(key.size(), 4) +
         little_endian(value.size(), 4) + std::string(key) + std::string(value);
}

inline std::string backup_entry(std::uint64_t sequence, std::string_view subject, std::string_view value) {
  return little_endian(2, 1) + little_endian(sequence, 8) + little_endian(subject.size(), 4) +
         little_endian(value.size(), 4) + std::string(subject) + std::string(value);
}

}  // namespace tandem::store

// Any bytes as a backup, and as the records of one whose checksums hold: records within their limits or an error, never a crash.
#include "tandem/store/backup_file.h"

#include <cstddef>
#include <cstdint>

#include "tandem/base/assert.h"
#include "tandem/base/testing/memory_fs.h"
#include "tandem/store/testing/backup_bytes.h"

namespace {

void read_all(const std::string& bytes) {
  using namespace tandem;
  MemoryFs fs;
  fs.put_file("b", bytes);
  const auto reader = store::BackupReader::open(fs, "b");
  if (!reader) return;
  std::uint64_t size = 0;
  while (true) {
    const auto record = (*reader)->next();
    if (!record || !*record) break;
    if (const auto* row = std::get_if<store::BackupRow>(&**record)) size += row->row.key.size() + row->row.value.size();
  }
  TANDEM_ASSERT(size <= bytes.size() * 1100);  // deflate packs 1032 to 1 at most
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  read_all(bytes);
  read_all(tandem::store::backup_bytes(tandem::store::kBackupHeader, tandem::store::backup_block(bytes)));
  read_all(tandem::store::backup_bytes(bytes, ""));
  return 0;
}

// tandem/lab/provider/book.h - Book: the provider's own record of billed work, one JSON line each, synced before any answer.
//
// Room: lab. It is the oracle of fault tests: whoever was billed twice stands in it twice. Lines ("line" says which), beside them
// what each emulator needs to go on after a restart:
//   {"line":"opened","at","seed",...}                              the emulator, once
//   {"line":"accepted","at","id","token","billed_usd_micros",...}  billed from here on; token: what the client said the work is
//   {"line":"ended","at","id","token","status","billed_usd_micros",...}
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/fs.h"
#include "tandem/base/json.h"
#include "tandem/base/result.h"

namespace tandem::lab {

/// Threads: one at a time.
class Book {
 public:
  static constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 30;

  /// Opens for appending, made when it does not exist. Errors: 1045 lock_held - another emulator uses it; those of read_book.
  static Result<Book> open(Fs& fs, const std::string& path);
  /// What stood in it when it was opened; handed out once.
  std::vector<Json> take_lines() { return std::move(lines_); }
  /// Durable when it returns. Errors: 1041 disk_full; 1042 io_error; after either nothing more is accepted.
  Result<void> append(const Json& line);

 private:
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<AppendFile> file_;
  std::vector<Json> lines_;
};

/// All whole lines of a book. A torn last line, which a crash leaves of an append that was never acknowledged, is left out.
/// Errors: 3003 store_damaged - another line that is no JSON object; those of Fs.
Result<std::vector<Json>> read_book(Fs& fs, const std::string& path);

}  // namespace tandem::lab

#include "tandem/lab/provider/book.h"

namespace tandem::lab {
namespace {

constexpr std::uint64_t kLineBytesMax = std::uint64_t{1} << 28;

Result<std::vector<Json>> parse_lines(const Bytes& text, const std::string& path) {
  std::vector<Json> out;
  std::size_t begin = 0;
  for (std::size_t number = 1; begin < text.size(); ++number) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) return out;  // torn: its append was never acknowledged
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    if (line.empty()) continue;  // what closed a torn line
    auto value = parse_json(line, path, {.bytes_max = kLineBytesMax});
    // A torn line that a later start closed is not JSON either; only an empty line behind it tells it from damage.
    const bool torn = !value && begin < text.size() && text[begin] == '\n';
    if (torn) continue;
    if (!value || !value->is_object()) {
      return fail_at(fmt::format("{}:{}", path, number), errors::kStoreDamaged,
                     "this is no line of a device's book; move the file away to start a new one");
    }
    out.push_back(*std::move(value));
  }
  return out;
}

}  // namespace

Result<std::vector<Json>> read_book(Fs& fs, const std::string& path) {
  TANDEM_TRY_ASSIGN(const Bytes text, fs.read_file(path, Book::kBytesMax));
  return parse_lines(text, path);
}

Result<Book> Book::open(Fs& fs, const std::string& path) {
  Book out;
  TANDEM_TRY_ASSIGN(out.lock_, fs.lock(path + ".lock"));
  Bytes text;
  if (fs.exists(path)) {
    TANDEM_TRY_ASSIGN(text, fs.read_file(path, kBytesMax));
  }
  TANDEM_TRY_ASSIGN(out.lines_, parse_lines(text, path));
  TANDEM_TRY_ASSIGN(out.file_, fs.open_append(path));
  if (!text.empty() && !text.ends_with('\n')) TANDEM_TRY(out.file_->append_durable("\n\n"));
  return out;
}

Result<void> Book::append(const Json& line) { return file_->append_durable(line.dump() + "\n"); }

}  // namespace tandem::lab

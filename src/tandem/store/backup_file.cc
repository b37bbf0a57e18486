#include "tandem/store/backup_file.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <new>
#include <span>
#include <utility>

#include "tandem/base/assert.h"
#include "tandem/base/json.h"
#include "tandem/base/text.h"

namespace tandem::store {
namespace {

constexpr std::string_view kMagic = "TANDEMBK";
constexpr std::uint64_t kFormat = 1;
constexpr std::size_t kHeaderBytesMax = 65536;
constexpr std::size_t kBlockBytes = std::size_t{1} << 20;  ///< of records, before they are deflated
constexpr std::size_t kDigestBytes = 32;
constexpr int kFastest = 1;  ///< zlib's level: rows are JSON, and more effort wins little
constexpr std::uint64_t kRow = 1;
constexpr std::uint64_t kEntry = 2;

/// Little-endian.
Bytes number(std::uint64_t value, std::size_t bytes) {
  Bytes out(bytes, '\0');
  for (char& byte : out) {
    byte = static_cast<char>(value & 0xff);
    value >>= 8;
  }
  return out;
}

std::uint64_t number_in(std::string_view bytes) {
  std::uint64_t value = 0;
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte) value = value << 8 | static_cast<unsigned char>(*byte);
  return value;
}

const unsigned char* unsigned_bytes(const Bytes& bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }
unsigned char* unsigned_bytes(Bytes& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

std::uint64_t checksum(const Bytes& bytes) {
  return crc32(crc32(0, nullptr, 0), unsigned_bytes(bytes), static_cast<uInt>(bytes.size()));
}

Json document(const BackupHeader& header) {
  Json tables = Json::array();
  for (std::size_t i = 0; i < kNumTables; ++i) tables.push_back(to_string(static_cast<Table>(i)));
  return {{"store", header.store},
          {"schema_version", header.schema_version},
          {"last_sequence", header.last_sequence},
          {"created_at", format_rfc3339(header.created_at)},
          {"tandem", header.tandem},
          {"tables", tables}};
}

std::optional<Table> find_table(std::string_view name) {
  for (std::size_t i = 0; i < kNumTables; ++i)
    if (to_string(static_cast<Table>(i)) == name) return static_cast<Table>(i);
  return std::nullopt;
}

}  // namespace

Result<std::unique_ptr<BackupWriter>> BackupWriter::create(Fs& fs, const std::string& path, const BackupHeader& header,
                                                           Compression compression) {
  TANDEM_TRY_ASSIGN(auto file, fs.create(path));
  std::unique_ptr<BackupWriter> out(new BackupWriter(std::move(file), compression));
  const std::string text = document(header).dump();
  TANDEM_ASSERT(text.size() <= kHeaderBytesMax);
  TANDEM_TRY(out->put(kMagic));
  TANDEM_TRY(out->put(number(kFormat, 4)));
  TANDEM_TRY(out->put(number(text.size(), 4)));
  TANDEM_TRY(out->put(text));
  return out;
}

Result<void> BackupWriter::put(std::string_view bytes) {
  hash_.update(bytes);
  bytes_ += bytes.size();
  return file_->write(bytes);
}

Result<void> BackupWriter::add(Table table, const Row& row) {
  TANDEM_TRY(add_bytes(number(kRow, 1) + number(static_cast<std::uint64_t>(table), 1) + number(row.version, 8) +
                       number(row.key.size(), 4) + number(row.value.size(), 4)));
  TANDEM_TRY(add_bytes(row.key));
  return add_bytes(row.value);
}

Result<void> BackupWriter::add(const LogEntry& entry) {
  TANDEM_TRY(add_bytes(number(kEntry, 1) + number(entry.sequence, 8) + number(entry.subject.size(), 4) +
                       number(entry.value.size(), 4)));
  TANDEM_TRY(add_bytes(entry.subject));
  return add_bytes(entry.value);
}

Result<void> BackupWriter::add_bytes(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t size = std::min(bytes.size(), kBlockBytes - block_.size());
    block_ += bytes.substr(0, size);
    bytes.remove_prefix(size);
    if (block_.size() == kBlockBytes) TANDEM_TRY(write_block());
  }
  return {};
}

Result<void> BackupWriter::write_block() {
  const Bytes* stored = &block_;
  if (compression_ == Compression::kZlib) {
    uLongf size = compressBound(static_cast<uLong>(block_.size()));
    deflated_.resize(size);
    const int code = compress2(unsigned_bytes(deflated_), &size, unsigned_bytes(std::as_const(block_)),
                               static_cast<uLong>(block_.size()), kFastest);
    if (code == Z_MEM_ERROR) throw std::bad_alloc();
    TANDEM_ASSERT(code == Z_OK);
    deflated_.resize(size);
    if (deflated_.size() < block_.size()) stored = &deflated_;
  }
  TANDEM_TRY(put(number(stored->size(), 4) + number(block_.size(), 4) + number(checksum(*stored), 4)));
  TANDEM_TRY(put(*stored));
  block_.clear();
  return {};
}

Result<void> BackupWriter::finish() {
  if (!block_.empty()) TANDEM_TRY(write_block());
  TANDEM_TRY(put(number(0, 4)));
  const Sha256 digest = hash_.finish();
  bytes_ += digest.bytes.size();
  TANDEM_TRY(file_->write(Bytes(digest.bytes.begin(), digest.bytes.end())));
  return file_->publish();
}

template <typename... Args>
tl::unexpected<Error> BackupReader::damaged(std::uint64_t offset, fmt::format_string<Args...> why,
                                            Args&&... args) const {
  return fail(errors::kBackupDamaged, "{} cannot be used from byte {} on: {}", quote(path_), offset,
              fmt::format(why, std::forward<Args>(args)...));
}

Result<std::unique_ptr<BackupReader>> BackupReader::open(Fs& fs, const std::string& path) {
  TANDEM_TRY_ASSIGN(auto file, fs.open_read(path));
  std::unique_ptr<BackupReader> out(new BackupReader(std::move(file), path));
  TANDEM_TRY(out->read_header());
  return out;
}

Result<Bytes> BackupReader::take(std::size_t size) {
  Bytes bytes(size, '\0');
  TANDEM_TRY_ASSIGN(const std::size_t got, file_->read(std::span<char>(bytes.data(), bytes.size())));
  if (got < size) return damaged(offset_ + got, "it ends there");
  offset_ += size;
  hash_.update(bytes);
  return bytes;
}

Result<void> BackupReader::read_header() {
  Bytes magic(kMagic.size(), '\0');
  TANDEM_TRY_ASSIGN(const std::size_t got, file_->read(std::span<char>(magic.data(), magic.size())));
  if (magic.substr(0, got) != kMagic) return damaged(0, "it is no backup of a Tandem store");
  hash_.update(magic);
  offset_ = got;
  TANDEM_TRY_ASSIGN(const Bytes format, take(4));
  if (number_in(format) == 0) return damaged(offset_ - format.size(), "there is no format 0");
  if (number_in(format) > kFormat) {
    return fail(errors::kStoreNewer, "{} has format {}, this binary knows formats up to {}: use the newer binary",
                quote(path_), number_in(format), kFormat);
  }
  TANDEM_TRY_ASSIGN(const Bytes length, take(4));
  if (number_in(length) > kHeaderBytesMax)
    return damaged(offset_ - length.size(), "its header has {} bytes, the limit is {}", number_in(length),
                   kHeaderBytesMax);
  const std::uint64_t start = offset_;
  TANDEM_TRY_ASSIGN(const Bytes text, take(number_in(length)));
  auto parsed = parse_header(text);
  if (!parsed && parsed.error().number != errors::kStoreNewer)
    return damaged(start, "its header cannot be read: {}", parsed.error().to_string());
  return parsed;
}

Result<void> BackupReader::parse_header(const Bytes& text) {
  TANDEM_TRY_ASSIGN(const Json document, parse_json(text, "header"));
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  TANDEM_TRY_ASSIGN(header_.store, reader.string("store"));
  TANDEM_TRY_ASSIGN(const std::int64_t schema, reader.integer("schema_version", 0, INT64_MAX));
  header_.schema_version = static_cast<std::uint64_t>(schema);
  TANDEM_TRY_ASSIGN(const std::int64_t last, reader.integer("last_sequence", 0, INT64_MAX));
  header_.last_sequence = static_cast<std::uint64_t>(last);
  TANDEM_TRY_ASSIGN(const std::string created, reader.string("created_at"));
  TANDEM_TRY_ASSIGN(header_.created_at, parse_rfc3339(created));
  TANDEM_TRY_ASSIGN(header_.tandem, reader.string("tandem"));
  TANDEM_TRY_ASSIGN(const std::vector<std::string> names, reader.strings_or_empty("tables"));
  for (const std::string& name : names) {
    const std::optional<Table> table = find_table(name);
    if (!table) {
      return fail(errors::kStoreNewer, "{} has a table {}, which this binary does not have: use the newer binary",
                  quote(path_), quote(name));
    }
    tables_.push_back(*table);
  }
  return {};
}

Result<bool> BackupReader::read_block() {
  block_offset_ = offset_;
  TANDEM_TRY_ASSIGN(const Bytes stored_size, take(4));
  if (number_in(stored_size) == 0) {
    const Sha256 computed = hash_.finish();
    const std::uint64_t at = offset_;
    Bytes rest(kDigestBytes + 1, '\0');
    TANDEM_TRY_ASSIGN(const std::size_t got, file_->read(std::span<char>(rest.data(), rest.size())));
    if (got < kDigestBytes) return damaged(at + got, "it ends there");
    if (got > kDigestBytes) return damaged(at + kDigestBytes, "something follows its end");
    if (!std::equal(computed.bytes.begin(), computed.bytes.end(), unsigned_bytes(std::as_const(rest))))
      return damaged(at, "its checksum does not match");
    return false;
  }
  TANDEM_TRY_ASSIGN(const Bytes facts, take(8));
  const std::uint64_t stored = number_in(stored_size);
  const std::uint64_t raw = number_in(std::string_view(facts).substr(0, 4));
  if (raw > kBlockBytes || stored > raw)
    return damaged(block_offset_, "a block of {} bytes that stand for {}", stored, raw);
  TANDEM_TRY_ASSIGN(Bytes bytes, take(stored));
  if (checksum(bytes) != number_in(std::string_view(facts).substr(4)))
    return damaged(block_offset_, "the checksum of this block does not match");
  used_ = 0;
  if (stored == raw) {
    block_ = std::move(bytes);
    return true;
  }
  block_.assign(raw, '\0');
  uLongf size = static_cast<uLongf>(raw);
  const int code =
      uncompress(unsigned_bytes(block_), &size, unsigned_bytes(std::as_const(bytes)), static_cast<uLong>(bytes.size()));
  if (code == Z_MEM_ERROR) throw std::bad_alloc();
  if (code != Z_OK || size != raw) return damaged(block_offset_, "this block cannot be inflated");
  return true;
}

Result<Bytes> BackupReader::take_record(std::size_t size) {
  // Grows as blocks come: a length that lies takes no memory.
  Bytes out;
  while (out.size() < size) {
    if (used_ == block_.size()) {
      const std::uint64_t before = block_offset_;
      TANDEM_TRY_ASSIGN(const bool more, read_block());
      if (!more) return damaged(before, "the last record of this block is not whole");
    }
    const std::size_t part = std::min(size - out.size(), block_.size() - used_);
    out.append(block_, used_, part);
    used_ += part;
  }
  return out;
}

Result<std::uint64_t> BackupReader::take_number(std::size_t bytes) {
  TANDEM_TRY_ASSIGN(const Bytes taken, take_record(bytes));
  return number_in(taken);
}

Result<std::optional<BackupRecord>> BackupReader::next() {
  if (used_ == block_.size()) {
    TANDEM_TRY_ASSIGN(const bool more, read_block());
    if (!more && sequence_ != header_.last_sequence)
      return damaged(offset_, "its log ends with {} instead of {}", sequence_, header_.last_sequence);
    if (!more) return std::nullopt;
  }
  TANDEM_TRY_ASSIGN(const std::uint64_t kind, take_number(1));
  if (kind == kRow) return read_row();
  if (kind == kEntry) return read_entry();
  return damaged(block_offset_, "a record of the unknown kind {}", kind);
}

Result<BackupRecord> BackupReader::read_row() {
  TANDEM_TRY_ASSIGN(const std::uint64_t table, take_number(1));
  TANDEM_TRY_ASSIGN(const std::uint64_t version, take_number(8));
  TANDEM_TRY_ASSIGN(const std::uint64_t key_size, take_number(4));
  TANDEM_TRY_ASSIGN(const std::uint64_t value_size, take_number(4));
  if (table >= tables_.size() || version == 0 || version > INT64_MAX || key_size > Batch::kKeyBytesMax ||
      value_size > Batch::kValueBytesMax)
    return damaged(block_offset_, "a row of table {} at version {} with a key of {} and a value of {} bytes", table,
                   version, key_size, value_size);
  TANDEM_TRY_ASSIGN(std::string key, take_record(key_size));
  const bool follows = sequence_ == 0 && (!table_ || *table_ < table || (*table_ == table && key_ < key));
  if (!follows) return damaged(block_offset_, "a row that is out of order");
  table_ = table;
  key_ = key;
  TANDEM_TRY_ASSIGN(Bytes value, take_record(value_size));
  return BackupRow{tables_[table], {std::move(key), version, std::move(value)}};
}

Result<BackupRecord> BackupReader::read_entry() {
  TANDEM_TRY_ASSIGN(const std::uint64_t sequence, take_number(8));
  TANDEM_TRY_ASSIGN(const std::uint64_t subject_size, take_number(4));
  TANDEM_TRY_ASSIGN(const std::uint64_t value_size, take_number(4));
  if (sequence != sequence_ + 1 || subject_size > Batch::kKeyBytesMax || value_size > Batch::kValueBytesMax)
    return damaged(block_offset_, "an entry {} after {} with a subject of {} and a value of {} bytes", sequence,
                   sequence_, subject_size, value_size);
  sequence_ = sequence;
  TANDEM_TRY_ASSIGN(std::string subject, take_record(subject_size));
  TANDEM_TRY_ASSIGN(Bytes value, take_record(value_size));
  return LogEntry{sequence, std::move(subject), std::move(value)};
}

}  // namespace tandem::store

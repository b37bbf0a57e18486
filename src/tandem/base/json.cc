#include "tandem/base/json.h"

#include "tandem/base/json_writer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <iterator>

#include "tandem/base/assert.h"
#include "tandem/base/document.h"
#include "tandem/base/text.h"

namespace tandem {
namespace {

using document::Sink;
using document::Source;

constexpr int kNlohmannNumberOverflow = 406;  // json.exception.out_of_range.406

/// Walks a text and says how far the reader has come.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char** reached) : at_(at), reached_(reached) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    *reached_ = ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  friend bool operator!=(const CountingIterator& a, const CountingIterator& b) { return a.at_ != b.at_; }

 private:
  const char* at_;
  const char** reached_;
};

/// nlohmann's SAX events with the offset that each token starts at.
class SaxReader {
 public:
  SaxReader(const Source& source, Sink& sink)
      : source_(source),
        sink_(sink),
        reached_(source.text.data() + document::text_begin(source.text)),
        token_end_(begin()) {}

  const char** reached() { return &reached_; }
  std::size_t begin() const { return document::text_begin(source_.text); }
  std::optional<Error> error;

  bool null() { return scalar(nullptr); }
  bool boolean(bool value) { return scalar(value); }
  bool number_integer(std::int64_t value) { return scalar(value); }
  bool number_unsigned(std::uint64_t value) { return scalar(value); }
  bool number_float(double value, const std::string&) { return scalar(value); }
  bool string(std::string& value) { return scalar(std::move(value)); }
  bool binary(Json::binary_t&) { return false; }  // never called for text
  bool start_object(std::size_t) { return sink_.open_object(next_token()); }
  bool start_array(std::size_t) { return sink_.open_array(next_token()); }
  bool key(std::string& key) { return sink_.key(std::move(key), next_token()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool parse_error(std::size_t position, const std::string& token, const Json::exception& failure) {
    // `position` counts the characters read, the end of the text among them.
    const std::size_t offset = std::min(source_.text.size(), begin() + position - 1);
    error = failure.id == kNlohmannNumberOverflow
                ? make_error_at(source_.place(offset), errors::kNumberOutOfRange,
                                "the number {} is too large for a double; the largest is 1.7976931348623157e308",
                                quote(token))
                : make_error_at(source_.place(offset), errors::kJsonSyntax, "not JSON: {}; correct the text here",
                                reason_of(failure.what()));
    return false;
  }

 private:
  bool scalar(Json value) { return sink_.scalar(std::move(value), next_token()); }
  bool close() {
    next_token();
    return sink_.close();
  }
  /// Where the token just read starts: between two tokens stand only blanks, commas and colons.
  std::size_t next_token() {
    const std::size_t start = source_.text.find_first_not_of(" \t\r\n,:", token_end_);
    token_end_ = static_cast<std::size_t>(reached_ - source_.text.data());
    return start;
  }
  /// The library's words without its number, its own place and the text it had read, which may be of any length.
  static std::string reason_of(std::string_view what) {
    const std::size_t words = what.find(": ");
    if (words != std::string_view::npos) what.remove_prefix(words + 2);
    return std::string(what.substr(0, what.find("; last read: ")));
  }

  Source source_;
  Sink& sink_;
  const char* reached_;
  std::size_t token_end_;
};

// ---- canonical form ------------------------------------------------------------------------------------------------

/// One code point of valid UTF-8 as UTF-16 code units; bytes that are not UTF-8 count as U+FFFD.
std::u16string utf16_of(std::string_view text) {
  std::u16string units;
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i]);
    const std::size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (invalid_utf8_at(text.substr(i, length)) != std::string_view::npos) {
      units += u'\xfffd';
      ++i;
      continue;
    }
    std::uint32_t point = length == 1 ? first : first & (0x7fu >> length);
    for (std::size_t k = 1; k < length; ++k) point = point << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3fu);
    if (point >= 0x10000) {
      units += static_cast<char16_t>(0xd800 + ((point - 0x10000) >> 10));
      units += static_cast<char16_t>(0xdc00 + ((point - 0x10000) & 0x3ff));
    } else {
      units += static_cast<char16_t>(point);
    }
    i += length;
  }
  return units;
}

bool less_by_utf16(std::string_view a, std::string_view b) {
  // Bytes and UTF-16 order differ only where characters beyond the basic plane meet U+E000..U+FFFF.
  const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  if (std::all_of(a.begin(), a.end(), is_ascii) && std::all_of(b.begin(), b.end(), is_ascii)) return a < b;
  return utf16_of(a) < utf16_of(b);
}

void write_string(std::string_view text, std::string& out) {
  out += '"';
  std::size_t plain = 0;  // what needs no escape is appended at once
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c != '"' && c != '\\' && static_cast<unsigned char>(c) >= 0x20) continue;
    out += text.substr(plain, i - plain);
    plain = i + 1;
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\r':
        out += "\\r";
        break;
      default:
        out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    }
  }
  out += text.substr(plain);
  out += '"';
}

/// ECMA-262 Number::toString (radix 10): digits d1..dk and n with value = 0.d1..dk x 10^n.
void write_double(double value, std::string& out) {
  TANDEM_ASSERT(std::isfinite(value));
  if (value == 0) {
    out += '0';  // also for -0
    return;
  }
  std::array<char, 32> buffer{};
  const auto [end, code] =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific);
  TANDEM_ASSERT(code == std::errc{});
  std::string_view text(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
  if (text.front() == '-') {
    out += '-';
    text.remove_prefix(1);
  }
  const std::size_t mark = text.find('e');
  std::string digits(1, text.front());
  if (mark > 1) digits += text.substr(2, mark - 2);
  int exponent = 0;
  const std::string_view exponent_text = text.substr(text[mark + 1] == '+' ? mark + 2 : mark + 1);
  std::from_chars(exponent_text.data(), exponent_text.data() + exponent_text.size(), exponent);
  const int k = static_cast<int>(digits.size());
  const int n = exponent + 1;
  if (k <= n && n <= 21) {
    out += digits + std::string(static_cast<std::size_t>(n - k), '0');
  } else if (0 < n && n <= 21) {
    out += digits.substr(0, static_cast<std::size_t>(n)) + "." + digits.substr(static_cast<std::size_t>(n));
  } else if (-6 < n && n <= 0) {
    out += "0." + std::string(static_cast<std::size_t>(-n), '0') + digits;
  } else {
    out += digits.substr(0, 1) + (k > 1 ? "." + digits.substr(1) : "") + fmt::format("e{:+}", n - 1);
  }
}

void write_canonical(const Json& value, std::string& out) {
  switch (value.type()) {
    case Json::value_t::null:
      out += "null";
      return;
    case Json::value_t::boolean:
      out += value.get<bool>() ? "true" : "false";
      return;
    case Json::value_t::number_integer:
      out += std::to_string(value.get<std::int64_t>());
      return;
    case Json::value_t::number_unsigned:
      out += std::to_string(value.get<std::uint64_t>());
      return;
    case Json::value_t::number_float:
      write_double(value.get<double>(), out);
      return;
    case Json::value_t::string:
      write_string(value.get_ref<const std::string&>(), out);
      return;
    case Json::value_t::array: {
      out += '[';
      const char* separator = "";
      for (const Json& item : value) {
        out += separator;
        write_canonical(item, out);
        separator = ",";
      }
      out += ']';
      return;
    }
    case Json::value_t::object: {
      const auto& members = value.get_ref<const Json::object_t&>();
      const bool ascii = std::all_of(members.begin(), members.end(), [](const auto& member) {
        return std::all_of(member.first.begin(), member.first.end(), [](char c) { return (c & 0x80) == 0; });
      });
      out += '{';
      auto write_member = [&, separator = ""](std::string_view key, const Json& member) mutable {
        out += separator;
        separator = ",";
        write_string(key, out);
        out += ':';
        write_canonical(member, out);
      };
      if (ascii) {  // in order already
        for (const auto& [key, member] : members) write_member(key, member);
      } else {
        std::vector<std::pair<std::string_view, const Json*>> sorted;
        for (const auto& [key, member] : members) sorted.emplace_back(key, &member);
        std::sort(sorted.begin(), sorted.end(),
                  [](const auto& a, const auto& b) { return less_by_utf16(a.first, b.first); });
        for (const auto& [key, member] : sorted) write_member(key, *member);
      }
      out += '}';
      return;
    }
    case Json::value_t::binary:
    case Json::value_t::discarded:
      break;
  }
  constexpr bool kComesFromText = false;
  TANDEM_ASSERT(kComesFromText);
}

}  // namespace

Result<void> document::read_json(const Source& source, Sink& sink) {
  SaxReader reader(source, sink);
  const char* const end = source.text.data() + source.text.size();
  Json::sax_parse(CountingIterator(source.text.data() + reader.begin(), reader.reached()),
                  CountingIterator(end, reader.reached()), &reader);
  if (reader.error) return tl::unexpected<Error>(std::move(*reader.error));
  return {};
}

Result<Json> parse_json(std::string_view text, std::string_view name, const JsonLimits& limits) {
  const Source source{text, name};
  TANDEM_TRY(document::check_text(source, limits, errors::kJsonSyntax));
  document::Builder builder(source, limits);
  TANDEM_TRY(document::read_json(source, builder));
  if (builder.error) return tl::unexpected<Error>(std::move(*builder.error));
  return std::move(builder.root);
}

std::string canonical_json(const Json& value) {
  std::string out;
  write_canonical(value, out);
  return out;
}

void JsonWriter::begin(std::string_view key) {
  if (out_.size() > 1) out_ += ',';
  write_string(key, out_);
  out_ += ':';
}

JsonWriter& JsonWriter::member(std::string_view key, std::string_view text) {
  begin(key);
  write_string(text, out_);
  return *this;
}

JsonWriter& JsonWriter::member(std::string_view key, double value) {
  begin(key);
  write_double(value, out_);
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view key, std::string_view json) {
  begin(key);
  out_ += json;
  return *this;
}

std::string JsonWriter::finish() {
  out_ += '}';
  return std::move(out_);
}

}  // namespace tandem

#include "tandem/base/json_writer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "tandem/base/assert.h"
#include "tandem/base/text.h"

namespace tandem {
namespace {

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

/// Characters that a string does not hold as they are.
constexpr bool is_escaped(char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20; }

/// Whether one of eight characters is escaped.
bool any_escaped(const char* eight) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighs = 0x8080808080808080;
  std::uint64_t word = 0;
  std::memcpy(&word, eight, sizeof word);
  const auto below = [&](std::uint64_t bytes, std::uint64_t limit) {
    return (bytes - kOnes * limit) & ~bytes & kHighs;
  };
  return (below(word, 0x20) | below(word ^ (kOnes * '"'), 1) | below(word ^ (kOnes * '\\'), 1)) != 0;
}

void write_string(std::string_view text, std::string& out) {
  out += '"';
  std::size_t plain = 0;  // what needs no escape is appended at once
  for (std::size_t i = 0; i < text.size(); ++i) {
    while (i + 8 <= text.size() && !any_escaped(text.data() + i)) i += 8;
    if (i == text.size()) break;
    const char c = text[i];
    if (!is_escaped(c)) continue;
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

template <std::integral Integer>
void write_integer(Integer value, std::string& out) {
  std::array<char, 24> buffer{};
  out.append(buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr);
}

/// ECMA-262 Number::toString (radix 10): digits d1..dk and n with value = 0.d1..dk x 10^n.
void write_double(double value, std::string& out) {
  TANDEM_ASSERT(std::isfinite(value));
  if (constexpr double kWholeMax = 9'007'199'254'740'992; std::abs(value) < kWholeMax && std::trunc(value) == value)
    return write_integer(static_cast<std::int64_t>(value), out);  // 0 for -0
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
      write_integer(value.get<std::int64_t>(), out);
      return;
    case Json::value_t::number_unsigned:
      write_integer(value.get<std::uint64_t>(), out);
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

std::string canonical_json(const Json& value) {
  std::string out;
  write_canonical(value, out);
  return out;
}

Json JsonText::value() const { return Json::parse(text_); }

void JsonWriter::begin(std::string_view key) {
  out_ += out_.back() == '{' ? std::string_view("\"") : std::string_view(",\"");
  out_ += key;
  out_ += "\":";
}

JsonWriter& JsonWriter::member(std::string_view key, std::string_view text) {
  begin(key);
  write_string(text, out_);
  return *this;
}

JsonWriter& JsonWriter::integer(std::string_view key, std::int64_t value) {
  begin(key);
  write_integer(value, out_);
  return *this;
}

JsonWriter& JsonWriter::count(std::string_view key, std::uint64_t value) {
  begin(key);
  write_integer(value, out_);
  return *this;
}

JsonWriter& JsonWriter::member(std::string_view key, double value) {
  begin(key);
  write_double(value, out_);
  return *this;
}

JsonWriter& JsonWriter::member(std::string_view key, const std::vector<std::string>& texts) {
  begin(key);
  out_ += '[';
  for (const std::string& text : texts) {
    if (out_.back() != '[') out_ += ',';
    write_string(text, out_);
  }
  out_ += ']';
  return *this;
}

JsonWriter& JsonWriter::json(std::string_view key, const Json& value) {
  begin(key);
  write_canonical(value, out_);
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view key, std::string_view json) {
  begin(key);
  out_ += json;
  return *this;
}

std::string JsonWriter::finish() {
  out_ += '}';
  // What is kept is no larger than it has to be.
  return out_.size() < out_.capacity() / 2 ? std::string(out_) : std::move(out_);
}

}  // namespace tandem

#include "tandem/base/yaml_writer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "tandem/base/text.h"

namespace tandem {
namespace {

constexpr std::size_t kIndent = 2;
constexpr std::size_t kPlainKeyMax = 1000;  ///< YAML 1.2.2 7.4.3: a key without '?' ends within 1024 characters

/// Plain words of YAML 1.1 and 1.2 that are no text, in lower case. Others that are none begin with a digit, a sign or a point.
constexpr std::array<std::string_view, 9> kWords = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"};

/// True where every YAML reader takes the text for itself, in a sequence on one line, too.
bool is_plain(std::string_view text) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (text.empty() || !is_letter(text.front()) || text.back() == ' ') return false;
  const bool safe = std::all_of(text.begin(), text.end(), [&](char c) {
    return is_letter(c) || is_digit(c) || std::string_view(" _-./()").find(c) != std::string_view::npos;
  });
  return safe && std::find(kWords.begin(), kWords.end(), to_lower(text)) == kWords.end();
}

/// Characters that a YAML stream may not hold as they are, or that YAML 1.1 takes for line breaks; and how they are written.
constexpr std::pair<std::string_view, std::string_view> kEscapes[] = {
    {"\x7F", "\\x7F"},           {"\xE2\x80\xA8", "\\u2028"}, {"\xE2\x80\xA9", "\\u2029"},
    {"\xEF\xBB\xBF", "\\uFEFF"}, {"\xEF\xBF\xBE", "\\uFFFE"}, {"\xEF\xBF\xBF", "\\uFFFF"}};

/// YAML takes JSON's quoted strings, but for some characters.
std::string quoted(const std::string& text) {
  const std::string json = Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string out;
  for (std::size_t i = 0; i < json.size();) {
    const std::string_view rest = std::string_view(json).substr(i);
    const auto found = std::find_if(std::begin(kEscapes), std::end(kEscapes),
                                    [&](const auto& escape) { return rest.starts_with(escape.first); });
    if (found != std::end(kEscapes)) {
      out += found->second;
      i += found->first.size();
    } else if (rest[0] == '\xC2' && static_cast<unsigned char>(rest[1]) < 0xA0) {  // U+0080 to U+009F
      out += fmt::format("\\x{:02X}", static_cast<unsigned char>(rest[1]));
      i += 2;
    } else {
      out += rest[0];
      ++i;
    }
  }
  return out;
}

std::string text_scalar(const std::string& text) { return is_plain(text) ? text : quoted(text); }

std::string scalar(const Json& value) {
  if (value.is_string()) return text_scalar(value.get<std::string>());
  if (!value.is_number_float()) return value.dump();
  std::string out = shortest(value.get<double>());
  // Without a point -0.0 would be read as the integer 0, and YAML 1.1 takes 1e+30 for text.
  if (out.find('.') == std::string::npos) out.insert(std::min(out.find('e'), out.size()), ".0");
  return out;
}

bool is_container(const Json& value) { return value.is_structured() && !value.empty(); }

/// "[0, 1, 2.5]"
std::string line_of(const Json& scalars) {
  std::string out = "[";
  for (const Json& item : scalars) {
    if (out.size() > 1) out += ", ";
    out += scalar(item);
  }
  return out + "]";
}

bool fits_a_line(const Json& value) {
  return !is_container(value) || (value.is_array() && std::none_of(value.begin(), value.end(), is_container));
}

/// Appends the lines of a mapping or a sequence; the first one continues the line that `out` ends with.
void append_block(const Json& value, std::size_t indent, std::string& out);

/// Appends a value behind "key:" or "-", and ends its line.
void append_value(const Json& value, std::size_t indent, bool behind_dash, std::string& out) {
  if (fits_a_line(value)) {
    out += ' ';
    out += is_container(value) ? line_of(value) : scalar(value);
    out += '\n';
  } else if (behind_dash) {
    out += ' ';
    append_block(value, indent + kIndent, out);
  } else {
    out += '\n';
    out.append(indent + kIndent, ' ');
    append_block(value, indent + kIndent, out);
  }
}

void append_block(const Json& value, std::size_t indent, std::string& out) {
  bool first = true;
  const auto begin_item = [&] {
    if (!first) out.append(indent, ' ');
    first = false;
  };
  if (value.is_array()) {
    for (const Json& item : value) {
      begin_item();
      out += '-';
      append_value(item, indent, true, out);
    }
    return;
  }
  for (const auto& [key, item] : value.items()) {
    begin_item();
    const std::string name = text_scalar(key);
    if (name.size() > kPlainKeyMax) {
      out += "? " + name + '\n';
      out.append(indent, ' ');
      out += ':';
      append_value(item, indent, true, out);
    } else {
      out += name + ':';
      append_value(item, indent, false, out);
    }
  }
}

}  // namespace

std::string write_yaml(const Json& value) {
  if (fits_a_line(value)) return (is_container(value) ? line_of(value) : scalar(value)) + '\n';
  std::string out;
  append_block(value, 0, out);
  return out;
}

}  // namespace tandem

#include "tandem/base/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "tandem/base/document.h"
#include "tandem/base/text.h"

namespace tandem {
namespace {

using document::Sink;
using document::Source;

constexpr std::string_view kCoreTagPrefix = "tag:yaml.org,2002:";
constexpr std::string_view kPlainTag = "?";   // yaml-cpp: a plain scalar, typed by the core schema
constexpr std::string_view kQuotedTag = "!";  // yaml-cpp: a quoted or block scalar, always text

/// Leaves yaml-cpp, which has no other way to stop; caught in read_yaml() and never beyond.
struct Stopped {};

bool all_digits(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_digit); }
bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

/// YAML 1.2.2 10.3.2: [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool is_float(std::string_view text) {
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  const std::size_t mark = text.find_first_of("eE");
  if (mark != std::string_view::npos) {
    std::string_view exponent = text.substr(mark + 1);
    if (exponent.starts_with('+') || exponent.starts_with('-')) exponent.remove_prefix(1);
    if (!all_digits(exponent)) return false;
    text = text.substr(0, mark);
  }
  const std::size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  const std::string_view fraction = point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
  if (whole.empty()) return all_digits(fraction);
  return all_digits(whole) && (fraction.empty() || all_digits(fraction));
}

bool is_infinite_or_nan(std::string_view text) {
  if (is_one_of(text, {".nan", ".NaN", ".NAN"})) return true;
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  return is_one_of(text, {".inf", ".Inf", ".INF"});
}

/// An integer with the same choice as the JSON reader: signed, unsigned, or a double when it is longer than both.
template <typename T>
bool read_integer(std::string_view digits, int base, Json& value) {
  T number{};
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
  if (code != std::errc{} || end != digits.data() + digits.size()) return false;
  value = number;
  return true;
}

/// The value of a plain scalar in the core schema.
Result<Json> plain_value(const std::string& text) {
  if (is_one_of(text, {"", "~", "null", "Null", "NULL"})) return Json(nullptr);
  if (is_one_of(text, {"true", "True", "TRUE"})) return Json(true);
  if (is_one_of(text, {"false", "False", "FALSE"})) return Json(false);
  Json value;
  const std::string_view unsigned_part = std::string_view(text).substr(text.starts_with('+') ? 1 : 0);
  const std::string_view digits =
      unsigned_part.substr(unsigned_part.starts_with('-') && unsigned_part.size() == text.size() ? 1 : 0);
  if (all_digits(digits)) {
    if (read_integer<std::uint64_t>(unsigned_part, 10, value) || read_integer<std::int64_t>(unsigned_part, 10, value))
      return value;
  } else if (text.starts_with("0x") || text.starts_with("0o")) {
    const int base = text[1] == 'x' ? 16 : 8;
    const std::string_view rest = std::string_view(text).substr(2);
    if (rest.find_first_not_of(base == 16 ? "0123456789abcdefABCDEF" : "01234567") == std::string_view::npos &&
        !rest.empty()) {
      if (read_integer<std::uint64_t>(rest, base, value)) return value;
      return fail(errors::kNumberOutOfRange, "{} does not fit into 64 bits; use a smaller number or quote it as text",
                  quote(text));
    }
  }
  if (is_infinite_or_nan(text)) {
    return fail(errors::kNumberOutOfRange, "{} is not a finite number; use a finite one or quote it as text",
                quote(text));
  }
  if (!is_float(text)) return Json(text);
  TANDEM_TRY_ASSIGN(const double number, parse_double(text));
  return Json(number);
}

/// The value of a scalar with an explicit core tag (`!!str 5`).
Result<Json> tagged_value(std::string_view type, const std::string& text) {
  if (type == "str") return Json(text);
  TANDEM_TRY_ASSIGN(Json value, plain_value(text));
  const bool matches = (type == "null" && value.is_null()) || (type == "bool" && value.is_boolean()) ||
                       (type == "int" && value.is_number_integer()) || (type == "float" && value.is_number());
  if (matches) return type == "float" ? Json(value.get<double>()) : value;
  return fail(errors::kYamlUnsupported, "{} is not of the type !!{}; correct the value or remove the tag", quote(text),
              type);
}

class EventReader final : public YAML::EventHandler {
 public:
  EventReader(const Source& source, Sink& sink)
      : source_(source), sink_(sink), begin_(document::text_begin(source.text)) {}

  std::optional<Error> error;
  bool document_seen = false;
  bool document_ended = false;

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (document_ended) {
      stop(mark, make_error(errors::kYamlUnsupported,
                            "text follows the end of the document, or a second one starts; write one document a file"));
    }
    document_seen = true;
  }
  void OnDocumentEnd() override { document_ended = true; }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    if (at_key())
      stop(mark, make_error(errors::kYamlUnsupported, "a key is empty or null; name it, in quotes if it is the word"));
    value_done(sink_.scalar(nullptr, offset(mark)));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    stop(mark, make_error(errors::kYamlUnsupported, "aliases are not read; write the value out"));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    refuse_anchor(mark, anchor);
    // The text was UTF-8, so this is yaml-cpp's answer to two escapes: one byte where the character takes two.
    if (invalid_utf8_at(text) != std::string_view::npos) {
      stop(mark,
           make_error(errors::kYamlUnsupported, "the escapes \\N and \\_ are not read; write the character itself"));
    }
    if (at_key()) {
      if (tag == kPlainTag && text == "<<")
        stop(mark, make_error(errors::kYamlUnsupported, "merge keys are not read; write the keys out"));
      if (tag != kPlainTag && tag != kQuotedTag && core_type(mark, tag) != "str") {
        stop(mark, make_error(errors::kYamlUnsupported, "the key {} has a tag; keys are text", quote(text)));
      }
      containers_.back() = Container::kMapValue;
      forward(sink_.key(text, offset(mark)));
      return;
    }
    auto value = tag == kPlainTag    ? plain_value(text)
                 : tag == kQuotedTag ? Result<Json>(Json(text))
                                     : tagged_value(core_type(mark, tag), text);
    if (!value) stop(mark, std::move(value).error());
    value_done(sink_.scalar(std::move(*value), offset(mark)));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, "seq", Container::kSequence);
    forward(sink_.open_array(offset(mark)));
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, "map", Container::kMapKey);
    forward(sink_.open_object(offset(mark)));
  }
  void OnMapEnd() override { close(); }

  std::size_t offset(const YAML::Mark& mark) const {
    return mark.pos < 0 ? source_.text.size()
                        : std::min(source_.text.size(), begin_ + static_cast<std::size_t>(mark.pos));
  }

 private:
  enum class Container : std::uint8_t { kSequence, kMapKey, kMapValue };

  bool at_key() const { return !containers_.empty() && containers_.back() == Container::kMapKey; }
  [[noreturn]] void stop(const YAML::Mark& mark, Error reason) {
    reason.place = source_.place(offset(mark));
    error = std::move(reason);
    throw Stopped{};
  }
  void forward(bool go_on) {
    if (!go_on) throw Stopped{};
  }
  void value_done(bool go_on) {
    if (!containers_.empty() && containers_.back() == Container::kMapValue) containers_.back() = Container::kMapKey;
    forward(go_on);
  }
  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor)
      stop(mark, make_error(errors::kYamlUnsupported, "anchors are not read; remove the '&' and its name"));
  }
  /// yaml-cpp also takes a bracket that is never closed for a key, so this looks for its end and counts the levels on the way.
  [[noreturn]] void refuse_key(const YAML::Mark& mark) {
    std::size_t depth = 0;
    char quote_mark = '\0';
    for (std::size_t at = offset(mark); at < source_.text.size(); ++at) {
      const char c = source_.text[at];
      const bool starts_word =
          at > 0 && std::string_view(" \t\n,:[{").find(source_.text[at - 1]) != std::string_view::npos;
      if (quote_mark != '\0') {
        if (c == '\\' && quote_mark == '"') ++at;
        if (c == quote_mark) quote_mark = '\0';
      } else if ((c == '"' || c == '\'') && starts_word) {
        quote_mark = c;
      } else if (c == '[' || c == '{') {
        forward(sink_.open_array(at));
        ++depth;
      } else if (c == ']' || c == '}') {
        if (--depth == 0) break;
        sink_.close();
      } else if (depth == 0) {
        break;  // not a bracket at all: a list or map after '?'
      }
    }
    if (depth > 0) stop(mark, make_error(errors::kYamlSyntax, "not YAML: the bracket is never closed; close it"));
    stop(mark, make_error(errors::kYamlUnsupported, "a key is a list or a map; keys are text"));
  }
  /// "str" of "tag:yaml.org,2002:str".
  std::string core_type(const YAML::Mark& mark, std::string_view tag) {
    const std::string_view type =
        tag.starts_with(kCoreTagPrefix) ? tag.substr(kCoreTagPrefix.size()) : std::string_view();
    if (is_one_of(type, {"str", "null", "bool", "int", "float", "seq", "map"})) return std::string(type);
    stop(mark, make_error(errors::kYamlUnsupported, "the tag {} is not read; remove it", quote(tag)));
  }
  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, std::string_view type,
            Container container) {
    refuse_anchor(mark, anchor);
    if (at_key()) refuse_key(mark);
    if (!tag.empty() && tag != kPlainTag && tag != kQuotedTag && core_type(mark, tag) != type) {
      stop(mark, make_error(errors::kYamlUnsupported, "the tag {} does not fit the value; remove it", quote(tag)));
    }
    containers_.push_back(container);
  }
  void close() {
    containers_.pop_back();
    value_done(sink_.close());
  }

  Source source_;
  Sink& sink_;
  std::size_t begin_;
  std::vector<Container> containers_;
};

}  // namespace

Result<void> document::read_yaml(const Source& source, Sink& sink) {
  EventReader reader(source, sink);
  try {
    std::istringstream stream{std::string(source.text.substr(text_begin(source.text)))};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(reader)) {
    }
  } catch (const Stopped&) {
    if (reader.error) return tl::unexpected<Error>(std::move(*reader.error));
    return {};
  } catch (const YAML::Exception& failure) {
    // The library puts bytes of the text into its words.
    const std::string words = quote(failure.msg);
    return fail_at(source.place(reader.offset(failure.mark)), errors::kYamlSyntax,
                   "not YAML: {}; correct the text here", std::string_view(words).substr(1, words.size() - 2));
  }
  if (!reader.document_seen)
    return fail_at(std::string(source.name), errors::kYamlSyntax, "the document is empty; write at least one key");
  return {};
}

Result<LocatedJson> parse_yaml(std::string_view text, std::string_view name, const JsonLimits& limits) {
  const Source source{text, name};
  TANDEM_TRY(document::check_text(source, limits, errors::kYamlSyntax));
  document::Builder builder(source, limits);
  TANDEM_TRY(document::read_yaml(source, builder));
  if (builder.error) return tl::unexpected<Error>(std::move(*builder.error));
  return LocatedJson{
      .value = std::move(builder.root), .text = std::string(text), .name = std::string(name), .syntax = Syntax::kYaml};
}

Result<LocatedJson> parse_json_or_yaml(std::string_view text, std::string_view name, const JsonLimits& limits) {
  const std::size_t first = text.find_first_not_of(" \t\r\n", document::text_begin(text));
  if (first == std::string_view::npos || (text[first] != '{' && text[first] != '['))
    return parse_yaml(text, name, limits);
  TANDEM_TRY_ASSIGN(Json value, parse_json(text, name, limits));
  return LocatedJson{
      .value = std::move(value), .text = std::string(text), .name = std::string(name), .syntax = Syntax::kJson};
}

Error LocatedJson::at_its_place(Error error) const {
  const std::string pointer = std::move(error.place);
  error.place = place_of(pointer);
  if (!pointer.empty()) error.message = fmt::format("{}: {}", pointer, error.message);
  return error;
}

std::string LocatedJson::place_of(std::string_view pointer) const {
  const Source source{text, name};
  document::PlaceFinder finder(pointer);
  // The text was read before, so the only reason to stop is that the place is found.
  const auto read = syntax == Syntax::kJson ? document::read_json(source, finder) : document::read_yaml(source, finder);
  return read && finder.found ? source.place(*finder.found) : std::string(pointer);
}

}  // namespace tandem

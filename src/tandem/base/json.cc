#include "tandem/base/json.h"

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

}  // namespace tandem

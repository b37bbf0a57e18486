#include "tandem/base/document.h"

#include <algorithm>

#include "tandem/base/text.h"

namespace tandem::document {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

bool is_forbidden(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 && c != '\t' && c != '\n' && c != '\r';
}

/// The reference tokens of an RFC 6901 pointer.
std::vector<std::string> tokens_of(std::string_view pointer) {
  std::vector<std::string> tokens;
  if (!pointer.starts_with('/')) return tokens;
  for (const std::string_view part : split(pointer.substr(1), '/')) {
    std::string token;
    for (std::size_t i = 0; i < part.size(); ++i) {
      const bool escape = part[i] == '~' && i + 1 < part.size() && (part[i + 1] == '0' || part[i + 1] == '1');
      token += escape ? (part[++i] == '0' ? '~' : '/') : part[i];
    }
    tokens.push_back(std::move(token));
  }
  return tokens;
}

}  // namespace

std::string Source::place(std::size_t offset) const {
  const std::string_view before = text.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t line_begin = before.rfind('\n') + 1;  // npos + 1 == 0 on the first line
  std::string_view in_line = before.substr(line_begin);
  if (line_begin == 0 && in_line.starts_with(kByteOrderMark)) in_line.remove_prefix(kByteOrderMark.size());
  const auto column = 1 + std::count_if(in_line.begin(), in_line.end(), [](char c) { return (c & 0xc0) != 0x80; });
  return fmt::format("{}:{}:{}", name, line, column);
}

Result<void> check_text(const Source& source, const JsonLimits& limits, ErrorNumber syntax_error) {
  if (source.text.size() > limits.bytes_max) {
    return fail_at(std::string(source.name), errors::kInputTooLarge,
                   "the document has {} bytes, the limit is {}; split it", source.text.size(), limits.bytes_max);
  }
  if (const std::size_t at = invalid_utf8_at(source.text); at != std::string_view::npos) {
    return fail_at(source.place(at), syntax_error, "byte 0x{:02x} is not UTF-8; save the document as UTF-8",
                   static_cast<unsigned char>(source.text[at]));
  }
  // Both libraries take some of these for the end of the text, and would silently drop what follows.
  const auto* const control = std::find_if(source.text.begin(), source.text.end(), is_forbidden);
  if (control != source.text.end()) {
    return fail_at(source.place(static_cast<std::size_t>(control - source.text.begin())), syntax_error,
                   "control character 0x{:02x} is not allowed; remove it or write it as an escape",
                   static_cast<unsigned char>(*control));
  }
  return {};
}

std::size_t text_begin(std::string_view text) { return text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0; }

bool Builder::stop(tl::unexpected<Error> reason) {
  error = std::move(reason).value();
  return false;
}

Json* Builder::put(Json value, std::size_t offset) {
  if (++values_ > limits_.values_max) {
    stop(fail_at(source_.place(offset), errors::kInputTooLarge, "the document has more than {} values; split it",
                 limits_.values_max));
    return nullptr;
  }
  if (open_.empty()) {
    root = std::move(value);
    return &root;
  }
  Json& parent = *open_.back();
  if (parent.is_array()) {
    parent.push_back(std::move(value));
    return &parent.back();
  }
  return &(parent[key_] = std::move(value));
}

bool Builder::scalar(Json value, std::size_t offset) { return put(std::move(value), offset) != nullptr; }

bool Builder::open(Json container, std::size_t offset) {
  if (open_.size() >= limits_.depth_max) {
    return stop(fail_at(source_.place(offset), errors::kJsonTooDeep,
                        "nested deeper than the limit of {} levels; flatten the document", limits_.depth_max));
  }
  Json* const placed = put(std::move(container), offset);
  if (placed == nullptr) return false;
  open_.push_back(placed);
  return true;
}

bool Builder::key(std::string key, std::size_t offset) {
  if (open_.back()->contains(key)) {
    return stop(fail_at(source_.place(offset), errors::kJsonDuplicateKey,
                        "the key {} stands twice in one object; remove one", quote(key)));
  }
  key_ = std::move(key);
  return true;
}

bool Builder::close() {
  open_.pop_back();
  return true;
}

PlaceFinder::PlaceFinder(std::string_view pointer) : path_(tokens_of(pointer)) {}

bool PlaceFinder::visit(std::size_t offset) {
  bool on_path = true;
  if (!open_.empty()) {
    Container& parent = open_.back();
    on_path = parent.on_path && open_.size() <= path_.size();
    if (parent.array) {
      on_path = on_path && path_[open_.size() - 1] == std::to_string(parent.index);
      ++parent.index;
    } else {
      on_path = on_path && path_[open_.size() - 1] == key_;
    }
  }
  if (on_path) found = offset;
  return on_path;
}

bool PlaceFinder::scalar(Json, std::size_t offset) {
  const bool on_path = visit(offset);
  return !(on_path && open_.size() == path_.size());
}

bool PlaceFinder::open(bool array, std::size_t offset) {
  const bool on_path = visit(offset);
  if (on_path && open_.size() == path_.size()) return false;
  open_.push_back({.array = array, .on_path = on_path});
  return true;
}

bool PlaceFinder::key(std::string key, std::size_t) {
  key_ = std::move(key);
  return true;
}

bool PlaceFinder::close() {
  // Leaving the nearest ancestor: nothing after it can be nearer.
  const bool was_on_path = open_.back().on_path;
  open_.pop_back();
  return !was_on_path;
}

}  // namespace tandem::document

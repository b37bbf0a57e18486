// tandem/base/document.h - what the JSON and the YAML reader share: places, limits, duplicate keys, building the value.
//
// Room: base; for json.cc, yaml.cc and (places) line_scanner.cc only. Readers walk a text and tell a Sink what they see; a false answer stops them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/json.h"

namespace tandem::document {

/// A text and its name in messages. Offsets are bytes.
struct Source {
  std::string_view text;
  std::string_view name;
  /// "name:line:column", both counted from 1, columns in characters.
  std::string place(std::size_t offset) const;
};

/// Errors: 1003 input_too_large; `syntax_error` at the first byte that is not UTF-8 or a character no document may hold.
Result<void> check_text(const Source& source, const JsonLimits& limits, ErrorNumber syntax_error);
/// Skips a byte order mark.
std::size_t text_begin(std::string_view text);

class Sink {
 public:
  virtual ~Sink() = default;
  virtual bool scalar(Json value, std::size_t offset) = 0;
  virtual bool open_object(std::size_t offset) = 0;
  virtual bool open_array(std::size_t offset) = 0;
  virtual bool key(std::string key, std::size_t offset) = 0;
  virtual bool close() = 0;
};

/// Builds the value within the limits. `error` is set when it answered false.
class Builder final : public Sink {
 public:
  Builder(const Source& source, const JsonLimits& limits) : source_(source), limits_(limits) {}
  bool scalar(Json value, std::size_t offset) override;
  bool open_object(std::size_t offset) override { return open(Json::object(), offset); }
  bool open_array(std::size_t offset) override { return open(Json::array(), offset); }
  bool key(std::string key, std::size_t offset) override;
  bool close() override;

  Json root;
  std::optional<Error> error;

 private:
  bool open(Json container, std::size_t offset);
  /// Puts a value where the walk stands; nullptr when the limit of values is reached.
  Json* put(Json value, std::size_t offset);
  bool stop(tl::unexpected<Error> reason);

  Source source_;
  JsonLimits limits_;
  std::uint64_t values_ = 0;
  std::vector<Json*> open_;  // containers from the root to here; stable, for only the innermost grows
  std::string key_;
};

/// Finds where the value at a JSON pointer starts, or its nearest ancestor that is there.
class PlaceFinder final : public Sink {
 public:
  explicit PlaceFinder(std::string_view pointer);
  bool scalar(Json value, std::size_t offset) override;
  bool open_object(std::size_t offset) override { return open(false, offset); }
  bool open_array(std::size_t offset) override { return open(true, offset); }
  bool key(std::string key, std::size_t offset) override;
  bool close() override;

  std::optional<std::size_t> found;

 private:
  struct Container {
    bool array;
    bool on_path;
    std::size_t index = 0;
  };
  bool open(bool array, std::size_t offset);
  /// Notes a value; true when it is on the way to the target.
  bool visit(std::size_t offset);

  std::vector<std::string> path_;
  std::vector<Container> open_;
  std::string key_;
};

/// Reads `source` as JSON into `sink`. Errors: 1010 json_syntax; 1013 number_out_of_range; nothing when the sink stopped it.
Result<void> read_json(const Source& source, Sink& sink);
/// Reads `source` as YAML into `sink`. Errors: 1013 number_out_of_range; 1014 yaml_syntax; 1015 yaml_unsupported.
Result<void> read_yaml(const Source& source, Sink& sink);

}  // namespace tandem::document

#include "common/python_json.h"

#include <absl/container/flat_hash_set.h>
#include <absl/status/status.h>
#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/strings.h"

namespace apollo {
namespace {

using rapidjson::SizeType;

// Builds the value, and stops at what ParseJson refuses too.
class Builder
    : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Builder> {
 public:
  explicit Builder(std::size_t max_depth) : max_depth_(max_depth) {}

  // True if the value holds a number that is not JSON.
  bool special() const { return special_; }
  bool too_deep() const { return too_deep_; }
  // The first key that occurs twice in an object, or empty.
  const std::string& duplicate() const { return duplicate_; }
  bool has_duplicate() const { return has_duplicate_; }
  Json& value() { return root_; }

  bool Null() { return Add(Json(nullptr)); }
  bool Bool(bool b) { return Add(Json(b)); }
  // Numbers get the types that ParseJson gives them.
  bool Int(int i) { return Int64(i); }
  bool Uint(unsigned u) { return Uint64(u); }
  bool Int64(std::int64_t i) { return Add(Json(i)); }
  bool Uint64(std::uint64_t u) { return Add(Json(u)); }
  bool Double(double d) {
    special_ |= !std::isfinite(d);
    return Add(Json(d));
  }
  bool String(const char* text, SizeType size, bool /*copy*/) {
    return Add(Json(std::string(text, size)));
  }
  bool StartObject() { return Open(Json::object()); }
  bool Key(const char* text, SizeType size, bool /*copy*/) {
    open_.back().key.assign(text, size);
    if (open_.back().keys.insert(open_.back().key).second) return true;
    has_duplicate_ = true;
    duplicate_ = open_.back().key;
    return false;
  }
  bool EndObject(SizeType /*count*/) { return Close(); }
  bool StartArray() { return Open(Json::array()); }
  bool EndArray(SizeType /*count*/) { return Close(); }

 private:
  // An array or object whose end has not been read.
  struct Level {
    Json value;
    std::string key;  // Of the value that comes next in an object.
    absl::flat_hash_set<std::string> keys;
  };

  bool Add(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (Level& level = open_.back(); level.value.is_object()) {
      level.value[level.key] = std::move(value);
    } else {
      level.value.push_back(std::move(value));
    }
    return true;
  }
  bool Open(Json value) {
    too_deep_ = open_.size() == max_depth_;
    if (!too_deep_) open_.push_back({std::move(value), {}, {}});
    return !too_deep_;
  }
  bool Close() {
    Json value = std::move(open_.back().value);
    open_.pop_back();
    return Add(std::move(value));
  }

  const std::size_t max_depth_;
  std::vector<Level> open_;
  Json root_;
  bool special_ = false;
  bool too_deep_ = false;
  bool has_duplicate_ = false;
  std::string duplicate_;
};

// Parses the whole text. Returns false if it is not JSON with special numbers,
// or if the builder stopped.
bool Read(std::string_view text, Builder& builder) {
  constexpr unsigned kFlags =
      rapidjson::kParseNanAndInfFlag | rapidjson::kParseFullPrecisionFlag |
      rapidjson::kParseValidateEncodingFlag | rapidjson::kParseIterativeFlag;
  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::Reader reader;
  if (reader.Parse<kFlags>(stream, builder).IsError()) return false;
  if (stream.Tell() != text.size()) return false;  // A NUL ended the parsing.
  // The reader lets some halves of surrogate pairs pass; writing does not.
  (void)builder.value().dump();
  return true;
}

}  // namespace

absl::StatusOr<Json> ParsePythonJson(std::string_view text,
                                     std::string_view source,
                                     const JsonLimits& limits) {
  absl::StatusOr<Json> plain = ParseJson(text, source, limits);
  if (plain.ok()) return plain;
  try {
    Builder builder(limits.max_depth);
    const bool read = Read(text, builder);
    if (builder.has_duplicate()) {
      constexpr std::size_t kMost = 100;
      return absl::InvalidArgumentError(
          absl::StrCat(ToAbsl(source), ": duplicate key \"",
                       absl::CHexEscape(builder.duplicate().substr(0, kMost)),
                       "\" in a JSON object; it must occur once"));
    }
    if (read && builder.special()) return std::move(builder.value());
  } catch (...) {
    // The libraries throw when memory runs out; dump() for invalid UTF-8.
  }
  return plain;
}

}  // namespace apollo

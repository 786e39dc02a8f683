#include "common/json.h"

#include <absl/container/flat_hash_set.h>
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <utility>
#include <vector>

#include "common/strings.h"

namespace apollo {

namespace {

// Detects errors that the JSON parser accepts, and stops at the first one.
// Builds no values, so the cost of a hostile text is linear in its length.
class Inspector final : public Json::json_sax_t {
 public:
  explicit Inspector(std::size_t max_depth) : max_depth_(max_depth) {}

  bool too_deep() const { return too_deep_; }
  bool duplicate() const { return duplicate_; }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override {
    keys_.emplace_back();
    return Enter();
  }
  bool key(string_t& name) override {
    duplicate_ = !keys_.back().insert(name).second;
    return !duplicate_;
  }
  bool end_object() override {
    keys_.pop_back();
    return Leave();
  }
  bool start_array(std::size_t) override { return Enter(); }
  bool end_array() override { return Leave(); }
  bool parse_error(std::size_t, const std::string&,
                   const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  bool Enter() {
    too_deep_ = ++depth_ > max_depth_;
    return !too_deep_;
  }
  bool Leave() {
    --depth_;
    return true;
  }

  const std::size_t max_depth_;
  std::size_t depth_ = 0;
  bool too_deep_ = false;
  bool duplicate_ = false;
  // The keys seen so far in each open object.
  std::vector<absl::flat_hash_set<std::string>> keys_;
};

}  // namespace

absl::StatusOr<Json> ParseJson(std::string_view text, std::string_view source,
                               const JsonLimits& limits) {
  Inspector inspector(limits.max_depth);
  Json json;
  try {
    if (Json::sax_parse(text, &inspector)) {
      json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    } else {
      json = Json(Json::value_t::discarded);
    }
  } catch (...) {
    // The library throws when memory runs out, even with exceptions disabled.
    return absl::InvalidArgumentError(
        absl::StrCat(ToAbsl(source), ": malformed JSON"));
  }
  if (inspector.too_deep()) {
    return absl::InvalidArgumentError(absl::StrCat(
        ToAbsl(source), ": JSON nested deeper than ", limits.max_depth));
  }
  if (inspector.duplicate()) {
    return absl::InvalidArgumentError(
        absl::StrCat(ToAbsl(source), ": duplicate key in a JSON object"));
  }
  if (json.is_discarded()) {
    return absl::InvalidArgumentError(
        absl::StrCat(ToAbsl(source), ": malformed JSON"));
  }
  return json;
}

}  // namespace apollo

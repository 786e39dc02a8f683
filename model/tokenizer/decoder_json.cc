#include <absl/strings/str_cat.h>

#include <cstdint>

#include "common/status_macros.h"
#include "model/tokenizer/json_parts.h"

namespace apollo {
namespace {

constexpr char kKnown[] =
    "ByteLevel, Replace, ByteFallback, Fuse, Strip, Sequence of those";

// Reads the steps in order. Tokens must be decodable one by one, so the steps
// must have the order: ByteLevel, or Replaces and then ByteFallback; then Fuse;
// then Strip.
class DecoderReader {
 public:
  explicit DecoderReader(DecoderSpec* spec) : spec_(*spec) {}

  absl::Status Read(const JsonField& step) {
    ASSIGN_OR_RETURN(const std::string type, TypeOf(step));
    if (type == "ByteLevel") {
      RETURN_IF_ERROR(Enter(step, type, Place::kByteLevel));
      spec_.byte_level = true;
      return absl::OkStatus();
    }
    if (type == "Replace") {
      RETURN_IF_ERROR(Enter(step, type, Place::kReplace));
      return ReadReplace(step);
    }
    if (type == "ByteFallback") {
      RETURN_IF_ERROR(Enter(step, type, Place::kByteFallback));
      spec_.byte_fallback = true;
      return absl::OkStatus();
    }
    if (type == "Fuse") return Enter(step, type, Place::kFuse);
    if (type == "Strip") {
      // The text of a ByteLevel is fused.
      if (place_ != Place::kFuse && place_ != Place::kByteLevel) {
        return step.Unsupported("is Strip; it must follow Fuse or ByteLevel");
      }
      place_ = Place::kEnd;
      return ReadStrip(step);
    }
    return UnknownType(step, type, kKnown);
  }

 private:
  enum class Place {
    kStart,
    kReplace,
    kByteFallback,
    kByteLevel,
    kFuse,
    kEnd,
  };

  absl::Status Enter(const JsonField& step, const std::string& type,
                     Place place) {
    // Only Replace may occur twice. Nothing precedes ByteLevel.
    const bool in_order =
        place == Place::kByteLevel ? place_ == Place::kStart
        : place == Place::kReplace
            ? place_ <= Place::kReplace
            : place > place_ &&
                  !(place_ == Place::kByteLevel && place != Place::kFuse);
    if (!in_order) {
      return step.Unsupported(absl::StrCat(
          "is ", type,
          "; the order must be ByteLevel, or Replace and then ByteFallback; "
          "then Fuse; then Strip"));
    }
    place_ = place;
    return absl::OkStatus();
  }

  absl::Status ReadReplace(const JsonField& step) {
    ReplaceStep replace;
    ASSIGN_OR_RETURN(const JsonField pattern, step.Member("pattern"));
    ASSIGN_OR_RETURN(replace.pattern, LiteralPattern(pattern));
    ASSIGN_OR_RETURN(const JsonField content, step.Member("content"));
    ASSIGN_OR_RETURN(replace.content, content.String());
    spec_.replace.push_back(std::move(replace));
    return absl::OkStatus();
  }

  absl::Status ReadStrip(const JsonField& step) {
    ASSIGN_OR_RETURN(const JsonField content, step.Member("content"));
    ASSIGN_OR_RETURN(spec_.strip, OneCharacter(content));
    if (spec_.strip == "\uFFFD") {
      return content.Refused("it would remove what stands for invalid bytes");
    }
    ASSIGN_OR_RETURN(const JsonField start, step.Member("start"));
    const Json& count = start.value();
    if (!count.is_number_integer() || count.get<std::int64_t>() < 0 ||
        count.get<std::int64_t>() > kMaxStrip) {
      return start.Invalid(
          absl::StrCat("expected an integer from 0 to ", kMaxStrip));
    }
    spec_.strip_count = count.get<int>();
    ASSIGN_OR_RETURN(const JsonField stop, step.Member("stop"));
    if (stop.value() != 0) {
      return stop.Refused("it must be 0: the end of an answer is not known");
    }
    return absl::OkStatus();
  }

  static constexpr int kMaxStrip = 1024;

  DecoderSpec& spec_;
  Place place_ = Place::kStart;
};

}  // namespace

absl::Status ReadDecoder(const JsonField& field, TokenizerSpec* spec) {
  if (field.absent()) {
    return field.Refused("without one, tokens would be joined by spaces");
  }
  ASSIGN_OR_RETURN(const std::vector<JsonField> steps,
                   StepsOf(field, "decoders"));
  DecoderReader reader(&spec->decoder);
  for (const JsonField& step : steps) RETURN_IF_ERROR(reader.Read(step));
  if (spec->decoder.byte_level != spec->byte_level) {
    return field.Unsupported(
        spec->byte_level ? "has no ByteLevel, but pre_tokenizer has"
                         : "has a ByteLevel, but pre_tokenizer has not");
  }
  return absl::OkStatus();
}

}  // namespace apollo

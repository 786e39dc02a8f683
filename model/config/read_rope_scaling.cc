#include "model/config/read_rope_scaling.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "common/status_macros.h"
#include "common/strings.h"
#include "model/config/config_reader.h"

namespace apollo {
namespace {

constexpr char kType[] = "rope_type";
constexpr char kOldType[] = "type";
constexpr char kFactor[] = "factor";
constexpr char kOriginal[] = "original_max_position_embeddings";
constexpr char kAttentionFactor[] = "attention_factor";
constexpr char kBetaFast[] = "beta_fast";
constexpr char kBetaSlow[] = "beta_slow";
constexpr char kMscale[] = "mscale";
constexpr char kMscaleAllDim[] = "mscale_all_dim";
constexpr char kTruncate[] = "truncate";
constexpr char kLow[] = "low_freq_factor";
constexpr char kHigh[] = "high_freq_factor";

constexpr RopeType kTypes[] = {RopeType::kDefault, RopeType::kLinear,
                               RopeType::kYarn, RopeType::kLlama3};

// Types of transformers that are not computed, and their particularities.
constexpr struct {
  std::string_view type;
  const char* what;
} kOtherTypes[] = {
    {"dynamic", "a base that depends on the length of the sequence"},
    {"longrope", "factors that depend on the length of the sequence"},
    {"su", "factors that depend on the length of the sequence"},
    {"mrope", "positions in sections (mrope)"},
    {"proportional", "rotary positions in part of each head"},
};

constexpr int kLongest = 1 << 24;

// The keys of each type besides the type and the base.
constexpr struct {
  const char* key;
  bool linear, yarn, llama3;
} kKeys[] = {
    {kFactor, true, true, true},
    {kOriginal, true, true, true},
    {kAttentionFactor, false, true, false},
    {kBetaFast, false, true, false},
    {kBetaSlow, false, true, false},
    {kMscale, false, true, false},
    {kMscaleAllDim, false, true, false},
    {kTruncate, false, true, false},
    {kLow, false, false, true},
    {kHigh, false, false, true},
};

// Keys that are read elsewhere, or whose values CheckConfigKeys has checked.
constexpr std::string_view kOtherKeys[] = {
    kType,
    kOldType,
    "rope_theta",
    "mrope_section",
    "mrope_interleaved",
    "partial_rotary_factor",
    "long_factor",
    "short_factor",
};

enum class KeyOf { kThisType, kAnotherType, kNoType };

KeyOf Classify(const std::string& key, RopeType type) {
  if (std::find(std::begin(kOtherKeys), std::end(kOtherKeys), key) !=
      std::end(kOtherKeys)) {
    return KeyOf::kThisType;
  }
  for (const auto& row : kKeys) {
    if (key != row.key) continue;
    const bool used = (type == RopeType::kLinear && row.linear) ||
                      (type == RopeType::kYarn && row.yarn) ||
                      (type == RopeType::kLlama3 && row.llama3);
    return used ? KeyOf::kThisType : KeyOf::kAnotherType;
  }
  return KeyOf::kNoType;
}

// Reads one of the two objects.
class ObjectReader {
 public:
  ObjectReader(const ConfigReader& config, const char* object, double base,
               int max_positions, std::vector<std::string>& warnings)
      : config_(config),
        prefix_(absl::StrCat(object, ".")),
        reader_(*config.Find(object), config.source(), prefix_),
        base_(base),
        max_positions_(max_positions),
        warnings_(warnings) {}

  absl::StatusOr<ScaledRope> Read() {
    ScaledRope rope;
    ASSIGN_OR_RETURN(rope.scaling.type, Type());
    RETURN_IF_ERROR(CheckKeys(rope.scaling.type));
    switch (rope.scaling.type) {
      case RopeType::kDefault:
        break;
      case RopeType::kLinear:
        RETURN_IF_ERROR(ReadLinear(rope.scaling));
        break;
      case RopeType::kYarn:
        RETURN_IF_ERROR(ReadYarn(rope.scaling));
        break;
      case RopeType::kLlama3:
        RETURN_IF_ERROR(ReadLlama3(rope.scaling));
        break;
    }
    rope.max_context = Context(rope.scaling);
    return rope;
  }

 private:
  // Both keys may give the type, as in files for old and new readers.
  absl::StatusOr<RopeType> Type() const {
    std::optional<RopeType> type;
    for (const char* key : {kType, kOldType}) {
      const Json* value = reader_.Find(key);
      if (value == nullptr) continue;
      ASSIGN_OR_RETURN(const RopeType named, NamedType(key, *value));
      if (type && named != *type) {
        return reader_.Wrong(key, *value,
                             absl::StrCat("that of \"", kType, "\", \"",
                                          RopeTypeName(*type), "\""));
      }
      type = named;
    }
    return type.value_or(RopeType::kDefault);
  }

  absl::StatusOr<RopeType> NamedType(const char* key, const Json& value) const {
    for (const RopeType type : kTypes) {
      if (value == RopeTypeName(type)) return type;
    }
    std::string right =
        R"("default", "linear", "yarn" or "llama3", or null for the first)";
    for (const auto& other : kOtherTypes) {
      if (value != other.type) continue;
      absl::StrAppend(&right, ", because ", other.what, " cannot be served");
    }
    return reader_.Wrong(key, value, right);
  }

  // Refuses keys that do not count for the type, unless their value changes
  // nothing. Unknown keys beside "default" are a warning of CheckConfigKeys.
  absl::Status CheckKeys(RopeType type) const {
    const bool scaled = type != RopeType::kDefault;
    for (const auto& [key, value] : reader_.json().items()) {
      const KeyOf of = Classify(key, type);
      if (value.is_null() || of == KeyOf::kThisType) continue;
      if (of == KeyOf::kNoType) {
        if (!scaled) continue;
        return reader_.Wrong(
            key.c_str(), value,
            absl::StrCat("absent, because \"", RopeTypeName(type),
                         "\" scaling has no such key"));
      }
      if (key == kOriginal) continue;  // Only a record.
      const bool one = key == kFactor || key == kAttentionFactor;
      if (one && value == 1) continue;
      return reader_.Wrong(
          key.c_str(), value,
          absl::StrCat(one ? "1 or null" : "null", ", because \"", kType,
                       "\" is \"", RopeTypeName(type), "\""));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<double>> Optional(const char* key,
                                                 double low = 1e-6) const {
    constexpr double kHighest = 1e6;
    const Json* value = reader_.Find(key);
    if (value == nullptr) return std::nullopt;
    const double number = value->is_number() ? value->get<double>() : 0;
    if (!(number >= low && number <= kHighest)) {
      return reader_.Wrong(
          key, *value, absl::StrCat("a number from ", low, " to ", kHighest));
    }
    return number;
  }

  absl::StatusOr<double> Required(const char* key, double low = 1e-6) const {
    ASSIGN_OR_RETURN(const std::optional<double> number, Optional(key, low));
    if (!number) return reader_.Missing(key);
    return *number;
  }

  absl::Status ReadLinear(RopeScaling& scaling) {
    ASSIGN_OR_RETURN(scaling.factor, Required(kFactor, 1));
    // Affects no frequency, only the promised context.
    ASSIGN_OR_RETURN(scaling.original_context,
                     reader_.Int(kOriginal, 1, kLongest, 0));
    original_given_ = scaling.original_context > 0;
    return absl::OkStatus();
  }

  // Reads the original context, which transformers also finds in the config
  // itself. Without one, max_position_embeddings counts as it.
  absl::Status ReadOriginal(RopeScaling& scaling) {
    ASSIGN_OR_RETURN(const std::int64_t own,
                     reader_.Int(kOriginal, 1, kLongest, 0));
    ASSIGN_OR_RETURN(const std::int64_t outer,
                     config_.Int(kOriginal, 1, kLongest, 0));
    if (own > 0 && outer > 0 && own != outer) {
      return reader_.Wrong(
          kOriginal, own, absl::StrCat("that of \"", kOriginal, "\", ", outer));
    }
    const std::int64_t given = std::max(own, outer);
    original_given_ = given > 0;
    scaling.original_context =
        original_given_ ? static_cast<int>(given) : max_positions_;
    return absl::OkStatus();
  }

  absl::Status ReadYarn(RopeScaling& scaling) {
    if (!(base_ > 1)) {
      return absl::InvalidArgumentError(
          absl::StrCat(ToAbsl(config_.source()), ": \"rope_theta\" is ", base_,
                       "; it must be above 1, because \"", prefix_, kType,
                       "\" is \"yarn\""));
    }
    RETURN_IF_ERROR(ReadOriginal(scaling));
    RETURN_IF_ERROR(ReadYarnFactor(scaling));
    ASSIGN_OR_RETURN(const std::optional<double> fast, Optional(kBetaFast));
    ASSIGN_OR_RETURN(const std::optional<double> slow, Optional(kBetaSlow));
    scaling.beta_fast = fast.value_or(scaling.beta_fast);
    scaling.beta_slow = slow.value_or(scaling.beta_slow);
    if (scaling.beta_fast < scaling.beta_slow) {
      return fast ? reader_.Wrong(kBetaFast, *fast,
                                  absl::StrCat("at least that of \"", kBetaSlow,
                                               "\", ", scaling.beta_slow))
                  : reader_.Wrong(kBetaSlow, *slow,
                                  absl::StrCat("at most that of \"", kBetaFast,
                                               "\", ", scaling.beta_fast));
    }
    // Here null is not a missing key for transformers: it means false.
    const auto truncate = reader_.json().find(kTruncate);
    if (truncate != reader_.json().end()) {
      if (!truncate->is_boolean()) {
        return reader_.Wrong(kTruncate, *truncate, "true or false, or absent");
      }
      scaling.truncate = truncate->get<bool>();
    }
    return ReadAttentionFactor(scaling);
  }

  // A factor of null is not a missing one for transformers.
  absl::Status ReadYarnFactor(RopeScaling& scaling) const {
    const auto factor = reader_.json().find(kFactor);
    if (factor == reader_.json().end() || !factor->is_null()) {
      ASSIGN_OR_RETURN(scaling.factor, Required(kFactor, 1));
      return absl::OkStatus();
    }
    scaling.factor =
        static_cast<double>(max_positions_) / scaling.original_context;
    if (scaling.factor < 1 || scaling.factor > 1e6) {
      return reader_.Wrong(
          kFactor, *factor,
          absl::StrCat("a number, because max_position_embeddings / ",
                       kOriginal, " is ", scaling.factor));
    }
    return absl::OkStatus();
  }

  absl::Status ReadAttentionFactor(RopeScaling& scaling) {
    ASSIGN_OR_RETURN(const std::optional<double> given,
                     Optional(kAttentionFactor));
    ASSIGN_OR_RETURN(const std::optional<double> mscale, Optional(kMscale));
    ASSIGN_OR_RETURN(const std::optional<double> all_dim,
                     Optional(kMscaleAllDim));
    const char* const one = mscale ? kMscale : kMscaleAllDim;
    if (given) {
      scaling.attention_factor = *given;
      if (mscale || all_dim) {
        Warn(one,
             absl::StrCat("does not count beside \"", kAttentionFactor, "\""));
      }
      return absl::OkStatus();
    }
    scaling.attention_factor =
        YarnAttentionFactor(scaling.factor, mscale, all_dim);
    if (mscale.has_value() != all_dim.has_value()) {
      Warn(one, absl::StrCat("does not count without \"",
                             mscale ? kMscaleAllDim : kMscale, "\""));
    }
    return absl::OkStatus();
  }

  absl::Status ReadLlama3(RopeScaling& scaling) {
    ASSIGN_OR_RETURN(scaling.factor, Required(kFactor, 1));
    ASSIGN_OR_RETURN(scaling.low_freq_factor, Required(kLow));
    ASSIGN_OR_RETURN(scaling.high_freq_factor, Required(kHigh));
    if (!(scaling.high_freq_factor > scaling.low_freq_factor)) {
      return reader_.Wrong(kHigh, scaling.high_freq_factor,
                           absl::StrCat("above that of \"", kLow, "\", ",
                                        scaling.low_freq_factor));
    }
    RETURN_IF_ERROR(ReadOriginal(scaling));
    if (scaling.original_context >= max_positions_) {
      Warn(kOriginal, absl::StrCat("is ", scaling.original_context,
                                   ", not below \"max_position_embeddings\", ",
                                   max_positions_));
    }
    return absl::OkStatus();
  }

  // Other readers of such configs take the product, too, whether or not
  // max_position_embeddings was raised with the factor.
  int Context(const RopeScaling& scaling) {
    const bool product =
        scaling.type == RopeType::kLinear || scaling.type == RopeType::kYarn;
    if (!product || !original_given_) return max_positions_;
    // A quotient as factor may be too small by its rounding.
    const double context =
        std::min(scaling.original_context * scaling.factor + 1e-6,
                 static_cast<double>(kLongest));
    const int whole = static_cast<int>(context);
    if (max_positions_ != whole && max_positions_ != scaling.original_context) {
      Warn(kFactor,
           absl::StrCat("makes ", whole, " of ", scaling.original_context,
                        " tokens, but \"max_position_embeddings\" is ",
                        max_positions_, "; the context has ", whole));
    }
    return whole;
  }

  void Warn(const char* key, const std::string& what) {
    warnings_.push_back(absl::StrCat(ToAbsl(config_.source()), ": \"", prefix_,
                                     key, "\" ", what));
  }

  const ConfigReader& config_;
  const std::string prefix_;
  const ConfigReader reader_;
  const double base_;
  const int max_positions_;
  std::vector<std::string>& warnings_;
  bool original_given_ = false;
};

}  // namespace

absl::StatusOr<ScaledRope> ReadRopeScaling(const Json& config,
                                           std::string_view source, double base,
                                           int max_positions,
                                           std::vector<std::string>& warnings) {
  const ConfigReader reader(config, source);
  std::optional<ScaledRope> rope;
  for (const char* object : {"rope_parameters", "rope_scaling"}) {
    const Json* value = reader.Find(object);
    if (value == nullptr || value->empty()) continue;
    ASSIGN_OR_RETURN(
        const ScaledRope read,
        ObjectReader(reader, object, base, max_positions, warnings).Read());
    if (rope && (read.scaling != rope->scaling ||
                 read.max_context != rope->max_context)) {
      return reader.Wrong(
          object, *value,
          "null, or mean the same as \"rope_parameters\", which differs");
    }
    rope = read;
  }
  return rope.value_or(ScaledRope{{}, max_positions});
}

}  // namespace apollo

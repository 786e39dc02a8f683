#include "tools/upcycle/gguf_rope.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "common/strings.h"
#include "tools/upcycle/dequantize.h"
#include "tools/upcycle/gguf_number.h"

namespace apollo {
namespace {

constexpr char kFactorsTensor[] = "rope_freqs.weight";

// The parameters of all published models with Llama 3's scaling. The file holds
// only the divisors that follow from them.
constexpr double kLlama3Low = 1;
constexpr double kLlama3High = 4;
constexpr std::int64_t kLlama3OriginalPositions = 8192;

constexpr std::int64_t kMaxPositions = 1 << 24;

class RopeReader {
 public:
  RopeReader(const GgufModel& model, std::string_view architecture,
             const BaseConfig& config)
      : model_(model), architecture_(architecture), config_(config) {}

  absl::StatusOr<Json> Read() const {
    ASSIGN_OR_RETURN(Json of_keys, ReadKeys());
    const GgufTensor* factors = model_.FindTensor(kFactorsTensor);
    if (factors == nullptr) return of_keys;
    ASSIGN_OR_RETURN(Json of_tensor, ReadFactors(*factors));
    if (of_tensor.is_null()) return of_keys;
    if (!of_keys.is_null()) {
      return absl::InvalidArgumentError(absl::StrCat(
          model_.Where(kFactorsTensor),
          " scales the rotary positions, and so do the keys rope.scaling.*; "
          "only one of them can be converted"));
    }
    return of_tensor;
  }

 private:
  std::string Key(std::string_view name) const {
    return absl::StrCat(ToAbsl(architecture_), ".rope.", ToAbsl(name));
  }

  template <typename... Parts>
  absl::Status Error(const std::string& key, const Parts&... parts) const {
    return absl::InvalidArgumentError(
        absl::StrCat(DescribeGgufKey(model_.keys().path(), key), parts...));
  }

  absl::StatusOr<double> Number(std::string_view name, double otherwise) const {
    const std::string key = Key(name);
    if (!model_.keys().Has(key)) return otherwise;
    ASSIGN_OR_RETURN(const double value, model_.keys().GetNumber(key));
    if (!std::isfinite(value)) return Error(key, " is not finite");
    return ShortestDouble(value);
  }

  // Refuses a key with another value than that which means nothing.
  absl::Status Require(std::string_view name, double neutral,
                       std::string_view reason) const {
    ASSIGN_OR_RETURN(const double value, Number(name, neutral));
    if (value == neutral) return absl::OkStatus();
    return Error(Key(name), " is ", value, "; it must be ", neutral, ": ",
                 ToAbsl(reason));
  }

  // The factor, or 1 if there is none. Zero means none, as in llama.cpp.
  absl::StatusOr<double> Factor() const {
    const std::string_view name = model_.keys().Has(Key("scaling.factor"))
                                      ? "scaling.factor"
                                      : "scale_linear";
    ASSIGN_OR_RETURN(const double factor, Number(name, 1));
    if (factor == 0) return 1;
    if (factor < 1) {
      return Error(Key(name), " is ", factor, "; it must be 0 or at least 1");
    }
    return factor;
  }

  absl::StatusOr<Json> ReadKeys() const {
    std::string type = "linear";  // The default of llama.cpp.
    if (const std::string key = Key("scaling.type"); model_.keys().Has(key)) {
      ASSIGN_OR_RETURN(const std::string_view name,
                       model_.keys().GetString(key));
      type = std::string(name);
      if (type != "none" && type != "linear" && type != "yarn") {
        return Error(key, " is \"", type,
                     "\"; \"none\", \"linear\" and \"yarn\" can be converted");
      }
    }
    if (const std::string key = Key("scaling.alpha"); model_.keys().Has(key)) {
      return Error(key, " belongs to dynamic scaling, which is not computed");
    }
    if (type == "none") return Json();
    if (type == "yarn") return ReadYarn();
    RETURN_IF_ERROR(Require("scaling.attn_factor", 1,
                            "linear scaling has no factor of attention"));
    ASSIGN_OR_RETURN(const double factor, Factor());
    if (factor == 1) return Json();
    return Json{{"rope_type", type}, {"factor", factor}};
  }

  absl::StatusOr<Json> ReadYarn() const {
    if (!model_.keys().Has(Key("scaling.factor")) &&
        !model_.keys().Has(Key("scale_linear"))) {
      return Error(Key("scaling.factor"), " is missing; scaling.type is yarn");
    }
    ASSIGN_OR_RETURN(const double factor, Factor());
    RETURN_IF_ERROR(Require("scaling.yarn_ext_factor", 1,
                            "other mixtures with linear scaling are not "
                            "computed"));
    RETURN_IF_ERROR(Require("scaling.yarn_attn_factor", 1,
                            "writers of GGUF disagree about its meaning"));
    RETURN_IF_ERROR(Require("scaling.yarn_log_multiplier", 0,
                            "only DeepSeek's attention uses it"));
    ASSIGN_OR_RETURN(const std::int64_t original, OriginalPositions());
    Json scaling = {{"rope_type", "yarn"},
                    {"factor", factor},
                    {"original_max_position_embeddings", original}};
    ASSIGN_OR_RETURN(const double attention, Number("scaling.attn_factor", 1));
    if (attention <= 0) {
      return Error(Key("scaling.attn_factor"), " is ", attention,
                   "; it must be above 0");
    }
    // llama.cpp multiplies YaRN's own factor by this one.
    if (attention != 1) {
      scaling["attention_factor"] = attention * (1 + 0.1 * std::log(factor));
    }
    for (const char* name : {"beta_fast", "beta_slow"}) {
      const std::string key = absl::StrCat("scaling.yarn_", name);
      if (!model_.keys().Has(Key(key))) continue;
      ASSIGN_OR_RETURN(const double beta, Number(key, 0));
      if (beta <= 0) {
        return Error(Key(key), " is ", beta, "; it must be above 0");
      }
      scaling[name] = beta;
    }
    if (factor == 1 && attention == 1) return Json();
    return scaling;
  }

  absl::StatusOr<std::int64_t> OriginalPositions() const {
    const std::string key = Key("scaling.original_context_length");
    std::int64_t positions = config_.max_positions;
    if (model_.keys().Has(key)) {
      ASSIGN_OR_RETURN(positions, model_.keys().GetInt(key));
    }
    if (positions < 1 || positions > kMaxPositions) {
      return Error(key, " is ", positions, "; it must be from 1 to ",
                   kMaxPositions);
    }
    return positions;
  }

  // Recognizes Llama 3's scaling by the divisors of the frequencies.
  absl::StatusOr<Json> ReadFactors(const GgufTensor& tensor) const {
    const auto error = [&](const auto&... parts) {
      return absl::InvalidArgumentError(
          absl::StrCat(model_.Where(kFactorsTensor), parts...));
    };
    const auto pairs = static_cast<std::size_t>(config_.head_size() / 2);
    if (tensor.shape.size() != 1 || !tensor.type->readable() ||
        tensor.type->quantized() ||
        tensor.shape[0] != static_cast<std::int64_t>(pairs)) {
      return error(": must be a vector of half the size of a head, ", pairs,
                   ", in F32");
    }
    std::vector<float> divisors(pairs);
    Dequantize(*tensor.type, tensor.data, divisors.data());
    double factor = 1;
    for (const float divisor : divisors) {
      if (!std::isfinite(divisor) || divisor < 1) {
        return error(": holds ", divisor, "; divisors are at least 1");
      }
      factor = std::max(factor, double{divisor});
    }
    if (factor == 1) return Json();
    factor = ShortestDouble(factor);
    for (std::size_t i = 0; i < pairs; ++i) {
      const double expected = Llama3Divisor(i, factor);
      // Converters compute in single precision.
      if (std::fabs(divisors[i] - expected) > 1e-4 * expected) {
        return error(": divisor ", i, " is ", divisors[i], ", but with factor ",
                     factor, " that of Llama 3 (low_freq_factor 1, ",
                     "high_freq_factor 4, 8192 original positions) is ",
                     expected, "; other scalings cannot be converted");
      }
    }
    return Json{{"rope_type", "llama3"},
                {"factor", factor},
                {"low_freq_factor", kLlama3Low},
                {"high_freq_factor", kLlama3High},
                {"original_max_position_embeddings", kLlama3OriginalPositions}};
  }

  // The divisor of frequency i, after transformers' rope_type "llama3": 1 for
  // short waves, `factor` for long ones, and between them a smooth transition.
  double Llama3Divisor(std::size_t i, double factor) const {
    const double exponent = -2.0 * static_cast<double>(i) /
                            static_cast<double>(config_.head_size());
    const double wave_length =
        2 * std::numbers::pi / std::pow(config_.rope_theta, exponent);
    const double turns =
        static_cast<double>(kLlama3OriginalPositions) / wave_length;
    if (turns > kLlama3High) return 1;
    if (turns < kLlama3Low) return factor;
    const double smooth = (turns - kLlama3Low) / (kLlama3High - kLlama3Low);
    return 1 / ((1 - smooth) / factor + smooth);
  }

  const GgufModel& model_;
  const std::string_view architecture_;
  const BaseConfig& config_;
};

}  // namespace

absl::StatusOr<Json> ReadGgufRope(const GgufModel& model,
                                  std::string_view architecture,
                                  const BaseConfig& config) {
  return RopeReader(model, architecture, config).Read();
}

}  // namespace apollo

#include "model/config/rope_scaling.h"

#include <absl/strings/str_format.h>

#include <cmath>

#include "common/check.h"

namespace apollo {

const char* RopeTypeName(RopeType type) {
  switch (type) {
    case RopeType::kDefault:
      return "default";
    case RopeType::kLinear:
      return "linear";
    case RopeType::kYarn:
      return "yarn";
    case RopeType::kLlama3:
      return "llama3";
  }
  APOLLO_CHECK(false);
}

double YarnAttentionFactor(double factor, std::optional<double> mscale,
                           std::optional<double> mscale_all_dim) {
  const auto m = [factor](double scale) {
    return factor <= 1 ? 1.0 : 0.1 * scale * std::log(factor) + 1.0;
  };
  if (mscale && mscale_all_dim) return m(*mscale) / m(*mscale_all_dim);
  return m(1);
}

std::string RopeScalingFacts(const RopeScaling& s) {
  if (s.type == RopeType::kDefault) return "";
  return absl::StrFormat(
      "%s %.17g %d %.17g %.17g %d %.17g %.17g %.17g", RopeTypeName(s.type),
      s.factor, s.original_context, s.beta_fast, s.beta_slow, s.truncate,
      s.attention_factor, s.low_freq_factor, s.high_freq_factor);
}

Json RopeScalingJson(const RopeScaling& s) {
  if (s.type == RopeType::kDefault) return nullptr;
  Json json = {{"rope_type", RopeTypeName(s.type)}, {"factor", s.factor}};
  if (s.original_context > 0) {
    json["original_max_position_embeddings"] = s.original_context;
  }
  if (s.type == RopeType::kYarn) {
    json["beta_fast"] = s.beta_fast;
    json["beta_slow"] = s.beta_slow;
    json["truncate"] = s.truncate;
    json["attention_factor"] = s.attention_factor;
  }
  if (s.type == RopeType::kLlama3) {
    json["low_freq_factor"] = s.low_freq_factor;
    json["high_freq_factor"] = s.high_freq_factor;
  }
  return json;
}

}  // namespace apollo

#pragma once

#include <optional>
#include <string>

#include "common/json.h"

namespace apollo {

// The names of "rope_type" in transformers: "default", "linear", "yarn",
// "llama3".
enum class RopeType {
  kDefault,  // Su et al., 2021 (RoFormer).
  kLinear,   // Chen et al., 2023 (position interpolation).
  kYarn,     // Peng et al., 2023 (YaRN).
  kLlama3,   // That of Llama 3.1.
};

// How the rotary positions of a model are scaled, without their base.
// engine/rope_frequencies.h computes it. Fields that a type does not use keep
// their defaults, so that equal rotations are equal structs.
struct RopeScaling {
  RopeType type = RopeType::kDefault;
  double factor = 1;         // 1..1e6; all types but kDefault.
  int original_context = 0;  // Before scaling, 1..2^24; kYarn and kLlama3.
  // kYarn. The last is the factor of cosines and sines.
  double beta_fast = 32;  // Rotations within the original context; above them
                          // frequencies are unchanged.
  double beta_slow = 1;   // Below them they are divided by the factor.
  bool truncate = true;   // The limits are rounded to whole frequencies.
  double attention_factor = 1;
  // kLlama3: as beta_slow and beta_fast.
  double low_freq_factor = 1;
  double high_freq_factor = 4;  // Above low_freq_factor.

  bool operator==(const RopeScaling&) const = default;
};

// Returns the value of "rope_type".
const char* RopeTypeName(RopeType type);

// Returns YaRN's factor of cosines and sines for a config that does not give
// it: m(1), or m(mscale) / m(mscale_all_dim) if both are there, where
// m(s) = 1 + s ln(factor) / 10 (paper, section 3.4; transformers' get_mscale).
double YarnAttentionFactor(double factor, std::optional<double> mscale = {},
                           std::optional<double> mscale_all_dim = {});

// Returns, as text, every number that affects the rotation; empty for kDefault.
// Equal texts mean equal numbers.
std::string RopeScalingFacts(const RopeScaling& scaling);

// Returns the value of "rope_scaling" in a config.json that means this scaling;
// null for kDefault. ReadRopeScaling reads it back.
Json RopeScalingJson(const RopeScaling& scaling);

}  // namespace apollo

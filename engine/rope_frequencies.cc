#include "engine/rope_frequencies.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <utility>
#include <vector>

#include "common/check.h"

namespace apollo {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;

// Returns b^(2j/d), each rounded to float32 from a float32 exponent.
std::vector<float> Periods(const ModelConfig& config) {
  std::vector<float> periods;
  const auto size = static_cast<float>(config.head_size);
  const auto base = static_cast<float>(config.rope_theta);
  for (int j = 0; j < config.head_size / 2; ++j) {
    const float exponent = static_cast<float>(2 * j) / size;
    periods.push_back(static_cast<float>(
        std::pow(static_cast<double>(base), static_cast<double>(exponent))));
  }
  return periods;
}

std::vector<float> Linear(const RopeScaling& scaling,
                          const std::vector<float>& periods) {
  std::vector<float> inverse;
  for (const float period : periods) {
    inverse.push_back(1.0f / period / static_cast<float>(scaling.factor));
  }
  return inverse;
}

// Returns the dimensions between which YaRN passes from unchanged to divided
// frequencies.
std::pair<double, double> YarnRange(const ModelConfig& config) {
  const RopeScaling& scaling = config.rope_scaling;
  const auto dimension = [&](double turns) {
    return config.head_size *
           std::log(scaling.original_context / (turns * kTurn)) /
           (2 * std::log(config.rope_theta));
  };
  double first = dimension(scaling.beta_fast);
  double last = dimension(scaling.beta_slow);
  if (scaling.truncate) {
    first = std::floor(first);
    last = std::ceil(last);
  }
  first = std::max(first, 0.0);
  last = std::min(last, config.head_size - 1.0);
  if (first == last)
    last += 0.001;  // As transformers does, not to divide by 0.
  return {first, last};
}

std::vector<float> Yarn(const ModelConfig& config,
                        const std::vector<float>& periods) {
  const auto [first, last] = YarnRange(config);
  const auto start = static_cast<float>(first);
  const auto length = static_cast<float>(last - first);
  const auto factor = static_cast<float>(config.rope_scaling.factor);
  std::vector<float> inverse;
  for (std::size_t j = 0; j < periods.size(); ++j) {
    const float ramp =
        std::clamp((static_cast<float>(j) - start) / length, 0.0f, 1.0f);
    const float kept = 1.0f - ramp;
    const float divided = 1.0f / (factor * periods[j]);
    inverse.push_back(divided * (1.0f - kept) + 1.0f / periods[j] * kept);
  }
  return inverse;
}

std::vector<float> Llama3(const RopeScaling& scaling,
                          const std::vector<float>& periods) {
  const double context = scaling.original_context;
  const auto longest = static_cast<float>(context / scaling.low_freq_factor);
  const auto shortest = static_cast<float>(context / scaling.high_freq_factor);
  const auto factor = static_cast<float>(scaling.factor);
  const auto low = static_cast<float>(scaling.low_freq_factor);
  const auto range =
      static_cast<float>(scaling.high_freq_factor - scaling.low_freq_factor);
  std::vector<float> inverse;
  for (const float period : periods) {
    const float plain = 1.0f / period;
    // A number over a tensor is a product with the reciprocal in PyTorch.
    const float wavelength = 1.0f / plain * static_cast<float>(kTurn);
    if (wavelength > longest) {
      inverse.push_back(plain / factor);
    } else if (wavelength < shortest) {
      inverse.push_back(plain);
    } else {
      const float turns = 1.0f / wavelength * static_cast<float>(context);
      const float kept = (turns - low) / range;
      inverse.push_back((1.0f - kept) * plain / factor + kept * plain);
    }
  }
  return inverse;
}

}  // namespace

RopeFrequencies RopeFrequenciesOf(const ModelConfig& config) {
  const RopeScaling& scaling = config.rope_scaling;
  if (scaling.type == RopeType::kDefault) {
    return PlainRopeFrequencies(config.head_size, config.rope_theta);
  }
  APOLLO_CHECK(config.head_size % 2 == 0 && config.rope_theta > 0);
  const std::vector<float> periods = Periods(config);
  RopeFrequencies frequencies;
  frequencies.scale = static_cast<float>(scaling.attention_factor);
  switch (scaling.type) {
    case RopeType::kDefault:
      break;
    case RopeType::kLinear:
      frequencies.inverse = Linear(scaling, periods);
      break;
    case RopeType::kYarn:
      frequencies.inverse = Yarn(config, periods);
      break;
    case RopeType::kLlama3:
      frequencies.inverse = Llama3(scaling, periods);
      break;
  }
  return frequencies;
}

}  // namespace apollo

#pragma once

#include <absl/strings/str_cat.h>

#include <cstdint>
#include <optional>
#include <string>

namespace apollo {

// Sampling parameters. CheckSampling enforces the ranges given here.
struct SamplingOptions {
  float temperature = 0;  // 0: greedy. Else in (0, 100].
  float top_p = 1;        // (0, 1]
  int top_k = 0;          // 0: all.
  std::uint64_t seed = 0;
  float presence_penalty = 0;   // [-2, 2]
  float frequency_penalty = 0;  // [-2, 2]
  bool operator==(const SamplingOptions&) const = default;
};

// An invalid field.
struct WrongField {
  std::string name;    // As in SamplingOptions, and in the messages.
  std::string reason;  // "is 3; it must be from 0 to 1"
};

// Returns the first field that is out of range, or nullopt.
inline std::optional<WrongField> CheckSampling(const SamplingOptions& options) {
  struct Range {
    const char* name;
    double value, low, high;
  };
  for (const auto& [name, value, low, high] : {
           Range{"temperature", options.temperature, 0, 100},
           Range{"top_p", options.top_p, 0, 1},
           Range{"presence_penalty", options.presence_penalty, -2, 2},
           Range{"frequency_penalty", options.frequency_penalty, -2, 2},
       }) {
    // Written so that NaN fails.
    if (value >= low && value <= high) continue;
    return WrongField{name, absl::StrCat("is ", value, "; it must be from ",
                                         low, " to ", high)};
  }
  if (options.top_p == 0) {
    return WrongField{"top_p", "is 0; it must be above 0 and at most 1"};
  }
  if (options.top_k < 0) {
    return WrongField{
        "top_k", absl::StrCat("is ", options.top_k, "; it must be at least 0")};
  }
  return std::nullopt;
}

}  // namespace apollo

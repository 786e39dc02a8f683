#pragma once

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace apollo {

inline constexpr std::size_t kMaxLogitBias = 300;

// A change of the logit of one token.
struct LogitBias {
  std::int32_t token = 0;
  float bias = 0;  // [-100, 100]
  bool operator==(const LogitBias&) const = default;
};

// Sampling parameters. CheckSampling enforces the ranges given here.
struct SamplingOptions {
  float temperature = 0;  // 0: greedy. Else in (0, 100].
  float top_p = 1;        // (0, 1]
  int top_k = 0;          // 0: all.
  std::uint64_t seed = 0;
  float presence_penalty = 0;   // [-2, 2]
  float frequency_penalty = 0;  // [-2, 2]
  float min_p = 0;              // [0, 1]; 0: all.
  // Ascending by token, each once; at most kMaxLogitBias. Tokens are at least
  // 0.
  std::vector<LogitBias> logit_bias = {};
  bool operator==(const SamplingOptions&) const = default;
};

// An invalid field.
struct WrongField {
  std::string name;    // As in SamplingOptions, and in the messages.
  std::string reason;  // "is 3; it must be from 0 to 1"
};

// Returns true if all tokens of the bias are below `vocab`.
inline bool BiasFits(const std::vector<LogitBias>& bias, int vocab) {
  return bias.empty() || bias.back().token < vocab;
}

// Returns all fields that are out of range. Never quotes a token.
inline std::vector<WrongField> CheckSampling(const SamplingOptions& options) {
  std::vector<WrongField> wrong;
  struct Range {
    const char* name;
    double value, low, high;
  };
  for (const auto& [name, value, low, high] : {
           Range{"temperature", options.temperature, 0, 100},
           Range{"top_p", options.top_p, 0, 1},
           Range{"presence_penalty", options.presence_penalty, -2, 2},
           Range{"frequency_penalty", options.frequency_penalty, -2, 2},
           Range{"min_p", options.min_p, 0, 1},
       }) {
    // Written so that NaN fails.
    if (value >= low && value <= high) continue;
    wrong.push_back({name, absl::StrCat("is ", value, "; it must be from ", low,
                                        " to ", high)});
  }
  if (options.top_p == 0) {
    wrong.push_back({"top_p", "is 0; it must be above 0 and at most 1"});
  }
  if (options.top_k < 0) {
    wrong.push_back({"top_k", absl::StrCat("is ", options.top_k,
                                           "; it must be at least 0")});
  }
  if (options.logit_bias.size() > kMaxLogitBias) {
    wrong.push_back(
        {"logit_bias",
         absl::StrCat("has ", options.logit_bias.size(), " tokens; at most ",
                      kMaxLogitBias, " are allowed")});
  }
  const auto bad_token = [](const LogitBias& b) { return b.token < 0; };
  if (std::any_of(options.logit_bias.begin(), options.logit_bias.end(),
                  bad_token)) {
    wrong.push_back(
        {"logit_bias", "has a negative token id; it must be at least 0"});
  }
  for (const LogitBias& one : options.logit_bias) {
    if (one.bias >= -100 && one.bias <= 100) continue;  // NaN fails.
    wrong.push_back({"logit_bias", absl::StrCat("has the bias ", one.bias,
                                                "; it must be from -100 to "
                                                "100")});
    break;
  }
  return wrong;
}

}  // namespace apollo

#include "link/sampling_codec.h"

#include <absl/strings/str_cat.h>

#include <climits>

namespace apollo {

v1::SamplingParams ToProto(const SamplingOptions& options) {
  v1::SamplingParams params;
  params.set_temperature(options.temperature);
  params.set_top_p(options.top_p);
  params.set_top_k(options.top_k);
  params.set_seed(options.seed);
  params.set_presence_penalty(options.presence_penalty);
  params.set_frequency_penalty(options.frequency_penalty);
  return params;
}

std::optional<WrongField> FromProto(const v1::SamplingParams& params,
                                    SamplingOptions& options) {
  struct Range {
    const char* name;
    double value, low, high;
  };
  for (const auto& [name, value, low, high] : {
           Range{"temperature", params.temperature(), 0, 100},
           Range{"top_p", params.top_p(), 0, 1},
           Range{"presence_penalty", params.presence_penalty(), -2, 2},
           Range{"frequency_penalty", params.frequency_penalty(), -2, 2},
       }) {
    // Written so that NaN fails.
    if (value >= low && value <= high) continue;
    return WrongField{name, absl::StrCat("is ", value, "; it must be from ",
                                         low, " to ", high)};
  }
  if (params.top_k() > INT_MAX) {
    return WrongField{"top_k", absl::StrCat("is ", params.top_k(),
                                            "; it must be at most ", INT_MAX)};
  }
  options.temperature = params.temperature();
  options.top_p = params.top_p() == 0 ? 1 : params.top_p();
  options.top_k = static_cast<int>(params.top_k());
  options.seed = params.seed();
  options.presence_penalty = params.presence_penalty();
  options.frequency_penalty = params.frequency_penalty();
  return std::nullopt;
}

}  // namespace apollo

#include "link/sampling_codec.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <climits>
#include <cstdint>
#include <utility>

namespace apollo {

v1::SamplingParams ToProto(const SamplingOptions& options) {
  v1::SamplingParams params;
  params.set_temperature(options.temperature);
  params.set_top_p(options.top_p);
  params.set_top_k(options.top_k);
  params.set_seed(options.seed);
  params.set_presence_penalty(options.presence_penalty);
  params.set_frequency_penalty(options.frequency_penalty);
  params.set_min_p(options.min_p);
  for (const LogitBias& one : options.logit_bias) {
    (*params.mutable_logit_bias())[one.token] = one.bias;
  }
  return params;
}

std::vector<WrongField> FromProto(const v1::SamplingParams& params,
                                  SamplingOptions& options) {
  SamplingOptions read;
  read.temperature = params.temperature();
  read.top_p = params.top_p() == 0 ? 1 : params.top_p();
  read.top_k =
      static_cast<int>(std::min<std::uint32_t>(params.top_k(), INT_MAX));
  read.seed = params.seed();
  read.presence_penalty = params.presence_penalty();
  read.frequency_penalty = params.frequency_penalty();
  read.min_p = params.min_p();
  for (const auto& [token, bias] : params.logit_bias()) {
    read.logit_bias.push_back({token, bias});
  }
  std::sort(
      read.logit_bias.begin(), read.logit_bias.end(),
      [](const LogitBias& a, const LogitBias& b) { return a.token < b.token; });
  std::vector<WrongField> wrong = CheckSampling(read);
  if (params.top_k() > INT_MAX) {
    wrong.push_back({"top_k", absl::StrCat("is ", params.top_k(),
                                           "; it must be at most ", INT_MAX)});
  }
  options = std::move(read);
  return wrong;
}

}  // namespace apollo

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
  if (params.top_k() > INT_MAX) {
    return WrongField{"top_k", absl::StrCat("is ", params.top_k(),
                                            "; it must be at most ", INT_MAX)};
  }
  SamplingOptions read;
  read.temperature = params.temperature();
  read.top_p = params.top_p() == 0 ? 1 : params.top_p();
  read.top_k = static_cast<int>(params.top_k());
  read.seed = params.seed();
  read.presence_penalty = params.presence_penalty();
  read.frequency_penalty = params.frequency_penalty();
  auto wrong = CheckSampling(read);
  if (!wrong) options = read;
  return wrong;
}

}  // namespace apollo

#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "proto/apollo/v1/inference.grpc.pb.h"

namespace apollo {

// The request of one of the streams that run at the same time.
struct StreamPlan {
  int slot = 0;
  int choices = 1;
  v1::GenerateRequest request;
  // Tokens that only this stream can choose: it is drawn to them, and the
  // others have a bias against them that no model overcomes.
  std::set<std::int32_t> canaries;
  // Those of all other streams.
  std::set<std::int32_t> foreign;
};

struct StreamMix {
  int streams = 16;
  int prompt_tokens = 128;
  int new_tokens = 64;
  std::uint64_t seed = 1;
};

// Returns the requests of a mix: in several languages, by turns greedy and
// sampled, some with three choices, some with hybrid routing. Prompts are
// texts cut to the size in tokens, different in each stream. Needs a cluster
// whose model has at least 200 tokens. At most 60 streams.
absl::StatusOr<std::vector<StreamPlan>> PlanStreams(
    v1::InferenceService::Stub& router, const StreamMix& mix);

}  // namespace apollo

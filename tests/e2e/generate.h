#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <string>
#include <vector>

#include "proto/apollo/v1/inference.grpc.pb.h"

namespace apollo {

// What came back from one Generate call of one choice.
struct Answer {
  grpc::Status status;
  v1::GenerateStarted started;
  std::string text;
  std::vector<std::int32_t> ids;
  std::vector<float> logprobs;
  // For each token, those that were asked for besides, best first.
  std::vector<std::vector<v1::TokenAlternative>> alternatives;
  v1::GenerateFinished finished;
  int started_events = 0, finished_events = 0;
  bool contiguous = true;  // Whether every delta had the index that was due.
};

// Calls Generate and reads all of the stream, for at most two minutes.
Answer Generate(v1::InferenceService::Stub& stub,
                const v1::GenerateRequest& request);

// A request for greedy tokens behind a verbatim prompt, with log-probabilities.
v1::GenerateRequest GreedyRequest(const std::string& prompt,
                                  int max_new_tokens);

}  // namespace apollo

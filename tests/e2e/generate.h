#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <string>
#include <vector>

#include "proto/apollo/v1/inference.grpc.pb.h"

namespace apollo {

// The results of a Generate call with one choice.
struct Answer {
  grpc::Status status;
  v1::GenerateStarted started;
  std::string text;
  std::vector<std::int32_t> ids;
  std::vector<float> logprobs;
  // The requested alternatives of each token, best first.
  std::vector<std::vector<v1::TokenAlternative>> alternatives;
  v1::PromptLogprobs prompt;  // All pieces, if requested.
  v1::GenerateFinished finished;
  int started_events = 0, finished_events = 0;
  bool contiguous = true;  // All deltas had the expected indices.
};

// Calls Generate and reads the whole stream, for at most two minutes.
Answer Generate(v1::InferenceService::Stub& stub,
                const v1::GenerateRequest& request);

// Returns a greedy request with a verbatim prompt and log-probabilities.
v1::GenerateRequest GreedyRequest(const std::string& prompt,
                                  int max_new_tokens);

// Returns a request for an answer of about 1 MB to a tiny model, in kLongTokens
// tokens. At routers with the flag kPauseEarly it pauses until its client reads
// on, so it runs as long as a test wants, however late the test is.
v1::GenerateRequest LongRequest(const std::string& prompt);
inline constexpr int kLongTokens = 8 * 480;
inline constexpr char kPauseEarly[] = "--call_output_bytes=32768";

}  // namespace apollo

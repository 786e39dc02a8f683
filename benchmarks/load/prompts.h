#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "proto/apollo/v1/inference.grpc.pb.h"

namespace apollo::load {

// Prompts of an exact number of tokens: plain English words that are one token
// each for the model that is served, drawn at random. Two prompts of one seed
// share their first 16 tokens (a block of the cache) with a chance below
// 10^-16, so none is found in the cache. One thread.
class Prompts {
 public:
  // Asks the server which words are one token. FAILED_PRECONDITION if fewer
  // than 16 are; else the call's own error.
  static absl::StatusOr<Prompts> Make(
      v1::InferenceService::StubInterface& service, std::uint64_t seed);

  std::string Next(int tokens);

 private:
  Prompts(std::vector<std::string> words, std::uint64_t seed)
      : words_(std::move(words)), random_(seed) {}

  std::vector<std::string> words_;  // Each with a blank before it.
  std::mt19937_64 random_;
};

}  // namespace apollo::load

#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "proto/apollo/v1/inference.grpc.pb.h"

namespace apollo::load {

// Prompts of an exact number of tokens: random English words that are single
// tokens of the served model. Two prompts of one seed share their first 16
// tokens (a cache block) with probability below 10^-16, so none is found in the
// cache. Single-threaded.
class Prompts {
 public:
  // Asks the server which words are single tokens. Returns FAILED_PRECONDITION
  // if fewer than 16 are, or the error of the call.
  static absl::StatusOr<Prompts> Make(
      v1::InferenceService::StubInterface& service, std::uint64_t seed);

  std::string Next(int tokens);

  // The words that may occur, most of which most vocabularies contain.
  static std::span<const char* const> Words();

 private:
  Prompts(std::vector<std::string> words, std::uint64_t seed)
      : words_(std::move(words)), random_(seed) {}

  std::vector<std::string> words_;  // Each with a leading space.
  std::mt19937_64 random_;
};

}  // namespace apollo::load

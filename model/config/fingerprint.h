#pragma once

#include <string>

#include "model/config/model_config.h"

namespace apollo {

// Hashes that processes exchange to notice that their model directories differ.
// Each has 16 hexadecimal digits.
struct ModelFingerprint {
  // Covers the numbers of the config, without the fields that only a router
  // uses, and the ends that generation_config.json adds.
  std::string config;
  // Covers the bytes of tokenizer.json; empty if the directory has none.
  std::string tokenizer;
};

// Computes the fingerprint of a model directory. Never fails: unreadable files
// count as absent. Thread-safe.
ModelFingerprint FingerprintOf(const ModelConfig& config,
                               const std::string& directory);

// Describes, with both hashes, how `other` differs in a hash that both have.
// Returns an empty string if it does not.
std::string Difference(const ModelFingerprint& own,
                       const ModelFingerprint& other);

}  // namespace apollo

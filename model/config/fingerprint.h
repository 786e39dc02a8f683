#pragma once

#include <string>

#include "model/config/model_config.h"

namespace apollo {

// What processes tell each other of their model directories, to notice that
// these are of different models. The fields are hashes of 16 hexadecimal
// digits.
struct ModelFingerprint {
  // Of the config's numbers; not of what only a router uses.
  std::string config;
  // Of tokenizer.json's bytes; empty if the directory has none.
  std::string tokenizer;
};

// Immutable input, so safe from any thread. Never fails: what cannot be read
// counts as absent.
ModelFingerprint FingerprintOf(const ModelConfig& config,
                               const std::string& directory);

// Returns in words, with both hashes, how `other` differs in something that
// both have; empty if it does not.
std::string Difference(const ModelFingerprint& own,
                       const ModelFingerprint& other);

}  // namespace apollo

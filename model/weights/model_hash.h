#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/thread_pool.h"
#include "model/config/model_config.h"
#include "model/safetensors/checkpoint.h"

namespace apollo {

// Bytes of a tensor that are hashed in one go, by one thread.
inline constexpr std::size_t kHashPiece = 8 << 20;

// Returns SHA-256, in hexadecimal, over name, type, shape and every byte of all
// tensors, whatever files they are in and in which order. (Strictly: over the
// sums of pieces of kHashPiece bytes, so that all threads of the pool can work
// on them.) Reads the whole checkpoint: about 0.7 s a GB and thread.
std::string WeightsDigest(const Checkpoint& checkpoint, ThreadPool& pool);

// Returns a fingerprint of what is served, 16 hexadecimal digits of a SHA-256:
// equal exactly when two workers may serve one sequence together.
std::string ModelHash(const ModelConfig& config,
                      std::string_view weights_digest);

}  // namespace apollo

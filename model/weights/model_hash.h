#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/thread_pool.h"
#include "model/config/model_config.h"
#include "model/safetensors/checkpoint.h"

namespace apollo {

// Bytes of a tensor that one thread hashes at a time.
inline constexpr std::size_t kHashPiece = 8 << 20;

// Returns the SHA-256, in hexadecimal, over name, type, shape and bytes of all
// tensors, independent of their files and order. (More precisely, over the
// hashes of pieces of kHashPiece bytes, so that all threads of the pool can
// share the work.) Reads the whole checkpoint: about 0.7 s per GB and thread.
// Returns "" soon if the process is asked to stop meanwhile (StopRequested).
std::string WeightsDigest(const Checkpoint& checkpoint, ThreadPool& pool);

// Returns the hash of a served model, 16 hexadecimal digits of a SHA-256. Two
// workers may serve one sequence together only if their hashes are equal.
std::string ModelHash(const ModelConfig& config,
                      std::string_view weights_digest);

}  // namespace apollo

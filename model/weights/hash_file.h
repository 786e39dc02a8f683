#pragma once

#include <cstdint>
#include <string>

#include "model/safetensors/checkpoint.h"

namespace apollo {

// Name of the file beside a checkpoint that keeps its WeightsDigest, so that it
// is computed once. It is valid as long as size, inode and times of all files
// are those that it names, and may be deleted at any time.
inline constexpr char kHashFile[] = "weights.hash";

// Smaller checkpoints are hashed each time, and leave no file.
inline constexpr std::int64_t kKeptFrom = 64 << 20;

// Returns the WeightsDigest of a checkpoint: from kHashFile in its directory if
// that is valid, else computed with all processors, and then kept there. A
// directory that cannot be written to costs the time again at the next start,
// and is no error. Logs "weights_hashed" when it computes one that is kept.
std::string WeightsDigestOf(const Checkpoint& checkpoint,
                            std::int64_t kept_from = kKeptFrom);

}  // namespace apollo

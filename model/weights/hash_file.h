#pragma once

#include <cstdint>
#include <string>

#include "model/safetensors/checkpoint.h"

namespace apollo {

// Name of the file next to a checkpoint that caches its WeightsDigest. It is
// valid as long as it matches the size, inode and times of all files, and may
// be deleted at any time.
inline constexpr char kHashFile[] = "weights.hash";

// Checkpoints of fewer bytes are hashed each time and leave no file.
inline constexpr std::int64_t kKeptFrom = 64 << 20;

// Returns the WeightsDigest of a checkpoint: from kHashFile in its directory if
// that is valid, else computed with all processors and then cached. A directory
// that is not writable is not an error, but the next start computes it again.
// Logs "weights_hashed" after computing a digest that is cached. Returns "" if
// the process is asked to stop meanwhile.
std::string WeightsDigestOf(const Checkpoint& checkpoint,
                            std::int64_t kept_from = kKeptFrom);

}  // namespace apollo

#pragma once

#include <cstdint>

#include "kernels/cuda/host_device.h"

// The order of tokens by their logits: falling, equal ones by token. A token's
// key is a number that is larger the earlier the token comes.
namespace apollo::cuda {

// logit: its bit pattern; must not be NaN. Both zeros are equal.
APOLLO_HOST_DEVICE constexpr std::uint64_t LogitKey(std::uint32_t logit,
                                                    std::uint32_t token) {
  if (logit == 0x80000000u) logit = 0;
  const std::uint32_t rising =
      (logit & 0x80000000u) != 0 ? ~logit : logit | 0x80000000u;
  return static_cast<std::uint64_t>(rising) << 32 | (~token & 0xffffffffu);
}
APOLLO_HOST_DEVICE constexpr std::int32_t TokenOf(std::uint64_t key) {
  return static_cast<std::int32_t>(~static_cast<std::uint32_t>(key));
}

}  // namespace apollo::cuda

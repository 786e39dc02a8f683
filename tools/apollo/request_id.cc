#include "tools/apollo/request_id.h"

#include <absl/strings/str_cat.h>

#include <cstdint>
#include <random>

namespace apollo::client {

std::string NewRequestId() {
  std::random_device random;
  const std::uint64_t bits = (std::uint64_t{random()} << 32) | random();
  return absl::StrCat("cli-", absl::Hex(bits, absl::kZeroPad16));
}

}  // namespace apollo::client

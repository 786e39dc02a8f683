#include "router/session/new_ids.h"

#include <absl/random/random.h>
#include <absl/strings/str_format.h>

namespace apollo {

std::uint64_t NewSeed() {
  static thread_local absl::BitGen generator;
  return absl::Uniform<std::uint64_t>(generator);
}

std::string NewRequestId() { return absl::StrFormat("r-%016x", NewSeed()); }

}  // namespace apollo

#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace apollo {

// Returns the memory in bytes that this process could take now without
// swapping: that of the machine, or less if a control group (version 1 or 2),
// such as that of a container, allows less. Pages of files that the kernel can
// drop count as free. Returns nullopt if the system does not say. `root` is a
// folder in place of "/", for tests.
std::optional<std::int64_t> FreeMemory(const std::string& root = "");

}  // namespace apollo

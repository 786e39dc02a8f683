#pragma once

#include <string>

namespace apollo {

inline constexpr char kVersion[] = "0.1.0";

// Returns the version, the commit that the program was built from, and whether
// the build was optimized, for example
// "0.1.0 (commit 1234567890ab, optimized build)". The commit is "unknown"
// unless the program was built with the option of tools/stamp.sh.
std::string VersionText();

}  // namespace apollo

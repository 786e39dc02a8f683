#pragma once

#include <absl/status/status.h>

#include <string_view>

namespace apollo {

// Returns INVALID_ARGUMENT, naming the line, if the variable of a loop is also
// used outside of that loop, or by a loop inside of it. In Jinja these are
// different variables; in minja, the loop leaves its last value behind.
absl::Status CheckJinjaTargets(std::string_view source);

}  // namespace apollo

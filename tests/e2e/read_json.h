#pragma once

#include <string>

#include "common/json.h"

namespace apollo {

// Returns a golden file as JSON. If it cannot be read or parsed, fails the
// test, naming the file, and returns an empty object.
Json ReadJson(const std::string& path);

}  // namespace apollo

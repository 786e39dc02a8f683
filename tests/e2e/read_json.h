#pragma once

#include <string>

#include "common/json.h"

namespace apollo {

// A file of golden data as JSON. The test fails, naming the file, if it cannot
// be read or is broken; then the result is an empty object.
Json ReadJson(const std::string& path);

}  // namespace apollo

#pragma once

#include <cstdint>
#include <string>

namespace apollo::client {

// Returns a number of seconds in its largest whole unit, such as "90s", "5m",
// "3h" or "12d"; a negative one as "0s".
std::string SpanText(std::int64_t seconds);

}  // namespace apollo::client

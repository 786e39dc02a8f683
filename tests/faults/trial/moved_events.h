#pragma once

#include <map>
#include <string>

#include "tests/faults/streams/pauses.h"

namespace apollo {

// Returns the times that dense workers log when a sequence goes on at another
// worker (event `sequence_moved`): by name of the field, such as
// "detection_seconds", all values of a log. Fields that end with "_seconds" or
// "_ms" are times; other lines and fields are ignored.
std::map<std::string, Pauses> MovedTimes(const std::string& log);

}  // namespace apollo

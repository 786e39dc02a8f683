#pragma once

#include <google/protobuf/message.h>

#include <string>

namespace apollo {

// Returns every value of a message and of those within it, one a line: texts
// and bytes as they are, numbers in decimal digits. Names of fields are left
// out, so the numbers of a list are on lines that follow each other.
std::string ValuesOf(const google::protobuf::Message& message);

}  // namespace apollo

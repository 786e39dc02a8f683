#pragma once

#include <absl/status/status.h>

#include <string_view>

namespace apollo {

// Returns INVALID_ARGUMENT, naming the line, the construct and a remedy, if the
// library minja computes something in a template otherwise than Jinja, without
// an error, or if it only might. jinja_source.h, jinja_loops.h and jinja_is.h
// mend other differences. docs/chat.md lists them all.
absl::Status CheckJinjaDifferences(std::string_view source);

}  // namespace apollo

#pragma once

#include <string>
#include <string_view>

namespace apollo {

// Functions of one argument, the name of a variable, in the sources that
// MendJinjaTests returns.
inline constexpr char kJinjaIsNone[] = "apollo_is_none";
inline constexpr char kJinjaIsDefined[] = "apollo_is_defined";

// Returns a source with tests that minja gets right: "x is true" becomes a
// comparison, and "x is none", "x is defined" and "x is undefined" of a
// variable become calls of the functions above. minja cannot tell a variable
// that is none from one that is not defined.
std::string MendJinjaTests(std::string_view source);

}  // namespace apollo

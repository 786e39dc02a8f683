#pragma once

#include <string>
#include <string_view>

namespace apollo {

// Returns a source that minja renders as Jinja renders `source` where loops set
// variables. In Jinja, what a round sets ends with it; minja keeps it for the
// next round. So each loop saves the variables that its body sets, and each
// round begins with the saved values. White space stays as it is.
std::string ScopeLoopVariables(std::string_view source);

}  // namespace apollo

#pragma once

#include <absl/status/statusor.h>

#include <set>
#include <string_view>

namespace apollo {

// The flag --experts: "all" or "0,2,5", experts below num_experts.
// INVALID_ARGUMENT naming the part that is wrong.
absl::StatusOr<std::set<int>> ParseExperts(std::string_view list,
                                           int num_experts);

}  // namespace apollo

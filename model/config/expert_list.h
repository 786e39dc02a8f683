#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <set>
#include <string_view>

namespace apollo {

// Parses "all" or a list such as "0,2,5" of experts below num_experts. A dense
// model has none: "all" is then the only right value. Returns INVALID_ARGUMENT
// naming the part that is wrong; `subject` is the flag or whatever has the
// list.
absl::StatusOr<std::set<int>> ParseExperts(
    std::string_view list, int num_experts,
    std::string_view subject = "--experts");

// Returns INVALID_ARGUMENT naming the first expert that a model with
// num_experts does not have. A dense model has none.
absl::Status CheckExperts(const std::set<int>& experts, int num_experts);

}  // namespace apollo

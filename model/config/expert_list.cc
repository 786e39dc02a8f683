#include "model/config/expert_list.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include "common/strings.h"

namespace apollo {

absl::StatusOr<std::set<int>> ParseExperts(std::string_view list,
                                           int num_experts,
                                           std::string_view subject) {
  std::set<int> experts;
  if (list == "all") {
    for (int e = 0; e < num_experts; ++e) experts.insert(e);
    return experts;
  }
  if (num_experts == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(ToAbsl(subject), " is \"", ToAbsl(list),
                     "\"; it must be \"all\", because the model has none"));
  }
  for (const absl::string_view part : absl::StrSplit(ToAbsl(list), ',')) {
    int expert = -1;
    if (!absl::SimpleAtoi(part, &expert) || expert < 0 ||
        expert >= num_experts) {
      return absl::InvalidArgumentError(absl::StrCat(
          ToAbsl(subject), " has \"", part,
          "\"; it must be \"all\" or comma-separated numbers from 0 to ",
          num_experts - 1));
    }
    experts.insert(expert);
  }
  return experts;
}

absl::Status CheckExperts(const std::set<int>& experts, int num_experts) {
  for (const int e : experts) {
    if (e >= 0 && e < num_experts) continue;
    if (num_experts == 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "expert ", e, " does not exist; this model has no experts"));
    }
    return absl::InvalidArgumentError(
        absl::StrCat("expert ", e, " does not exist; this model has experts 0",
                     " to ", num_experts - 1));
  }
  return absl::OkStatus();
}

}  // namespace apollo

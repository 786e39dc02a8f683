#include "router/request/field_error.h"

#include <absl/strings/cord.h>
#include <absl/strings/str_cat.h>

#include "common/strings.h"

namespace apollo {
namespace {

constexpr char kFieldPayload[] = "apollo/field";
constexpr char kProblemPayload[] = "apollo/problem";

}  // namespace

absl::Status FieldError(std::string_view field, std::string_view problem) {
  absl::Status status = absl::InvalidArgumentError(
      absl::StrCat(ToAbsl(field), " ", ToAbsl(problem)));
  status.SetPayload(kFieldPayload, absl::Cord(ToAbsl(field)));
  status.SetPayload(kProblemPayload, absl::Cord(ToAbsl(problem)));
  return status;
}

std::optional<FieldProblem> FieldProblemOf(const absl::Status& status) {
  const auto field = status.GetPayload(kFieldPayload);
  const auto problem = status.GetPayload(kProblemPayload);
  if (!field || !problem) return std::nullopt;
  return FieldProblem{std::string(*field), std::string(*problem)};
}

}  // namespace apollo

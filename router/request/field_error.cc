#include "router/request/field_error.h"

#include <absl/strings/cord.h>
#include <absl/strings/str_cat.h>

#include <algorithm>

#include "common/strings.h"

namespace apollo {
namespace {

// The payloads of a status with the field, and the problem, of this number.
std::string FieldPayload(std::size_t number) {
  return absl::StrCat("apollo/field/", number);
}
std::string ProblemPayload(std::size_t number) {
  return absl::StrCat("apollo/problem/", number);
}

}  // namespace

void FieldErrors::Add(std::string_view field, std::string_view problem) {
  const bool known = std::any_of(
      problems_.begin(), problems_.end(),
      [field](const FieldProblem& one) { return one.field == field; });
  if (known) return;
  if (problems_.size() < kMost) {
    problems_.push_back({std::string(field), std::string(problem)});
  } else if (unnamed_.size() < kMostCounted) {
    unnamed_.emplace(field);
  }
}

absl::Status FieldErrors::Take(const absl::Status& status) {
  const std::vector<FieldProblem> problems = FieldProblemsOf(status);
  for (const auto& [field, problem] : problems) Add(field, problem);
  return problems.empty() ? status : absl::OkStatus();
}

absl::Status FieldErrors::status() const {
  if (problems_.empty()) return absl::OkStatus();
  std::string message;
  for (const auto& [field, problem] : problems_) {
    absl::StrAppend(&message, message.empty() ? "" : "; ", field, " ", problem);
  }
  if (!unnamed_.empty()) {
    absl::StrAppend(&message, "; and ",
                    unnamed_.size() < kMostCounted ? "" : "at least ",
                    unnamed_.size(), " more");
  }
  absl::Status status = absl::InvalidArgumentError(message);
  for (std::size_t i = 0; i < problems_.size(); ++i) {
    status.SetPayload(FieldPayload(i), absl::Cord(problems_[i].field));
    status.SetPayload(ProblemPayload(i), absl::Cord(problems_[i].problem));
  }
  return status;
}

absl::Status FieldError(std::string_view field, std::string_view problem) {
  FieldErrors errors;
  errors.Add(field, problem);
  return errors.status();
}

std::vector<FieldProblem> FieldProblemsOf(const absl::Status& status) {
  std::vector<FieldProblem> problems;
  for (std::size_t i = 0; i < FieldErrors::kMost; ++i) {
    const auto field = status.GetPayload(FieldPayload(i));
    const auto problem = status.GetPayload(ProblemPayload(i));
    if (!field || !problem) break;
    problems.push_back({std::string(*field), std::string(*problem)});
  }
  return problems;
}

}  // namespace apollo

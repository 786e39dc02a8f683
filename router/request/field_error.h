#pragma once

#include <absl/status/status.h>

#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace apollo {

// One wrong field of a request. `problem` must never contain text or token ids
// of the request.
struct FieldProblem {
  std::string field;
  std::string problem;
};

// Collects the wrong fields of a request, in the order in which they are added.
class FieldErrors {
 public:
  // Fields that are named; further ones are only counted, up to kMostCounted.
  static constexpr std::size_t kMost = 16;
  static constexpr std::size_t kMostCounted = 1000;

  // Adds a field. The first problem of a field counts; later ones of the same
  // field are dropped.
  void Add(std::string_view field, std::string_view problem);

  // Adds the fields of a FieldError and returns OK. Returns any other status.
  absl::Status Take(const absl::Status& status);

  // Returns OK if nothing was added. Else returns INVALID_ARGUMENT with all
  // problems in its message: a FieldError.
  absl::Status status() const;

 private:
  std::vector<FieldProblem> problems_;
  // Further fields, each once.
  std::set<std::string, std::less<>> unnamed_;
};

// Returns a FieldError about one field, for example
// FieldError("sampling.temperature", "is -1; it must be from 0 to 100").
absl::Status FieldError(std::string_view field, std::string_view problem);

// Returns the problems of a FieldError, for fronts that send them separately;
// none for any other status.
std::vector<FieldProblem> FieldProblemsOf(const absl::Status& status);

}  // namespace apollo

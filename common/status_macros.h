#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <utility>

#define APOLLO_STATUS_CONCAT_INNER(a, b) a##b
#define APOLLO_STATUS_CONCAT(a, b) APOLLO_STATUS_CONCAT_INNER(a, b)

// Returns from the enclosing function if `expression` is not OK.
#define RETURN_IF_ERROR(expression)                                     \
  do {                                                                  \
    if (absl::Status apollo_status = (expression); !apollo_status.ok()) \
      return apollo_status;                                             \
  } while (false)

// ASSIGN_OR_RETURN(auto x, F()): declares or assigns `x`, or returns the error.
#define ASSIGN_OR_RETURN(target, expression)                                \
  ASSIGN_OR_RETURN_IMPL(APOLLO_STATUS_CONCAT(apollo_or_, __LINE__), target, \
                        expression)
#define ASSIGN_OR_RETURN_IMPL(temporary, target, expression) \
  auto temporary = (expression);                             \
  if (!temporary.ok()) return std::move(temporary).status(); \
  target = *std::move(temporary)

#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <optional>
#include <string>
#include <string_view>

namespace apollo {

// The quota that a call was refused for, as in google.rpc.QuotaFailure.
struct QuotaViolation {
  std::string subject;      // "caller:NAME" or "router".
  std::string description;  // The limit and its value.
  bool operator==(const QuotaViolation&) const = default;
};

// Returns RESOURCE_EXHAUSTED with the violation and a retry hint
// (common/retry_hint.h). `wait` is the time after which the call would be
// admitted if nobody else called.
absl::Status QuotaRefusal(const QuotaViolation& violation, absl::Duration wait);

// Returns the violation of a QuotaRefusal, or nullopt for any other status.
std::optional<QuotaViolation> QuotaViolationOf(const absl::Status& status);

}  // namespace apollo

#include "router/access/quota_refusal.h"

#include <absl/strings/cord.h>
#include <absl/strings/str_cat.h>

#include <algorithm>

#include "common/retry_hint.h"

namespace apollo {
namespace {

constexpr char kPayload[] = "apollo/quota_violation";

// A longer wait is as good as never: the client asks again before.
constexpr absl::Duration kLongestHint = absl::Hours(1);

}  // namespace

absl::Status QuotaRefusal(const QuotaViolation& violation,
                          absl::Duration wait) {
  absl::Status status = absl::ResourceExhaustedError(absl::StrCat(
      violation.subject, " is at its limit: ", violation.description,
      "; try again later"));
  // Neither part has a NUL.
  std::string payload = violation.subject;
  payload += '\0';
  payload += violation.description;
  status.SetPayload(kPayload, absl::Cord(payload));
  SetRetryHint(std::clamp(wait, absl::Milliseconds(1), kLongestHint), status);
  return status;
}

std::optional<QuotaViolation> QuotaViolationOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayload);
  if (!payload) return std::nullopt;
  const std::string text(*payload);
  const std::size_t end = text.find('\0');
  if (end == std::string::npos) return std::nullopt;
  return QuotaViolation{text.substr(0, end), text.substr(end + 1)};
}

}  // namespace apollo

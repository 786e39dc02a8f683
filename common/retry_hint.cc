#include "common/retry_hint.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include <cstdint>
#include <string>

#include "common/check.h"

namespace apollo {
namespace {

constexpr char kUrl[] = "apollo/retry_after_milliseconds";

}  // namespace

void SetRetryHint(absl::Duration after, absl::Status& error) {
  APOLLO_CHECK(after > absl::ZeroDuration() && after < absl::Hours(24 * 365));
  const absl::Duration rounded = absl::Ceil(after, absl::Milliseconds(1));
  error.SetPayload(
      kUrl, absl::Cord(absl::StrCat(absl::ToInt64Milliseconds(rounded))));
}

std::optional<absl::Duration> RetryHintOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kUrl);
  std::int64_t milliseconds = 0;
  if (!payload || !absl::SimpleAtoi(std::string(*payload), &milliseconds)) {
    return std::nullopt;
  }
  return absl::Milliseconds(milliseconds);
}

}  // namespace apollo

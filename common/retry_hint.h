#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <optional>

// The time after which it is worth repeating what failed, as a payload of the
// error. It crosses processes in google.rpc.RetryInfo (link/status_codec.h).
namespace apollo {

// Adds the time, rounded up to milliseconds, to an error. `after` must be
// positive and finite.
void SetRetryHint(absl::Duration after, absl::Status& error);

// Returns the time, or nullopt if the status has none.
std::optional<absl::Duration> RetryHintOf(const absl::Status& status);

}  // namespace apollo

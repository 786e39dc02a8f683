#pragma once

#include <absl/time/time.h>

#include <cstddef>

namespace apollo {

// The bounds of the device path of one link, for each direction. docs/limits.md
// explains them.
struct NcclLimits {
  // Memory of the receiver's device for payloads, which is the sender's credit.
  // A payload of more than half of it travels inline.
  std::size_t ring_bytes = std::size_t{32} << 20;
  // Blocks of threads of the device for each operation.
  int max_channels = 2;
  // A payload that has waited for credit for so long travels inline.
  absl::Duration credit_wait = absl::Milliseconds(100);
  // A communicator that is not ready, or an operation that has not ended, after
  // so long is aborted.
  absl::Duration open_timeout = absl::Seconds(15);
  absl::Duration operation_timeout = absl::Seconds(5);
  // The link ends if the peer has not said for so long what it received of an
  // aborted path, or has not sent the rest again.
  absl::Duration recovery_timeout = absl::Seconds(5);
  // A call of NCCL that has not returned after so long is broken off by
  // aborting its communicator from another thread.
  absl::Duration stuck_after = absl::Seconds(5);
  // Pauses before a path is opened again.
  absl::Duration first_reopen = absl::Seconds(5);
  absl::Duration longest_reopen = absl::Minutes(5);
};

}  // namespace apollo

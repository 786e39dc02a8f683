#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "link/nccl/communicator.h"

namespace apollo {

// Breaks off a call of NCCL that does not return. One thread.
class HangWatch {
 public:
  // Aborts the communicator if a call that was under way `limit` ago, when a
  // Check saw it, still is. (The time since the call began proves nothing: the
  // process may have been stopped meanwhile.) Null: there is none.
  void Check(const std::shared_ptr<Communicator>& communicator,
             absl::Duration now, absl::Duration limit) {
    const std::optional<std::uint64_t> call =
        communicator ? communicator->CallUnderWay() : std::nullopt;
    if (!call || call != call_ || communicator != seen_.lock()) {
      seen_ = communicator;
      call_ = call;
      since_ = now;
    } else if (now - since_ > limit) {
      communicator->AbortDuring(*call);
    }
  }

 private:
  std::weak_ptr<Communicator> seen_;
  std::optional<std::uint64_t> call_;
  absl::Duration since_;
};

}  // namespace apollo

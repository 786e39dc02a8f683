#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "common/clock.h"
#include "common/mutex.h"
#include "link/nccl/nccl_api.h"

namespace apollo {

// One communicator of two ranks, aborted when destroyed. One thread, the user;
// Abort and CallBegan any.
//
// The user aborts it like everything else that it does with it. Another thread
// must do so only when the user is stuck inside a call: NCCL ends such a call,
// but a call that begins at that moment would use freed memory.
class Communicator {
 public:
  Communicator(std::shared_ptr<const NcclApi> api, const Clock& clock)
      : api_(std::move(api)), clock_(clock) {}
  ~Communicator() { Abort(); }
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  // Begins to join the communicator. Call once.
  absl::Status Open(const CommunicatorId& id, int rank, int max_channels);

  // Returns true if nothing is in progress: the communicator is open, and the
  // last operation is on its stream. The error, if it has failed.
  absl::StatusOr<bool> Poll();

  // Enqueue an operation with the peer. Only after Poll has returned true.
  absl::Status Send(const void* data, std::size_t bytes, void* stream);
  absl::Status Receive(void* data, std::size_t bytes, void* stream);

  // Ends all operations. Later calls return CANCELLED.
  void Abort();

  // Returns when the call under way began; nothing if there is none.
  std::optional<absl::Duration> CallBegan();

 private:
  absl::Status Call(const char* name,
                    const std::function<NcclResult(NcclComm*)>& call);

  const std::shared_ptr<const NcclApi> api_;
  const Clock& clock_;
  int rank_ = 0;

  Mutex mutex_;
  NcclComm* comm_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool aborted_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Duration> call_began_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo

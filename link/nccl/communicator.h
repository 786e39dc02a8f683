#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "common/mutex.h"
#include "link/nccl/nccl_api.h"

namespace apollo {

// One communicator of two ranks, aborted when destroyed. One thread, except for
// CallUnderWay and AbortDuring.
class Communicator {
 public:
  explicit Communicator(std::shared_ptr<const NcclApi> api)
      : api_(std::move(api)) {}
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

  // Returns the number of the call of NCCL under way; nothing if there is none.
  std::optional<std::uint64_t> CallUnderWay();

  // Aborts if this call is still under way, which then fails. Only for one that
  // hangs: NCCL frees the communicator, which the call must not be using
  // otherwise. Later calls return CANCELLED.
  void AbortDuring(std::uint64_t call);

 private:
  absl::Status Call(const char* name,
                    const std::function<NcclResult(NcclComm*)>& call);

  const std::shared_ptr<const NcclApi> api_;
  int rank_ = 0;

  Mutex mutex_;
  NcclComm* comm_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool aborted_ ABSL_GUARDED_BY(mutex_) = false;
  std::uint64_t calls_ ABSL_GUARDED_BY(mutex_) = 0;
  bool in_call_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace apollo

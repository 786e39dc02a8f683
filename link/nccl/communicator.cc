#include "link/nccl/communicator.h"

#include <absl/strings/str_cat.h>

#include "common/status_macros.h"

namespace apollo {
namespace {

absl::Status ToStatus(const char* call, NcclResult result) {
  if (result == NcclResult::kSuccess || result == NcclResult::kInProgress) {
    return absl::OkStatus();
  }
  return absl::UnavailableError(
      absl::StrCat(call, " failed with ", NcclResultName(result)));
}

}  // namespace

absl::Status Communicator::Call(
    const char* name, const std::function<NcclResult(NcclComm*)>& call) {
  NcclComm* comm = nullptr;
  {
    MutexLock lock(mutex_);
    if (aborted_) {
      return absl::CancelledError("the communicator was aborted");
    }
    comm = comm_;
    ++calls_;
    in_call_ = true;
  }
  const NcclResult result = call(comm);
  MutexLock lock(mutex_);
  in_call_ = false;
  if (aborted_) {
    return absl::DeadlineExceededError(
        absl::StrCat(name,
                     " did not return, and its communicator was "
                     "aborted"));
  }
  return ToStatus(name, result);
}

absl::Status Communicator::Open(const CommunicatorId& id, int rank,
                                int max_channels) {
  rank_ = rank;
  NcclComm* comm = nullptr;
  const absl::Status status = Call("ncclCommInitRankConfig", [&](NcclComm*) {
    return api_->init_rank(&comm, id, rank, max_channels);
  });
  bool abort = false;
  {
    MutexLock lock(mutex_);
    abort = aborted_ && comm != nullptr;
    if (!aborted_) comm_ = comm;
  }
  if (abort) api_->abort(comm);
  return status;
}

absl::StatusOr<bool> Communicator::Poll() {
  NcclResult state = NcclResult::kSuccess;
  RETURN_IF_ERROR(Call("ncclCommGetAsyncError", [&](NcclComm* comm) {
    return api_->get_async_error(comm, &state);
  }));
  RETURN_IF_ERROR(ToStatus("the communicator", state));
  return state == NcclResult::kSuccess;
}

absl::Status Communicator::Send(const void* data, std::size_t bytes,
                                void* stream) {
  return Call("ncclSend", [&](NcclComm* comm) {
    return api_->send(data, bytes, comm, 1 - rank_, stream);
  });
}

absl::Status Communicator::Receive(void* data, std::size_t bytes,
                                   void* stream) {
  return Call("ncclRecv", [&](NcclComm* comm) {
    return api_->receive(data, bytes, comm, 1 - rank_, stream);
  });
}

void Communicator::Abort() {
  NcclComm* comm = nullptr;
  {
    MutexLock lock(mutex_);
    aborted_ = true;
    comm = std::exchange(comm_, nullptr);
  }
  if (comm != nullptr) api_->abort(comm);
}

std::optional<std::uint64_t> Communicator::CallUnderWay() {
  MutexLock lock(mutex_);
  if (!in_call_) return std::nullopt;
  return calls_;
}

void Communicator::AbortDuring(std::uint64_t call) {
  NcclComm* comm = nullptr;
  {
    MutexLock lock(mutex_);
    if (!in_call_ || calls_ != call) return;
    // From here on no other call begins.
    aborted_ = true;
    comm = std::exchange(comm_, nullptr);
  }
  if (comm != nullptr) api_->abort(comm);
}

}  // namespace apollo

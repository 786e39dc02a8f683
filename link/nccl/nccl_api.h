#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "link/device_frames.h"

namespace apollo {

// The part of NCCL that links use, as a table of functions: the real library,
// loaded at run time (link/nccl/nccl_library.h), or a fake. Needs no header of
// NCCL or CUDA.

// The values are those of ncclResult_t.
enum class NcclResult {
  kSuccess = 0,
  kUnhandledCudaError = 1,
  kSystemError = 2,
  kInternalError = 3,
  kInvalidArgument = 4,
  kInvalidUsage = 5,
  kRemoteError = 6,
  kInProgress = 7,
};

// Returns NCCL's name of the result, for example "ncclRemoteError".
std::string NcclResultName(NcclResult result);

// Returns for example "2.28.9" for 22809.
std::string NcclVersionName(int version);

// The oldest version that is used. Its public structs are those that
// link/nccl/nccl_library.cc knows, and its calls keep to `blocking = 0`.
inline constexpr int kMinNcclVersion = 22800;

// A communicator, owned by NCCL (ncclComm_t is a pointer to it).
struct NcclComm;

// All communicators have two ranks, 0 and 1, and are non-blocking: a function
// may answer kInProgress and go on by itself; until get_async_error answers
// kSuccess, only that function and abort may be called for the communicator.
// One thread at a time for each communicator, except for abort.
struct NcclApi {
  int version = 0;  // As NCCL codes it, for example 22809.

  // Makes an id for one communicator.
  std::function<NcclResult(CommunicatorId* id)> get_unique_id;
  // Joins a communicator as one of its ranks, on the thread's current device.
  // Ready when the other rank has joined, too. Uses at most `max_channels`
  // blocks of threads of the device for each operation.
  std::function<NcclResult(NcclComm** comm, const CommunicatorId& id, int rank,
                           int max_channels)>
      init_rank;
  // Enqueue an operation on a stream of the device (cudaStream_t). It is on the
  // stream only once the communicator is no longer in progress, for which the
  // first operation may need the peer's. It ends when the peer has posted its
  // own, and the stream waits for that.
  std::function<NcclResult(const void* data, std::size_t bytes, NcclComm* comm,
                           int peer, void* stream)>
      send;
  std::function<NcclResult(void* data, std::size_t bytes, NcclComm* comm,
                           int peer, void* stream)>
      receive;
  std::function<NcclResult(NcclComm* comm, NcclResult* state)> get_async_error;
  // Ends all operations and frees the communicator. May come while another
  // thread is inside a call, which then fails.
  std::function<NcclResult(NcclComm* comm)> abort;
};

}  // namespace apollo

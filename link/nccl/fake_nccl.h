#pragma once

#include <absl/status/statusor.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/mutex.h"
#include "link/nccl/link_device.h"
#include "link/nccl/nccl_api.h"

namespace apollo {

// An NCCL for tests in which both ranks, and their devices, are in this
// process. It keeps to what NCCL does that links must cope with:
//
// - An operation begins when the peer has posted its own, in order, and its
//   stream waits for that. The first operation of a communicator is in progress
//   until then, every other until it is asked about once.
// - A stream runs its work in order, so that an operation that waits holds up
//   all that comes after it.
// - Nothing tells one rank that the other has aborted.
//
// A use that NCCL forbids is counted, and fails. Thread-safe; outlives what
// comes from it.
class FakeNccl {
 public:
  enum class Fault {
    kInitFails,    // Joining fails, on both ranks.
    kDiesBefore,   // The peer is lost before the operation is on a stream,
    kDiesDuring,   // or while it runs,
    kDiesAfter,    // or right after its end.
    kNeverEnds,    // The operation stays on the streams.
    kHangsInCall,  // The call that sends returns only once aborted.
  };

  explicit FakeNccl(int version = 22809);
  ~FakeNccl();

  std::shared_ptr<const NcclApi> Api();
  // Returns a device with streams. Its memory is that of the host, under
  // another name.
  std::shared_ptr<LinkDevice> NewDevice(int index);

  // Has this happen once: at operation `number` (from 0) of the next
  // communicator that gets that far.
  void Script(Fault fault, int number = 0);
  // Waits until the fault has happened.
  void WaitForFault();
  // Waits until so many operations have ended in all.
  void WaitForEnded(int operations);

  int violations();
  // Operations that have copied their numbers.
  int ended();
  // Bytes of devices that are in use.
  std::size_t memory_in_use();
  int communicators_open();

 private:
  friend class FakeStream;
  friend class FakeEvent;
  friend class FakeDevice;

  struct Comm;
  struct Pair;
  // An operation, or an event, on a stream.
  struct Work {
    Comm* comm = nullptr;  // Null: an event.
    bool sends = false;
    std::byte* data = nullptr;
    std::size_t bytes = 0;
    int number = 0;  // Of its kind in its communicator.
    bool done = false;
    bool stays = false;  // Never ends.
  };
  using WorkQueue = std::deque<std::shared_ptr<Work>>;

  NcclResult InitRank(NcclComm** comm, const CommunicatorId& id, int rank);
  NcclResult Post(NcclComm* comm, std::byte* data, std::size_t bytes,
                  bool sends, void* stream);
  NcclResult GetAsyncError(NcclComm* comm, NcclResult* state);
  NcclResult Abort(NcclComm* comm);
  // Returns null, and counts a violation, for one that is gone.
  Comm* Find(NcclComm* comm) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Happens(Fault fault, int number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Lose(Pair& pair, NcclResult result)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Runs what can run on the streams.
  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns true if one operation, or event, has ended.
  bool Step() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Meet(Work& sending, Work& receiving)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  NcclResult Violation() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int version_;
  Mutex mutex_;
  CondVar changed_;
  std::uint64_t ids_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<CommunicatorId, std::shared_ptr<Pair>> pairs_
      ABSL_GUARDED_BY(mutex_);
  std::map<NcclComm*, std::unique_ptr<Comm>> comms_ ABSL_GUARDED_BY(mutex_);
  std::map<void*, WorkQueue> streams_ ABSL_GUARDED_BY(mutex_);
  std::optional<Fault> fault_ ABSL_GUARDED_BY(mutex_);
  int fault_number_ ABSL_GUARDED_BY(mutex_) = 0;
  int violations_ ABSL_GUARDED_BY(mutex_) = 0;
  int ended_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uintptr_t handles_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t memory_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace apollo

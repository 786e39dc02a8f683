#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/backoff.h"
#include "common/mutex.h"
#include "link/nccl/communicator.h"
#include "link/nccl/direction.h"
#include "link/nccl/ring_layout.h"

namespace apollo {

// The sending end of the device path of one direction. Decides for each frame
// with rows in the device's memory how they travel, in order: by NCCL if the
// path is open and the receiver has room, otherwise copied to the host. Keeps
// the rows until the receiver has them, and sends them again, inline, if the
// path fails before. One thread, except for communicator().
class DeviceSender {
 public:
  // `release` is called with the place given to Push and the frames to send
  // there; `append` with frames to send after all others.
  DeviceSender(DirectionContext context,
               std::function<void(std::uint64_t, std::vector<Frame>)> release,
               std::function<void(Frame)> append);

  // The peer can use NCCL: opens the path, now and again after failures.
  void Enable();

  // Takes a frame with rows in the device's memory, which waits since then.
  void Push(std::uint64_t place, Frame frame, absl::Duration since);

  // Frames of the receiver. An error for one that no correct peer sends.
  absl::Status OnCredit(const DeviceCredit& credit);
  absl::Status OnEnded(const DeviceEnded& ended);

  // Does what can be done. Returns true if it is to be called again soon.
  bool Poll();
  // Checks deadlines. Call now and then.
  void Tick();
  // Aborts. Nothing else is called any more.
  void Close();

  // For the watchdog. Null if there is none.
  std::shared_ptr<Communicator> communicator();

 private:
  enum class State { kClosed, kOpening, kUp, kFailing };
  struct Waiting {
    std::uint64_t place = 0;
    Frame frame;
    absl::Duration since;
  };
  struct Unacknowledged {
    Rows rows;
    absl::Duration since;
  };

  void Open();
  absl::Status Begin(DeviceOpen& open);
  void CheckCommunicator();
  // Decides about the first frame. Returns false if it must wait.
  bool Decide();
  absl::Status SendByDevice(Waiting& waiting);
  void SendInline(Waiting waiting);
  void Acknowledge(std::uint64_t received);
  // Gives up the path because of an error of this side.
  void GiveUp(const absl::Status& status);
  void Ended(const std::string& reason);
  void SetCommunicator(std::shared_ptr<Communicator> communicator);

  const DirectionContext context_;
  const std::function<void(std::uint64_t, std::vector<Frame>)> release_;
  const std::function<void(Frame)> append_;

  State state_ = State::kClosed;
  bool enabled_ = false;
  bool closed_ = false;
  absl::Duration since_;      // When the state began.
  absl::Duration reopen_at_;  // In kClosed.
  Backoff backoff_;
  std::uint64_t epoch_ = 0;
  bool ready_ = false;  // The communicator is.
  bool busy_ = false;   // Its last operation is not on the stream yet.
  std::uint64_t ring_bytes_ = 0;  // 0: no credit came yet.
  RingLayout ring_;
  std::uint64_t sent_ = 0;  // Payloads, of this epoch.
  std::uint64_t acknowledged_ = 0;
  std::unique_ptr<DeviceStream> stream_;
  std::deque<Waiting> waiting_;
  std::deque<Unacknowledged> unacknowledged_;

  Mutex mutex_;
  std::shared_ptr<Communicator> communicator_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo

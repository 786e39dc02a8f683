#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "common/mutex.h"
#include "link/nccl/communicator.h"
#include "link/nccl/direction.h"
#include "link/nccl/receive_ring.h"

namespace apollo {

// The receiving end of the device path of one direction: posts a receive for
// each payload that is announced, grants credit, and completes frames in order.
// The sender sends payloads again inline that had not arrived when the path
// ended. One thread, except for communicator().
class DeviceReceiver {
 public:
  // `complete` is called with the place given to OnPayload and the frame with
  // its payload. `freed` is called, from any thread, when OnFreed is due.
  DeviceReceiver(DirectionContext context,
                 std::function<void(std::uint64_t, Frame)> complete,
                 std::function<void()> freed);
  ~DeviceReceiver() { Close(); }

  // Not OK: all paths are refused, for this reason.
  void SetRefusal(absl::Status refusal) { refusal_ = std::move(refusal); }

  // Frames of the sender. An error for one that no correct peer sends, or whose
  // rows cannot be placed.
  absl::Status OnOpen(const DeviceOpen& open);
  absl::Status OnPayload(const DevicePayload& payload, std::uint64_t place,
                         Frame frame);
  absl::Status OnFailed(const DeviceFailed& failed);
  absl::Status OnResend(const DeviceResend& resend, Rows rows);

  // Rows that were delivered are gone.
  void OnFreed() { credit_due_ = true; }

  // Does what can be done. Returns true if it is to be called again soon.
  bool Poll();
  // Checks deadlines. Call now and then.
  void Tick();
  // Aborts. Nothing else is called any more.
  void Close();

  // For the watchdog. Null if there is none.
  std::shared_ptr<Communicator> communicator();

 private:
  enum class State { kClosed, kOpening, kUp };
  struct Incoming {
    DevicePayload header;
    std::uint64_t place = 0;
    Frame frame;
    absl::Duration since;
    Rows rows;
    bool posted = false;
    std::unique_ptr<DeviceEvent> event;  // Once the receive is on the stream.
  };

  absl::Status Begin(const DeviceOpen& open);
  // Each returns an error that ends the path.
  absl::Status CheckCommunicator();
  absl::Status RecordPosted();
  absl::Status PostNext();
  absl::Status CompleteArrived();
  absl::Status Advance();
  // Ends the path, telling the sender.
  void End(const std::string& reason);
  void SendCredit();
  void SetCommunicator(std::shared_ptr<Communicator> communicator);

  const DirectionContext context_;
  const std::function<void(std::uint64_t, Frame)> complete_;
  const std::function<void()> freed_;

  absl::Status refusal_ = absl::FailedPreconditionError("not known yet");
  State state_ = State::kClosed;
  absl::Duration since_;  // When the state began.
  std::uint64_t epoch_ = 0;
  bool idle_ = false;            // The communicator is.
  std::uint64_t announced_ = 0;  // Payloads of this epoch.
  std::uint64_t received_ = 0;
  bool credit_due_ = false;
  std::shared_ptr<ReceiveRing> ring_;
  std::unique_ptr<DeviceStream> stream_;
  std::deque<Incoming> incoming_;

  Mutex mutex_;
  std::shared_ptr<Communicator> communicator_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo

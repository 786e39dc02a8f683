#pragma once

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"
#include "link/backlog.h"
#include "link/limits.h"
#include "link/link.h"
#include "link/nccl/device_receiver.h"
#include "link/nccl/device_sender.h"
#include "link/nccl/hang_watch.h"
#include "link/nccl/in_order.h"
#include "link/nccl/link_device.h"
#include "link/nccl/nccl_api.h"
#include "link/nccl/nccl_limits.h"
#include "link/nccl/submitter.h"
#include "link/worker_info.h"

namespace apollo {

// Changes of the path of a direction.
enum class PathChange {
  kOpened,
  kFailed,     // One that was open has ended by a fault.
  kNotOpened,  // One could not be opened.
  kClosed,     // One that was open has ended with its link.
};

// The settings that all links of a process share.
struct NcclLinkOptions {
  // Null: rows are always copied to the host.
  std::shared_ptr<const NcclApi> api;
  std::shared_ptr<LinkDevice> device;
  // Said of this worker in its first frame.
  DeviceTransport transport;
  NcclLimits nccl_limits;
  LinkLimits limits;
  const Clock* clock = &Clock::Real();
  // Both are called from a thread of each link, and may be empty. `rows_sent`
  // is called for rows in the device's memory, with their bytes there: once the
  // peer has them, or when they have been copied to the host.
  std::function<void(bool outgoing, PathChange change)> path_changed;
  std::function<void(RowsPath path, std::size_t bytes)> rows_sent;
};

// A link over another one, the carrier, which brings the frames. Rows in the
// memory of the device travel by NCCL where both ends can, which they learn
// from the WorkerInfos that pass; otherwise they are copied to the host and
// travel inline. Rows in host memory always travel inline. Thread-safe.
//
// Has a thread of its own, for which the destructor waits, so that the last
// handle must not be let go by that thread: NcclLinks keeps one until the link
// has closed.
class NcclLink final : public Link, public FrameHandler {
 public:
  explicit NcclLink(NcclLinkOptions options);
  ~NcclLink() override;

  // Sets the receiver, and the link that brings the frames: each once, before
  // the first frame arrives or is sent. Frames may arrive before the carrier is
  // set.
  void SetHandler(std::shared_ptr<FrameHandler> handler);
  void SetCarrier(std::shared_ptr<Link> carrier);

  void Send(Frame frame) override;
  bool HasRoom() override;
  void Close() override;

  // Of the carrier.
  void OnFrame(Frame frame) override;
  void OnPiece() override;
  void OnWritable() override;
  void OnClosed(absl::Status status) override;

  // Instead of OnClosed, for a carrier that will call nobody.
  void Drop();

  // Checks deadlines; breaks off a call of NCCL that does not return. Call now
  // and then, from one thread.
  void Watch();
  // Ends the thread, which aborts what is under way, soon.
  void Stop() { jobs_->Close(); }
  // Waits for the thread, after Stop or OnClosed. One caller.
  void Join() { submitter_.Join(); }
  // Returns true once the thread is over.
  bool ended() const { return ended_; }

 private:
  using Outgoing = std::vector<Frame>;  // Sent one after the other.
  using Incoming = std::variant<Frame, absl::Status>;  // A status is the last.

  DirectionContext Context(bool outgoing);
  // Returns the name that the peer has given; empty: none yet.
  std::string PeerName();
  // Notes that the path of a direction has opened, or has ended or could not be
  // opened.
  void PathChanged(bool outgoing, bool open);
  // Ends both directions.
  void CloseDirections();
  std::shared_ptr<Link> carrier();
  std::shared_ptr<FrameHandler> handler();
  // Sends a frame past those that wait.
  void SendNow(Frame frame);
  void SendOutgoing(Outgoing outgoing);
  void Deliver(Incoming incoming);
  // Closes the link because of an error of either side.
  void Fail(absl::Status reason);
  void TellWritable();
  // Runs a job in the submitter's thread; its error ends the link.
  void Post(absl::AnyInvocable<absl::Status()> job);
  // Opens the path once both sides have said what they can do.
  void EnableIfKnown();
  void TakePeer(const WorkerInfo& info);
  // Hands a frame that only links see to the directions. Returns false if it is
  // another one.
  bool TakeDeviceFrame(Frame& frame);

  const NcclLinkOptions options_;
  const std::shared_ptr<JobQueue> jobs_ = std::make_shared<JobQueue>();
  const std::shared_ptr<Backlog> unsent_;
  InOrder<Outgoing> outbox_;
  InOrder<Incoming> inbox_;

  // Frames with rows of the device get their places in the order in which the
  // sender hears of them.
  Mutex send_mutex_;

  Mutex mutex_;
  std::shared_ptr<FrameHandler> handler_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<Link> carrier_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> reason_ ABSL_GUARDED_BY(mutex_);
  bool said_hello_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<DeviceTransport> peer_ ABSL_GUARDED_BY(mutex_);
  std::string peer_name_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> closed_ = false;
  std::atomic<bool> ended_ = false;
  std::atomic<bool> tick_posted_ = false;
  HangWatch hang_watches_[2];  // Only for Watch: of the sender, the receiver.

  // Of the payload of the next frame. Only for the carrier's thread.
  std::optional<DevicePayload> announced_;

  // Only for the submitter's thread.
  bool path_open_[2] = {false, false};  // Of the direction in, of that out.
  DeviceSender sender_;
  DeviceReceiver receiver_;
  Submitter submitter_;  // Last: its thread uses the others.
};

}  // namespace apollo

#pragma once

#include <absl/status/status.h>

#include <functional>
#include <memory>
#include <string>

#include "link/frame.h"

namespace apollo {

// Receives the events of one link, in threads of the link or of the sender.
// Functions must return quickly (enqueue, not compute). OnFrame, OnPiece and
// OnClosed are called one at a time.
class FrameHandler {
 public:
  virtual ~FrameHandler() = default;
  // Called for each frame once, in the order in which they were sent.
  virtual void OnFrame(Frame frame) = 0;
  // Called when a part of a large frame has come: the peer lives, though its
  // frame and all behind it may need long. Not all links tell.
  virtual void OnPiece() {}
  // Called when Link::HasRoom is true again. May be called in any thread and
  // during other calls, but not after OnClosed. Must not use the link.
  virtual void OnWritable() {}
  // Called last: nothing can be sent or received any more. The status is OK if
  // this side closed the link, otherwise the reason. If the peer ended it, this
  // may be called only after enough earlier frames have been destroyed.
  virtual void OnClosed(absl::Status status) = 0;
};

// A bidirectional connection between two workers. Thread-safe.
class Link {
 public:
  virtual ~Link() = default;
  // Queues the frame; never blocks. Frames of one thread keep their order.
  // Frames are dropped after the link has closed. The link ends with
  // RESOURCE_EXHAUSTED if the queue exceeds LinkLimits.
  virtual void Send(Frame frame) = 0;
  // Returns false while the queue is so long that no new work should begin for
  // the peer. Then OnWritable follows when there is room, or OnClosed.
  virtual bool HasRoom() { return true; }
  // Ends the link; OnClosed follows on both sides. Queued frames may be lost.
  virtual void Close() = 0;
};

// Opens a link to an address. Returns immediately; for an unreachable peer,
// OnClosed is called with UNAVAILABLE. The handler is kept until OnClosed has
// returned.
using Dialer = std::function<std::shared_ptr<Link>(
    const std::string& address, std::shared_ptr<FrameHandler> handler)>;

}  // namespace apollo

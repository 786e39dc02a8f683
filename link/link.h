#pragma once

#include <absl/status/status.h>

#include <functional>
#include <memory>
#include <string>

#include "link/frame.h"

namespace apollo {

// Receives what comes on one link, from threads of the link or of the sender.
// Calls must return quickly (enqueue, not compute). OnFrame and OnClosed come
// one at a time.
class FrameHandler {
 public:
  virtual ~FrameHandler() = default;
  // Frames arrive in the order they were sent, each once.
  virtual void OnFrame(Frame frame) = 0;
  // Link::HasRoom is true again. Comes from any thread, also while other calls
  // are under way, but not after OnClosed. Must not use the link.
  virtual void OnWritable() {}
  // The last call: nothing can be sent or received any more. OK if this side
  // closed the link, otherwise why it ended; that the peer ended it may be
  // known only once enough of the frames that came before are let go.
  virtual void OnClosed(absl::Status status) = 0;
};

// One connection between two workers, for frames both ways. Thread-safe.
class Link {
 public:
  virtual ~Link() = default;
  // Queues the frame; never blocks. Frames of one thread keep their order.
  // After the link has closed, frames are dropped. Where LinkLimits says that
  // too much waits already, the link ends with RESOURCE_EXHAUSTED.
  virtual void Send(Frame frame) = 0;
  // Returns false while so many bytes wait to be taken by the peer that nothing
  // new should be begun for it. Then OnWritable follows once there is room, or
  // OnClosed.
  virtual bool HasRoom() { return true; }
  // Ends the link; OnClosed follows on both sides. Frames queued may be lost.
  virtual void Close() = 0;
};

// Opens a link to an address. Returns at once: a peer that cannot be reached is
// an OnClosed with UNAVAILABLE. The handler is kept until OnClosed has
// returned.
using Dialer = std::function<std::shared_ptr<Link>(
    const std::string& address, std::shared_ptr<FrameHandler> handler)>;

}  // namespace apollo

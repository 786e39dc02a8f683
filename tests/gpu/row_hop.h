#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/mutex.h"
#include "common/rows.h"
#include "link/grpc_link.h"
#include "link/link.h"

// Rows from one worker to another and back, without the workers: for measuring
// and testing links between GPUs.
namespace apollo {

// Copies float32 rows from the host to the memory of the device, as a stage
// does with rows that came inline. Called in threads of links.
using UploadRows = std::function<absl::StatusOr<Rows>(const Rows&)>;

// The far end: accepts links, and sends all rows back from its device's memory.
// Thread-safe.
class RowEcho final : public LinkAcceptor {
 public:
  explicit RowEcho(UploadRows upload) : upload_(std::move(upload)) {}
  std::shared_ptr<FrameHandler> OnAccept(std::shared_ptr<Link> link) override;

 private:
  const UploadRows upload_;
};

// The near end of one link. Thread-safe, except that one thread sends.
class RowHop final : public FrameHandler {
 public:
  explicit RowHop(UploadRows upload) : upload_(std::move(upload)) {}

  // Sets the link, and says hello, which lets it open a path between devices.
  // Call once.
  void Begin(std::shared_ptr<Link> link);

  // Sends rows and returns those that come back, in the memory of the device.
  // DEADLINE_EXCEEDED if none come within `patience`; the reason if the link
  // ends.
  absl::StatusOr<Rows> ThereAndBack(Rows rows, absl::Duration patience);

  // Returns true if the last rows that came back were brought by the host.
  bool came_inline();

  // Waits for the end of the link and returns its reason, or DEADLINE_EXCEEDED.
  absl::Status WaitForEnd(absl::Duration patience);

  void OnFrame(Frame frame) override;
  void OnClosed(absl::Status status) override;

 private:
  const UploadRows upload_;
  std::shared_ptr<Link> link_;
  std::uint64_t ticket_ = 0;
  Mutex mutex_;
  CondVar changed_;
  // Keeps a frame's receipt as long as its rows.
  std::optional<Frame> answer_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> ended_ ABSL_GUARDED_BY(mutex_);
  bool came_inline_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace apollo

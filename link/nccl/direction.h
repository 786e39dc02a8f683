#pragma once

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "link/frame.h"
#include "link/nccl/link_device.h"
#include "link/nccl/nccl_api.h"
#include "link/nccl/nccl_limits.h"

namespace apollo {

// The ways of rows in the memory of a device.
enum class RowsPath { kNccl, kCopy };

// The parts of a link that its two directions (link/nccl/device_sender.h,
// device_receiver.h) share. Both live in the thread of the link's Submitter.
struct DirectionContext {
  std::shared_ptr<const NcclApi> api;
  std::shared_ptr<LinkDevice> device;
  NcclLimits limits;
  const Clock* clock = nullptr;
  // Sends one of the frames that only links see, past those that wait.
  std::function<void(Frame)> send_now;
  // Ends the link.
  std::function<void(absl::Status)> fail;
  // The path has opened; or has ended by a fault, or could not be opened.
  std::function<void(bool open)> path_changed = [](bool) {};
  // See NcclLinkOptions.
  std::function<void(RowsPath, std::size_t bytes)> rows_sent =
      [](RowsPath, std::size_t) {};
  // Returns the name of the peer, for logs; empty if it is unknown.
  std::function<std::string()> peer = [] { return std::string(); };
};

}  // namespace apollo

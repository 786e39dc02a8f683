#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "common/rows.h"

namespace apollo {

// Frames with which the two ends of a link arrange that rows travel from device
// to device (link/nccl). The links exchange them between themselves, each
// direction for itself; nobody else sees them.

// NCCL's id of a communicator, opaque.
using CommunicatorId = std::array<char, 128>;

// From the sender of a direction: opens its device path.
struct DeviceOpen {
  std::uint64_t epoch = 0;  // From 1, higher each time.
  CommunicatorId id = {};
  bool operator==(const DeviceOpen&) const = default;
};

// From the receiver: the path is open, and how far it is. The counts are sums
// over the epoch.
struct DeviceCredit {
  std::uint64_t epoch = 0;
  std::uint64_t buffer_bytes = 0;  // Size of the receiver's buffer.
  std::uint64_t received = 0;      // Payloads that have arrived in full.
  std::uint64_t freed_bytes = 0;   // Of the buffer, as ReceiveRing counts.
  bool operator==(const DeviceCredit&) const = default;
};

// From the sender: the payload of the next frame comes on the device path.
struct DevicePayload {
  std::uint64_t epoch = 0;
  std::uint64_t number = 0;  // In its epoch, from 0.
  int rows = 0;
  int width = 0;
  RowType type = RowType::kF32;
  bool operator==(const DevicePayload&) const = default;
};

// From the sender: it has given up the path, and wants to know what arrived.
struct DeviceFailed {
  std::uint64_t epoch = 0;
  std::string reason = {};
  bool operator==(const DeviceFailed&) const = default;
};

// From the receiver: it has refused or given up the path. The payloads from
// number `received` on did not arrive and must be sent again.
struct DeviceEnded {
  std::uint64_t epoch = 0;
  std::uint64_t received = 0;
  std::string reason = {};
  bool operator==(const DeviceEnded&) const = default;
};

// From the sender: a payload of an ended path, inline.
struct DeviceResend {
  std::uint64_t epoch = 0;
  std::uint64_t number = 0;
  bool operator==(const DeviceResend&) const = default;
};

}  // namespace apollo

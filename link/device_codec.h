#pragma once

#include "link/frame.h"
#include "proto/apollo/internal/v1/link.pb.h"

namespace apollo {

// The form on the wire of the frames in link/device_frames.h.

void ToProto(const DeviceOpen& in, internal::v1::LinkMessage* message);
void ToProto(const DeviceCredit& in, internal::v1::LinkMessage* message);
void ToProto(const DevicePayload& in, internal::v1::LinkMessage* message);
void ToProto(const DeviceFailed& in, internal::v1::LinkMessage* message);
void ToProto(const DeviceEnded& in, internal::v1::LinkMessage* message);
void ToProto(const DeviceResend& in, internal::v1::LinkMessage* message);

// Returns true, and sets `body`, if the message is such a frame that a correct
// peer may send.
bool DeviceBodyFrom(const internal::v1::LinkMessage& message,
                    decltype(Frame::body)& body);

}  // namespace apollo

#include "link/device_codec.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

namespace apollo {
namespace {

namespace pb = internal::v1;

pb::DevicePayload::Type ToProto(RowType type) {
  switch (type) {
    case RowType::kF32:
      return pb::DevicePayload::F32;
    case RowType::kF16:
      return pb::DevicePayload::F16;
    case RowType::kBf16:
      return pb::DevicePayload::BF16;
  }
  return pb::DevicePayload::TYPE_UNSPECIFIED;
}

// Returns the type of rows that stages take; f16 is none of them.
std::optional<RowType> TypeFrom(pb::DevicePayload::Type type) {
  switch (type) {
    case pb::DevicePayload::F32:
      return RowType::kF32;
    case pb::DevicePayload::BF16:
      return RowType::kBf16;
    default:
      return std::nullopt;
  }
}

bool OpenFrom(const pb::DeviceOpen& in, decltype(Frame::body)& body) {
  DeviceOpen open{in.epoch(), {}};
  if (in.unique_id().size() != open.id.size()) return false;
  std::ranges::copy(in.unique_id(), open.id.begin());
  body = open;
  return true;
}

bool PayloadFrom(const pb::DevicePayload& in, decltype(Frame::body)& body) {
  const std::optional<RowType> type = TypeFrom(in.type());
  constexpr std::uint32_t kMost = std::numeric_limits<int>::max();
  if (!type || in.rows() > kMost || in.width() > kMost) return false;
  body = DevicePayload{in.epoch(), in.number(), static_cast<int>(in.rows()),
                       static_cast<int>(in.width()), *type};
  return true;
}

}  // namespace

void ToProto(const DeviceOpen& in, pb::LinkMessage* message) {
  pb::DeviceOpen* out = message->mutable_device_open();
  out->set_epoch(in.epoch);
  out->set_unique_id(in.id.data(), in.id.size());
}

void ToProto(const DeviceCredit& in, pb::LinkMessage* message) {
  pb::DeviceCredit* out = message->mutable_device_credit();
  out->set_epoch(in.epoch);
  out->set_buffer_bytes(in.buffer_bytes);
  out->set_received(in.received);
  out->set_freed_bytes(in.freed_bytes);
}

void ToProto(const DevicePayload& in, pb::LinkMessage* message) {
  pb::DevicePayload* out = message->mutable_device_payload();
  out->set_epoch(in.epoch);
  out->set_number(in.number);
  out->set_rows(in.rows);
  out->set_width(in.width);
  out->set_type(ToProto(in.type));
}

void ToProto(const DeviceFailed& in, pb::LinkMessage* message) {
  pb::DeviceFailed* out = message->mutable_device_failed();
  out->set_epoch(in.epoch);
  out->set_reason(in.reason);
}

void ToProto(const DeviceEnded& in, pb::LinkMessage* message) {
  pb::DeviceEnded* out = message->mutable_device_ended();
  out->set_epoch(in.epoch);
  out->set_received(in.received);
  out->set_reason(in.reason);
}

void ToProto(const DeviceResend& in, pb::LinkMessage* message) {
  pb::DeviceResend* out = message->mutable_device_resend();
  out->set_epoch(in.epoch);
  out->set_number(in.number);
}

bool DeviceBodyFrom(const pb::LinkMessage& message,
                    decltype(Frame::body)& body) {
  switch (message.body_case()) {
    case pb::LinkMessage::kDeviceOpen:
      return OpenFrom(message.device_open(), body);
    case pb::LinkMessage::kDeviceCredit: {
      const pb::DeviceCredit& in = message.device_credit();
      body = DeviceCredit{in.epoch(), in.buffer_bytes(), in.received(),
                          in.freed_bytes()};
      return true;
    }
    case pb::LinkMessage::kDevicePayload:
      return PayloadFrom(message.device_payload(), body);
    case pb::LinkMessage::kDeviceFailed:
      body = DeviceFailed{message.device_failed().epoch(),
                          message.device_failed().reason()};
      return true;
    case pb::LinkMessage::kDeviceEnded:
      body = DeviceEnded{message.device_ended().epoch(),
                         message.device_ended().received(),
                         message.device_ended().reason()};
      return true;
    case pb::LinkMessage::kDeviceResend:
      body = DeviceResend{message.device_resend().epoch(),
                          message.device_resend().number()};
      return true;
    default:
      return false;
  }
}

}  // namespace apollo

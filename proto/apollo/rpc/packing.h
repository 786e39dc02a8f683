#pragma once

#include <google/protobuf/any.pb.h>

#include <string>

namespace apollo::rpc {

// Returns the type of a message of details.proto in an Any: that of Google's
// message with the same name and fields.
template <typename Message>
std::string TypeUrl() {
  std::string url = "type.googleapis.com/google.rpc.";
  url += Message::descriptor()->name();
  return url;
}

// Adds a message to error details.
template <typename Message>
void Pack(const Message& message, google::protobuf::Any* any) {
  any->set_type_url(TypeUrl<Message>());
  any->set_value(message.SerializeAsString());
}

// Reads a message. Returns false if the Any holds another type, or other bytes.
template <typename Message>
bool Unpack(const google::protobuf::Any& any, Message* message) {
  return any.type_url() == TypeUrl<Message>() &&
         message->ParseFromString(any.value());
}

}  // namespace apollo::rpc

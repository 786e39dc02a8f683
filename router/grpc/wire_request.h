#pragma once

#include <absl/status/status.h>
#include <google/protobuf/message.h>
#include <grpcpp/support/byte_buffer.h>

#include <string>

namespace apollo {

// Parses a request as it came. The protobuf library refuses a message whose
// strings are not UTF-8 without saying which one; this finds it: a FieldError
// naming the field and the offset of the first wrong byte. INVALID_ARGUMENT
// also for bytes that are no message at all.
absl::Status ParseRequest(const std::string& bytes,
                          google::protobuf::Message& request);

// The same for what gRPC hands to a raw method.
absl::Status ParseRequest(const grpc::ByteBuffer& buffer,
                          google::protobuf::Message& request);

// The bytes of a message, or a message, as gRPC sends them.
grpc::ByteBuffer ToByteBuffer(std::string bytes);
grpc::ByteBuffer SerializeResponse(const google::protobuf::Message& response);

}  // namespace apollo

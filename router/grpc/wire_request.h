#pragma once

#include <absl/status/status.h>
#include <google/protobuf/message.h>
#include <grpcpp/support/byte_buffer.h>

#include <string>

namespace apollo {

// Parses a serialized request. The protobuf library rejects a message with a
// string that is not UTF-8, but does not name the field; this returns a
// FieldError with all such fields and the offset of the first invalid byte of
// each. Returns INVALID_ARGUMENT for bytes that are not a message at all.
absl::Status ParseRequest(const std::string& bytes,
                          google::protobuf::Message& request);

// The same for the buffer that gRPC passes to a raw method. Returns CANCELLED
// if there is no buffer: gRPC passes none if the client left before its request
// had arrived.
absl::Status ParseRequest(const grpc::ByteBuffer& buffer,
                          google::protobuf::Message& request);

// Returns the field `request_id` (field 1) of a serialized request without
// parsing the rest, for calls that may be refused before. It need not be the
// first field: protobuf libraries write it first, but Envoy's transcoder keeps
// the order of the JSON. Returns "" if it is not among the first 64 fields or
// not valid (request/request_checks.h).
std::string PeekRequestId(const grpc::ByteBuffer& buffer);

// Return the bytes of a message, or a message, as the buffer that gRPC sends.
grpc::ByteBuffer ToByteBuffer(std::string bytes);
grpc::ByteBuffer SerializeResponse(const google::protobuf::Message& response);

}  // namespace apollo

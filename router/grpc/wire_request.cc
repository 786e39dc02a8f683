#include "router/grpc/wire_request.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/unknown_field_set.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "common/status_macros.h"
#include "model/tokenizer/utf8.h"
#include "proto/apollo/v1/inference.pb.h"
#include "router/request/field_error.h"
#include "router/request/limits.h"

namespace apollo {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::UnknownField;
using google::protobuf::UnknownFieldSet;

constexpr int kMaxDepth = 16;

// More than any request has before its id, but few for one that may be refused.
constexpr int kMostPeekedFields = 64;

// Finds the string fields, at any depth, that are not UTF-8.
void FindBadText(std::string_view bytes, const Descriptor& type,
                 const std::string& path, int depth, FieldErrors& errors) {
  UnknownFieldSet fields;
  if (depth > kMaxDepth ||
      !fields.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return;
  }
  std::map<int, int> seen;  // Elements of a repeated field, by its number.
  for (int i = 0; i < fields.field_count(); ++i) {
    const UnknownField& field = fields.field(i);
    const FieldDescriptor* known = type.FindFieldByNumber(field.number());
    if (known == nullptr ||
        field.type() != UnknownField::TYPE_LENGTH_DELIMITED) {
      continue;
    }
    std::string name = absl::StrCat(path, known->name());
    if (known->is_repeated()) {
      absl::StrAppend(&name, "[", seen[field.number()]++, "]");
    }
    const std::string_view value = field.length_delimited();
    if (known->type() == FieldDescriptor::TYPE_STRING) {
      const std::size_t valid = ValidUtf8Prefix(value);
      if (valid < value.size()) {
        errors.Add(name, absl::StrCat("is not UTF-8: byte ", valid, " of ",
                                      value.size(),
                                      " does not start a valid character"));
      }
    } else if (known->type() == FieldDescriptor::TYPE_MESSAGE) {
      FindBadText(value, *known->message_type(), name + ".", depth + 1, errors);
    }
  }
}

}  // namespace

absl::Status ParseRequest(const std::string& bytes,
                          google::protobuf::Message& request) {
  // Checked first, since the library would also write a line to the log.
  FieldErrors errors;
  FindBadText(bytes, *request.GetDescriptor(), "", 0, errors);
  RETURN_IF_ERROR(errors.status());
  if (!request.ParseFromString(bytes)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the request is not a ", request.GetDescriptor()->full_name()));
  }
  return absl::OkStatus();
}

absl::Status ParseRequest(const grpc::ByteBuffer& buffer,
                          google::protobuf::Message& request) {
  if (!buffer.Valid()) {
    return absl::CancelledError(
        "the client cancelled the request before it had arrived");
  }
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) {
    return absl::InvalidArgumentError("the request could not be read");
  }
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return ParseRequest(bytes, request);
}

std::string PeekRequestId(const grpc::ByteBuffer& buffer) {
  using google::protobuf::internal::WireFormatLite;
  static_assert(v1::GenerateRequest::kRequestIdFieldNumber == 1 &&
                v1::ScoreRequest::kRequestIdFieldNumber == 1);
  constexpr std::uint32_t kField = 1 << 3 | 2;  // A string.
  constexpr std::size_t kMost = RequestLimits().max_request_id_bytes;
  if (!buffer.Valid()) return "";
  grpc::ByteBuffer bytes = buffer;  // Shares the memory.
  grpc::ProtoBufferReader reader(&bytes);
  google::protobuf::io::CodedInputStream in(&reader);
  for (int fields = 0; fields < kMostPeekedFields; ++fields) {
    const std::uint32_t tag = in.ReadTag();
    if (tag != kField) {
      if (tag == 0 || !WireFormatLite::SkipField(&in, tag)) return "";
      continue;
    }
    std::uint32_t size = 0;
    std::string id;
    if (!in.ReadVarint32(&size) || size > kMost ||
        !in.ReadString(&id, static_cast<int>(size))) {
      return "";
    }
    const bool plain = std::all_of(id.begin(), id.end(), [](unsigned char c) {
      return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.' ||
             c == ':';
    });
    return plain ? id : "";
  }
  return "";
}

grpc::ByteBuffer ToByteBuffer(std::string bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

grpc::ByteBuffer SerializeResponse(const google::protobuf::Message& response) {
  return ToByteBuffer(response.SerializeAsString());
}

}  // namespace apollo

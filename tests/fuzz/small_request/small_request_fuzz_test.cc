// Requests of any bytes to the methods without a session are either rejected
// with INVALID_ARGUMENT or satisfy the bounds that the router relies on.

#include <absl/status/status.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/check.h"
#include "proto/apollo/v1/inference.pb.h"
#include "router/grpc/wire_request.h"
#include "router/request/request_checks.h"
#include "sequence/routing.h"

namespace apollo {
namespace {

void CheckRefusal(const absl::Status& status) {
  APOLLO_CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  APOLLO_CHECK(!status.message().empty());
}

template <typename Request>
void TryText(const std::string& bytes) {
  Request request;
  absl::Status status = ParseRequest(bytes, request);
  if (status.ok()) status = CheckText(request.text(), RequestLimits());
  if (!status.ok()) return CheckRefusal(status);
  APOLLO_CHECK(request.text().size() <= RequestLimits().max_text_bytes);
}

void TryRouting(const std::string& bytes) {
  v1::GetRoutingRequest request;
  if (!request.ParseFromString(bytes)) return;
  const auto window = CheckRoutingWindow(request.window_seconds());
  if (!window.ok()) return CheckRefusal(window.status());
  APOLLO_CHECK(*window >= absl::ZeroDuration());
  APOLLO_CHECK(*window <= kMaxRoutingWindow);
}

}  // namespace
}  // namespace apollo

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  apollo::TryText<apollo::v1::TokenizeRequest>(bytes);
  apollo::TryText<apollo::v1::DetectLanguageRequest>(bytes);
  apollo::TryRouting(bytes);
  // Of any bytes, by a front that parses them itself.
  static_cast<void>(apollo::PeekRequestId(grpc::ByteBuffer()));
  const grpc::Slice slice(data, size);
  const std::string id = apollo::PeekRequestId(grpc::ByteBuffer(&slice, 1));
  APOLLO_CHECK(id.size() <= 128);
  for (const char c : id) APOLLO_CHECK(c > ' ' && c < 0x7f);
  return 0;
}

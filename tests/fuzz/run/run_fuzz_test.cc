// The messages between routers and dense workers, of any bytes, are either
// refused or decoded to what can be sent on and comes out the same.

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

#include "common/check.h"
#include "link/generation_codec.h"

namespace apollo {
namespace {

namespace pb = internal::v1;

void CheckRefusal(const absl::Status& status) {
  APOLLO_CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  APOLLO_CHECK(!status.message().empty());
}

void TryRequest(const std::string& bytes) {
  pb::RunRequest message;
  if (!message.ParseFromString(bytes)) return;
  const auto request = FromProto(message);
  if (!request.ok()) return CheckRefusal(request.status());
  const auto again = FromProto(ToProto(*request));
  APOLLO_CHECK(again.ok());
  APOLLO_CHECK(again->prompt == request->prompt);
  APOLLO_CHECK(again->max_new_tokens == request->max_new_tokens);
  APOLLO_CHECK(again->answer_tokens == request->answer_tokens);
  APOLLO_CHECK(again->request_id == request->request_id);
}

void TryEvent(const std::string& bytes) {
  pb::RunEvent message;
  if (!message.ParseFromString(bytes)) return;
  const auto event = FromProto(message);
  if (!event.ok()) return CheckRefusal(event.status());
  std::visit(
      [&](const auto& plain) {
        const auto again = FromProto(ToProto(plain));
        APOLLO_CHECK(again.ok());
        APOLLO_CHECK(again->index() == event->index());
      },
      *event);
}

void TryCounts(const std::string& bytes) {
  pb::RoutingResponse message;
  if (!message.ParseFromString(bytes)) return;
  const auto counts = FromProto(message);
  if (!counts.ok()) return CheckRefusal(counts.status());
  APOLLO_CHECK(FromProto(ToProto(*counts)).ok());
}

}  // namespace
}  // namespace apollo

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  apollo::TryRequest(bytes);
  apollo::TryEvent(bytes);
  apollo::TryCounts(bytes);
  return 0;
}

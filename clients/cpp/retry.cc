#include "clients/cpp/retry.h"

#include <absl/strings/numbers.h>

#include <cstdint>
#include <string>

#include "clients/cpp/sent_by_router.h"
#include "proto/apollo/rpc/details.pb.h"
#include "proto/apollo/rpc/packing.h"

namespace apollo::clients {
namespace {

std::optional<std::string> Trailer(const grpc::ClientContext& context,
                                   const char* name) {
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto found = trailers.find(name);
  if (found == trailers.end()) return std::nullopt;
  return std::string(found->second.data(), found->second.size());
}

std::optional<absl::Duration> RetryInfoDelay(const grpc::Status& status) {
  rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return std::nullopt;
  for (const google::protobuf::Any& any : details.details()) {
    rpc::RetryInfo info;
    if (!rpc::Unpack(any, &info)) continue;
    return absl::Seconds(info.retry_delay().seconds()) +
           absl::Nanoseconds(info.retry_delay().nanos());
  }
  return std::nullopt;
}

// Sets the pause. Returns false if the server forbids a retry.
bool ReadHint(const grpc::Status& status, const grpc::ClientContext& context,
              Retry* retry) {
  std::int64_t number = 0;
  if (const auto pushback = Trailer(context, "grpc-retry-pushback-ms")) {
    if (!absl::SimpleAtoi(*pushback, &number) || number < 0) return false;
    retry->pause = absl::Milliseconds(number);
    return true;
  }
  const auto after = Trailer(context, "retry-after");
  if (after && absl::SimpleAtoi(*after, &number) && number >= 0) {
    retry->pause = absl::Seconds(number);
  } else {
    retry->pause = RetryInfoDelay(status);
  }
  return true;
}

}  // namespace

Retry JudgeFailure(const grpc::Status& status,
                   const grpc::ClientContext& context) {
  Retry retry;
  if (!ReadHint(status, context, &retry)) return retry;
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      retry.wanted = true;
      break;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      retry.wanted = retry.pause.has_value();
      break;
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::UNKNOWN:
      retry.wanted = !SentByRouter(context);
      break;
    default:
      break;
  }
  return retry;
}

Retry JudgeStream(const grpc::ClientContext& context, grpc::Status* status) {
  if (!status->ok()) return JudgeFailure(*status, context);
  *status = {grpc::StatusCode::DATA_LOSS,
             "the stream ended before its choices were finished"};
  return {.wanted = true};
}

}  // namespace apollo::clients

#pragma once

#include <absl/time/time.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <optional>

namespace apollo::clients {

// Whether a failed call is repeated, as docs/clients.md says.
struct Retry {
  bool wanted = false;
  // The server's wish; otherwise the client chooses the pause.
  std::optional<absl::Duration> pause = std::nullopt;
};

// Judges the end of a call, whose trailers are in `context`:
//   UNAVAILABLE         is repeated;
//   RESOURCE_EXHAUSTED  only if the server says when;
//   INTERNAL, UNKNOWN,  only without the trailer x-request-id: no server of the
//   CANCELLED           cluster has sent them, so something between has cut the
//                       call, or gRPC itself has, because the call came while
//                       the server began to stop. (The caller must know whether
//                       it has cancelled the call itself.)
//   all others          are not.
// The time is that of the trailer grpc-retry-pushback-ms, or of retry-after, or
// of a google.rpc.RetryInfo. A pushback that is negative or no number forbids
// the retry.
Retry JudgeFailure(const grpc::Status& status,
                   const grpc::ClientContext& context);

// The same for a stream of Generate that has ended before its answer was
// complete (AnswerRecord::complete; how it ends after that does not matter).
// Also an end with OK is a failure then: `status` becomes DATA_LOSS, and the
// stream is continued.
Retry JudgeStream(const grpc::ClientContext& context, grpc::Status* status);

}  // namespace apollo::clients

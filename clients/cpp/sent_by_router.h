#pragma once

#include <grpcpp/client_context.h>

namespace apollo::clients {

// Returns true if a router has sent the end of the call itself: it gives every
// error the trailer x-request-id. Otherwise gRPC, or something between, has cut
// the call. For example, gRPC answers CANCELLED to a call that comes while a
// router begins to stop. Only after the call has ended.
inline bool SentByRouter(const grpc::ClientContext& context) {
  return context.GetServerTrailingMetadata().count("x-request-id") != 0;
}

}  // namespace apollo::clients

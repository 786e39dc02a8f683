#pragma once

#include <grpcpp/grpcpp.h>

#include <cstddef>

#include "proto/apollo/v1/inference.pb.h"
#include "router/access/call_pass.h"
#include "router/session/session.h"

namespace apollo {

// Serves one GetStatus call, unless it was refused: asks all dense workers, and
// finishes the reactor when all have answered or timed out, with a response of
// at most `most_bytes` (status_size.h). A cluster that cannot serve has a
// status, too, so the call succeeds. `server_context` and `response` belong to
// gRPC and live until the reactor is finished.
void StartStatusCall(const SessionContext& context,
                     grpc::CallbackServerContext* server_context,
                     Admission admission, std::size_t most_bytes,
                     v1::GetStatusResponse* response,
                     grpc::ServerUnaryReactor* reactor);

}  // namespace apollo

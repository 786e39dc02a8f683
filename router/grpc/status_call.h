#pragma once

#include <grpcpp/grpcpp.h>

#include "proto/apollo/v1/inference.pb.h"
#include "router/session/session.h"

namespace apollo {

// Serves one GetStatus call: asks all dense workers, and finishes the reactor
// when all have answered or timed out. A cluster that cannot serve has a
// status, too, so the call succeeds. `response` belongs to gRPC and lives until
// the reactor is finished.
void StartStatusCall(const SessionContext& context,
                     v1::GetStatusResponse* response,
                     grpc::ServerUnaryReactor* reactor);

}  // namespace apollo

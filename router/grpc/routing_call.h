#pragma once

#include <grpcpp/grpcpp.h>

#include "proto/apollo/v1/inference.pb.h"
#include "router/access/call_pass.h"
#include "router/session/session.h"

namespace apollo {

// Serves one GetRouting call, unless it was refused: collects the counts of all
// dense workers and finishes the reactor of the call when all have answered or
// timed out. `server_context`, `request` and `response` belong to gRPC and live
// until the reactor is finished.
void StartRoutingCall(const SessionContext& context,
                      grpc::CallbackServerContext* server_context,
                      Admission admission, const v1::GetRoutingRequest& request,
                      v1::GetRoutingResponse* response,
                      grpc::ServerUnaryReactor* reactor);

}  // namespace apollo

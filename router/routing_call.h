#pragma once

#include <grpcpp/grpcpp.h>

#include <vector>

#include "proto/apollo/v1/inference.pb.h"
#include "router/backend.h"
#include "router/generate_call.h"
#include "sequence/generation.h"

namespace apollo {

void ToProto(const LayerUse& in, v1::LayerExpertUse* out);

// What the dense workers counted, as one matrix. UNAVAILABLE if none of them
// answered.
absl::StatusOr<v1::GetRoutingResponse> MergeRouting(
    const RouterModel& model, const std::vector<WorkerRouting>& workers);

// One GetRouting call: asks all dense workers and finishes the reactor when all
// have answered or their time is up. `request` and `response` belong to gRPC
// and live until the reactor is finished.
void StartRoutingCall(const RouterContext& context,
                      const v1::GetRoutingRequest& request,
                      v1::GetRoutingResponse* response,
                      grpc::ServerUnaryReactor* reactor);

}  // namespace apollo

#pragma once

#include <grpcpp/grpcpp.h>

#include <optional>

#include "tracing/trace_context.h"

namespace apollo {

// Trace contexts in the metadata of gRPC calls, as in W3C Trace Context.

// Adds the context to a call that has not started.
void AddTrace(const TraceContext& trace, grpc::ClientContext& call);

// Returns the context of a call; nullopt if it has none, several, or one that
// is malformed. Any thread, while gRPC keeps the call.
std::optional<TraceContext> TraceOf(const grpc::ServerContextBase& call);

}  // namespace apollo

#include "router/grpc/call_facts.h"

#include "link/deadline.h"
#include "link/trace_metadata.h"
#include "router/grpc/cancelling.h"
#include "router/grpc/grpc_status.h"
#include "router/grpc/wire_request.h"

namespace apollo {

void CallFacts::Introduce(Session& session, const grpc::ByteBuffer& request,
                          const SessionContext& context) {
  request_id_ = PeekRequestId(request);
  if (request_id_.empty()) request_id_ = session.request_id();
  session.SetRequestId(request_id_);
  session.SetDeadline(
      DeadlineOnClock(context_.deadline(), arrived_, context.clock.Now()));
  if (context.tracer != nullptr) session.SetTrace(TraceOf(context_));
}

absl::Status CallFacts::WhyCancelled() const {
  return CancelReason(arrived_, context_.deadline(),
                      std::chrono::system_clock::now());
}

grpc::Status CallFacts::End(const absl::Status& status) {
  AddTrailers(status, request_id_, context_);
  return ToGrpcStatus(status, request_id_);
}

void CallFacts::Abort(const absl::Status& status) {
  CancelCall(context_, ToGrpcStatus(status));
}

}  // namespace apollo

#include "router/grpc/routing_call.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "router/grpc/grpc_status.h"
#include "router/grpc/to_proto.h"
#include "router/request/request_checks.h"
#include "router/session/new_ids.h"
#include "router/session/routing_report.h"

namespace apollo {

void StartRoutingCall(const SessionContext& context,
                      grpc::CallbackServerContext* server_context,
                      Admission admission, const v1::GetRoutingRequest& request,
                      v1::GetRoutingResponse* response,
                      grpc::ServerUnaryReactor* reactor) {
  auto metrics = std::make_shared<RequestMetrics::Request>(
      context.metrics, "GetRouting", context.clock.Now());
  const std::string request_id = NewRequestId();
  const std::shared_ptr<CallPass> pass = std::move(admission.pass);
  const auto end = [metrics, pass, request_id, &clock = context.clock,
                    &failures = context.calls.failures(), server_context,
                    reactor](const absl::Status& status) {
    pass->End(status.code());
    metrics->End(absl::StatusCodeToString(status.code()), clock.Now());
    if (!status.ok()) failures.Report("GetRouting", request_id, status);
    AddTrailers(status, request_id, *server_context);
    reactor->Finish(ToGrpcStatus(status, request_id));
  };
  if (!admission.status.ok()) {
    end(admission.status);
    return;
  }
  const absl::StatusOr<absl::Duration> window =
      CheckRoutingWindow(request.window_seconds());
  if (!window.ok()) {
    end(window.status());
    return;
  }
  context.backend.CollectRouting(
      *window, [&model = context.model, response,
                end](const std::vector<WorkerRouting>& workers) {
        const absl::StatusOr<RoutingReport> report = MergeRouting(workers);
        if (report.ok()) *response = ToProto(model, *report);
        end(report.status());
      });
}

}  // namespace apollo

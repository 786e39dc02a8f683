#include "router/grpc/status_call.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "router/grpc/grpc_status.h"
#include "router/grpc/to_proto.h"
#include "router/process_status.h"
#include "router/session/new_ids.h"
#include "serving/version.h"

namespace apollo {
namespace {

ProcessStatus RouterStatus(RouterBackend& backend) {
  ProcessStatus status{.role = ProcessRole::kRouter,
                       .model_hash = backend.ModelHash(),
                       .version = kVersion};
  if (!backend.Ready()) {
    status.state = ProcessState::kNotReady;
    status.reason = "no dense worker is ready";
  }
  return status;
}

}  // namespace

void StartStatusCall(const SessionContext& context,
                     grpc::CallbackServerContext* server_context,
                     Admission admission, v1::GetStatusResponse* response,
                     grpc::ServerUnaryReactor* reactor) {
  auto metrics = std::make_shared<RequestMetrics::Request>(
      context.metrics, "GetStatus", context.clock.Now());
  const std::shared_ptr<CallPass> pass = std::move(admission.pass);
  if (const absl::Status& refused = admission.status; !refused.ok()) {
    const std::string request_id = NewRequestId();
    metrics->End(absl::StatusCodeToString(refused.code()), context.clock.Now());
    context.calls.failures().Report("GetStatus", request_id, refused);
    AddTrailers(refused, request_id, *server_context);
    reactor->Finish(ToGrpcStatus(refused, request_id));
    return;
  }
  *response->add_processes() = ToProto(RouterStatus(context.backend));
  context.backend.CollectStatus(
      [metrics, pass, &clock = context.clock, response,
       reactor](const std::vector<ProcessStatus>& workers) {
        for (const ProcessStatus& status : workers) {
          *response->add_processes() = ToProto(status);
        }
        pass->End(absl::StatusCode::kOk);
        metrics->End("OK", clock.Now());
        reactor->Finish(grpc::Status::OK);
      });
}

}  // namespace apollo

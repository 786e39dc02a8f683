#include "router/grpc/status_call.h"

#include <memory>
#include <string>
#include <vector>

#include "router/grpc/to_proto.h"
#include "router/process_status.h"
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
                     v1::GetStatusResponse* response,
                     grpc::ServerUnaryReactor* reactor) {
  auto metrics = std::make_shared<RequestMetrics::Request>(
      context.metrics, "GetStatus", context.clock.Now());
  *response->add_processes() = ToProto(RouterStatus(context.backend));
  context.backend.CollectStatus(
      [metrics, &clock = context.clock, response,
       reactor](const std::vector<ProcessStatus>& workers) {
        for (const ProcessStatus& status : workers) {
          *response->add_processes() = ToProto(status);
        }
        metrics->End("OK", clock.Now());
        reactor->Finish(grpc::Status::OK);
      });
}

}  // namespace apollo

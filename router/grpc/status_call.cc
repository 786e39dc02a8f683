#include "router/grpc/status_call.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "router/grpc/grpc_status.h"
#include "router/grpc/status_size.h"
#include "router/grpc/to_proto.h"
#include "router/process_status.h"
#include "router/session/new_ids.h"
#include "serving/version.h"

namespace apollo {
namespace {

ProcessStatus RouterStatus(const SessionContext& context) {
  RouterBackend& backend = context.backend;
  const RouterFacts& facts = context.facts;
  ProcessStatus status{.role = ProcessRole::kRouter,
                       .name = facts.name,
                       .model_hash = backend.ModelHash(),
                       .version = kVersion,
                       .running_sequences = context.calls.running(),
                       .rows_computed = context.metrics.generated_tokens()};
  if (facts.certificate_expires) {
    status.certificate_expires = facts.certificate_expires();
  }
  if (context.calls.turns_away()) {
    status.state = ProcessState::kDraining;
  } else if (!backend.Ready()) {
    status.state = ProcessState::kNotReady;
    status.reason = "no dense worker is ready";
  }
  return status;
}

}  // namespace

void StartStatusCall(const SessionContext& context,
                     grpc::CallbackServerContext* server_context,
                     Admission admission, std::size_t most_bytes,
                     v1::GetStatusResponse* response,
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
  *response->add_processes() = ToProto(RouterStatus(context));
  AddFamilies(context.model, *response);
  if (context.facts.callers) {
    for (const CallerUse& use : context.facts.callers()) {
      *response->add_callers() = ToProto(use);
    }
  }
  context.backend.CollectStatus(
      [metrics, pass, most_bytes, &clock = context.clock, response,
       reactor](const std::vector<ProcessStatus>& workers) {
        for (const ProcessStatus& status : workers) {
          *response->add_processes() = ToProto(status);
        }
        ShortenStatus(most_bytes, *response);
        pass->End(absl::StatusCode::kOk);
        metrics->End("OK", clock.Now());
        reactor->Finish(grpc::Status::OK);
      });
}

}  // namespace apollo

// A router with the real front whose backend leaks on purpose
// (leaky_backend.h): the positive control of the canary test.

#include <absl/flags/flag.h>

#include <memory>
#include <string>

#include "common/clock.h"
#include "common/status_macros.h"
#include "router/audit/audit_log.h"
#include "router/model/router_model.h"
#include "router/router_flags.h"
#include "router/router_role.h"
#include "serving/process_flags.h"
#include "serving/process_frame.h"
#include "serving/run_program.h"
#include "serving/trace_flags.h"
#include "tests/privacy/leaky_backend.h"

ABSL_FLAG(std::string, leak, "none", "The channel: see leaky_backend.h.");

namespace apollo {
namespace {

absl::Status Run() {
  ASSIGN_OR_RETURN(const ProcessFlags process,
                   ReadProcessFlags("leaky", "127.0.0.1:0"));
  ASSIGN_OR_RETURN(const RouterOptions options,
                   ReadRouterFlags(process.families));
  ASSIGN_OR_RETURN(const TraceSetup trace,
                   ReadTraceFlags("leaky-router", process));
  ASSIGN_OR_RETURN(const std::unique_ptr<ProcessFrame> frame,
                   ProcessFrame::Make(/*flag=*/"", /*workers=*/""));
  ASSIGN_OR_RETURN(const std::unique_ptr<RouterModel> model,
                   RouterModel::Load(process.model, options.model));
  ASSIGN_OR_RETURN(const std::unique_ptr<AuditLog> audit,
                   AuditLog::Open(options.audit, Clock::Real()));
  if (trace.tracer != nullptr) trace.tracer->Start();
  LeakyBackend backend(*model->tokenizer, *frame->registry(), audit.get(),
                       trace.tracer.get(), absl::GetFlag(FLAGS_leak),
                       process.server.address_file);
  ASSIGN_OR_RETURN(
      const std::unique_ptr<RouterRole> role,
      RouterRole::Make(*model, backend, options, *frame->registry(),
                       /*peer_of=*/nullptr, audit.get(), trace.tracer.get()));
  RETURN_IF_ERROR(
      frame->Begin(role->Listen(process.server, {frame->registry()}),
                   /*workers=*/nullptr, /*facts=*/{}));
  const absl::Status status = frame->RunUntilStopped(
      {.ready = [] { return true; }}, role->EndOfCalls(absl::Seconds(1)));
  frame->Close();
  return status;
}

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) {
  return apollo::RunProgram(argc, argv, "leaky_router",
                            "A router that leaks on purpose, for tests.",
                            apollo::Run);
}

// The expert worker: runs the sparse layers with the experts it holds.

#include <absl/flags/flag.h>

#include <memory>
#include <string>

#include "common/log.h"
#include "common/status_macros.h"
#include "engine/worker_device.h"
#include "expert_worker/expert_process.h"
#include "expert_worker/placement_flags.h"
#include "serving/flag_checks.h"
#include "serving/run_program.h"

ABSL_FLAG(absl::Duration, lease, absl::Milliseconds(300),
          "Time without a sign of life after which rows that another expert "
          "worker owes are given to a second one that has the expert, or are "
          "computed here.");
ABSL_FLAG(absl::Duration, drain_timeout, absl::Seconds(30),
          "Time that sequences here, and those of peers that need its experts, "
          "may take to finish after SIGTERM or SIGINT.");

namespace apollo {
namespace {

absl::Status Run() {
  ExpertProcess::Options options;
  ASSIGN_OR_RETURN(options.process, ReadProcessFlags("expert-worker-0"));
  ASSIGN_OR_RETURN(options.worker, ReadWorkerFlags(options.process.model,
                                                   /*cache_megabytes=*/512));
  options.worker.model.strict_model = options.process.strict_model;
  PrepareDevice(options.worker.model.device);
  ASSIGN_OR_RETURN(options.peers, ReadPeerFlags(absl::Seconds(10)));
  ASSIGN_OR_RETURN(options.placement, ReadPlacementFlags());
  options.lease = absl::GetFlag(FLAGS_lease);
  RETURN_IF_ERROR(CheckAboveZero("lease", options.lease));
  options.drain_timeout = absl::GetFlag(FLAGS_drain_timeout);
  RETURN_IF_ERROR(CheckNotNegative("drain_timeout", options.drain_timeout));
  SetLogProcess(options.process.name);
  ASSIGN_OR_RETURN(const std::unique_ptr<ExpertProcess> process,
                   ExpertProcess::Start(options));
  return process->RunUntilStopped();
}

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) {
  return apollo::RunProgram(
      argc, argv, "expert_worker",
      "An expert worker of an Apollo-MoE cluster: runs the sparse layers.\n"
      "Example of two:\n"
      "  expert_worker --model DIR --experts 0,1,2,3 --name expert-worker-0 "
      "--listen 127.0.0.1:7101 --expert_workers 127.0.0.1:7102\n"
      "  expert_worker --model DIR --experts 4,5,6 --name expert-worker-1 "
      "--listen 127.0.0.1:7102 --expert_workers 127.0.0.1:7101",
      apollo::Run);
}

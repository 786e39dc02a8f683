// The expert worker: runs the sparse layers with the experts it holds.

#include <absl/flags/flag.h>
#include <absl/time/clock.h>

#include <memory>
#include <string>

#include "common/log.h"
#include "common/status_macros.h"
#include "engine/worker_device.h"
#include "expert_worker/expert_process.h"
#include "expert_worker/placement_flags.h"
#include "serving/drain_flags.h"
#include "serving/run_program.h"
#include "serving/tls_flags.h"
#include "serving/trace_flags.h"

namespace apollo {
namespace {

absl::Status Run() {
  ExpertProcess::Options options;
  ASSIGN_OR_RETURN(options.process, ReadProcessFlags("expert-worker-0"));
  RETURN_IF_ERROR(
      SecureProcess(PeerRole::kExpertWorker, absl::Now(), options.process));
  ASSIGN_OR_RETURN(options.worker, ReadWorkerFlags(options.process.model,
                                                   /*cache_megabytes=*/512));
  options.worker.model.strict_model = options.process.strict_model;
  PrepareDevice(options.worker.model.device);
  ASSIGN_OR_RETURN(options.peers, ReadPeerFlags(absl::Seconds(10)));
  ASSIGN_OR_RETURN(options.placement, ReadPlacementFlags());
  ASSIGN_OR_RETURN(options.drain, ReadDrainFlags());
  ASSIGN_OR_RETURN(options.trace,
                   ReadTraceFlags("apollo-expert-worker", options.process));
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

// The whole cluster in one process: router, dense worker and one expert worker,
// joined by in-process links.

#include <absl/time/clock.h>

#include <memory>

#include "common/log.h"
#include "common/status_macros.h"
#include "dense_worker/dense_flags.h"
#include "deploy/local/local_cluster.h"
#include "engine/worker_device.h"
#include "expert_worker/placement_flags.h"
#include "router/router_flags.h"
#include "serving/drain_flags.h"
#include "serving/run_program.h"
#include "serving/tls_flags.h"
#include "serving/trace_flags.h"

namespace apollo {
namespace {

absl::Status Run() {
  LocalCluster::Options options;
  ASSIGN_OR_RETURN(options.process,
                   ReadProcessFlags("local", "127.0.0.1:50051"));
  // It serves what a router serves.
  RETURN_IF_ERROR(
      SecureProcess(PeerRole::kRouter, absl::Now(), options.process));
  ASSIGN_OR_RETURN(options.worker, ReadWorkerFlags(options.process.model,
                                                   /*cache_megabytes=*/1024));
  options.worker.model.strict_model = options.process.strict_model;
  PrepareDevice(options.worker.model.device);
  ASSIGN_OR_RETURN(options.core, ReadDenseFlags(/*steps_in_flight=*/1));
  ASSIGN_OR_RETURN(options.router, ReadRouterFlags(options.process.families));
  ASSIGN_OR_RETURN(options.placement, ReadPlacementFlags());
  options.router.model.strict_model = options.process.strict_model;
  ASSIGN_OR_RETURN(options.drain, ReadDrainFlags());
  ASSIGN_OR_RETURN(options.trace,
                   ReadTraceFlags("apollo-local", options.process,
                                  options.router.trace_sample));
  SetLogProcess(options.process.name);
  ASSIGN_OR_RETURN(const std::unique_ptr<LocalCluster> cluster,
                   LocalCluster::Start(std::move(options)));
  return cluster->RunUntilStopped();
}

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) {
  return apollo::RunProgram(
      argc, argv, "apollo_local",
      "A whole Apollo-MoE cluster in one process.\n"
      "Example: apollo_local --model DIR --listen 127.0.0.1:50051",
      apollo::Run);
}

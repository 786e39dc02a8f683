// The dense worker: runs the layers that all languages share and owns the
// sequences.

#include <absl/time/clock.h>

#include <memory>

#include "common/log.h"
#include "common/status_macros.h"
#include "dense_worker/dense_flags.h"
#include "dense_worker/dense_process.h"
#include "dense_worker/run_flags.h"
#include "engine/worker_device.h"
#include "serving/drain_flags.h"
#include "serving/run_program.h"
#include "serving/tls_flags.h"
#include "serving/trace_flags.h"

namespace apollo {
namespace {

absl::Status Run() {
  DenseProcess::Options options;
  ASSIGN_OR_RETURN(options.process, ReadProcessFlags("dense-worker-0"));
  RETURN_IF_ERROR(
      SecureProcess(PeerRole::kDenseWorker, absl::Now(), options.process));
  ASSIGN_OR_RETURN(options.worker, ReadWorkerFlags(options.process.model,
                                                   /*cache_megabytes=*/1024));
  options.worker.model.strict_model = options.process.strict_model;
  PrepareDevice(options.worker.model.device);
  ASSIGN_OR_RETURN(options.peers, ReadPeerFlags(absl::Seconds(30)));
  ASSIGN_OR_RETURN(options.core, ReadDenseFlags(/*steps_in_flight=*/2));
  ASSIGN_OR_RETURN(options.run, ReadRunFlags());
  ASSIGN_OR_RETURN(options.drain, ReadDrainFlags());
  ASSIGN_OR_RETURN(options.trace,
                   ReadTraceFlags("apollo-dense-worker", options.process));
  SetLogProcess(options.process.name);
  ASSIGN_OR_RETURN(const std::unique_ptr<DenseProcess> process,
                   DenseProcess::Start(std::move(options)));
  return process->RunUntilStopped();
}

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) {
  return apollo::RunProgram(
      argc, argv, "dense_worker",
      "A dense worker of an Apollo-MoE cluster: runs the layers that all "
      "languages share.\nExample: dense_worker --model DIR --expert_workers "
      "127.0.0.1:7101,127.0.0.1:7102",
      apollo::Run);
}

// The entry point of the cluster: serves requests, tokenizes, detects the
// language, and runs sequences on dense workers.

#include <absl/flags/flag.h>
#include <absl/time/clock.h>

#include <memory>
#include <string>

#include "common/log.h"
#include "common/status_macros.h"
#include "router/router_flags.h"
#include "router/router_process.h"
#include "serving/dns_flags.h"
#include "serving/drain_flags.h"
#include "serving/run_program.h"
#include "serving/tls_flags.h"
#include "serving/trace_flags.h"

ABSL_FLAG(std::string, dense_workers, "",
          "Addresses of the dense workers: host:port,host:port (or unix:/path, "
          "a Unix socket); file:/path for a file with one address per line, "
          "read again when it changes; "
          "dns:NAME:PORT for all addresses of a name in DNS, or dns:NAME for "
          "its SRV records, looked up every second (required).");
ABSL_FLAG(absl::Duration, dense_worker_timeout, absl::Seconds(10),
          "Time without progress after which a dense worker is considered "
          "lost: its sequences go on elsewhere, and it gets no others until it "
          "makes progress again. Also the time for which a sequence whose "
          "dense worker was lost waits for one that can continue it; then its "
          "request fails.");
ABSL_FLAG(absl::Duration, lease, absl::Milliseconds(300),
          "Time without a sign of life after which the sequences of a dense "
          "worker go on elsewhere, if another one can take them; from 100ms to "
          "--dense_worker_timeout. Dense workers give one every 50 ms, also "
          "inside a long step.");

namespace apollo {
namespace {

absl::Status Run() {
  RouterProcess::Options options;
  ASSIGN_OR_RETURN(options.process,
                   ReadProcessFlags("router", "127.0.0.1:50051"));
  RETURN_IF_ERROR(
      SecureProcess(PeerRole::kRouter, absl::Now(), options.process));
  ASSIGN_OR_RETURN(options.router, ReadRouterFlags(options.process.families));
  options.router.model.strict_model = options.process.strict_model;
  options.dense_workers = absl::GetFlag(FLAGS_dense_workers);
  ASSIGN_OR_RETURN(options.dns_server, ReadDnsServer());
  ASSIGN_OR_RETURN(options.drain, ReadDrainFlags());
  options.dense_worker_timeout = absl::GetFlag(FLAGS_dense_worker_timeout);
  options.lease = absl::GetFlag(FLAGS_lease);
  ASSIGN_OR_RETURN(options.trace,
                   ReadTraceFlags("apollo-router", options.process,
                                  options.router.trace_sample));
  SetLogProcess(options.process.name);
  ASSIGN_OR_RETURN(const std::unique_ptr<RouterProcess> process,
                   RouterProcess::Start(options));
  return process->RunUntilStopped();
}

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) {
  return apollo::RunProgram(
      argc, argv, "router",
      "The router of an Apollo-MoE cluster: serves "
      "apollo.v1.InferenceService.\n"
      "Example: router --model DIR --dense_workers 127.0.0.1:7001",
      apollo::Run);
}

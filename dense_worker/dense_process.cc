#include "dense_worker/dense_process.h"

#include <utility>

#include "common/clock.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "kernels/cpu_level.h"
#include "link/grpc_link.h"
#include "model/config/fingerprint.h"
#include "serving/flag_checks.h"
#include "serving/version.h"

namespace apollo {
namespace {

// How long a router may take nothing of what its calls have for it.
constexpr absl::Duration kStalledRouterTimeout = absl::Seconds(60);

}  // namespace

absl::StatusOr<std::unique_ptr<DenseProcess>> DenseProcess::Start(
    Options options) {
  const ProcessFlags& flags = options.process;
  ASSIGN_OR_RETURN(const int threads, ThreadCount(options.worker.threads));
  ASSIGN_OR_RETURN(std::unique_ptr<Membership> experts,
                   Membership::Parse(options.peers.expert_workers));
  std::unique_ptr<DenseProcess> process(new DenseProcess());
  ASSIGN_OR_RETURN(process->model_, OpenWorkerModel(options.worker.model));
  const OpenModel& model = process->model_.model;
  ASSIGN_OR_RETURN(const FamilyTable families,
                   FamilyTable::ForModel(flags.model, flags.families,
                                         model.config.num_experts));
  process->registry_ = std::make_shared<prometheus::Registry>();
  process->request_metrics_ =
      std::make_unique<RequestMetrics>(*process->registry_);
  options.core.name = flags.name;
  options.core.answer_timeout = options.peers.answer_timeout;
  ASSIGN_OR_RETURN(process->role_,
                   DenseRole::Start(process->model_, families, threads,
                                    options.core, *process->registry_));
  DenseWorker& worker = process->role_->worker();
  process->service_ = std::make_unique<RunService>(
      worker,
      DenseWorkerFacts{
          flags.name, model.hash, FingerprintOf(model.config, flags.model),
          [&worker] { return worker.Ready(); },
          [&worker] { return worker.sequences(); },
          [role = process->role_.get()] { return role->progress(); },
          process->role_->routing()},
      *process->request_metrics_, Clock::Real());
  process->stalled_calls_ = std::make_unique<Ticker>(
      absl::Seconds(1), [service = process->service_.get()] {
        service->EndStalledCalls(kStalledRouterTimeout);
      });
  ServerOptions server = flags.server;
  server.max_message_bytes = 16 << 20;
  WorkerInfo self;
  self.role = WorkerRole::kDense;
  self.name = flags.name;
  self.model_hash = model.hash;
  self.version = kVersion;
  process->peers_ = std::make_unique<PeerSet>(
      MakeGrpcDialer(MakeClusterChannel), self, worker);
  ASSIGN_OR_RETURN(
      process->server_,
      Server::Start(server,
                    {{process->service_.get(),
                      internal::v1::DenseWorkerService::service_full_name()}},
                    process->registry_));
  process->peers_->Start();
  process->members_ = std::move(experts);
  process->members_->Start(
      [peers = process->peers_.get()](const auto& addresses) {
        peers->SetMembers(addresses);
      });
  LogInfo("started", {{"address", process->server_->address()},
                      {"metrics", process->server_->metrics_address()},
                      {"model_hash", model.hash},
                      {"dense_layers", model.config.boundary},
                      {"threads", threads},
                      {"weights", options.worker.model.weights},
                      {"cpu_level", CpuLevelName(CurrentCpuLevel())}});
  return process;
}

void DenseProcess::RunUntilStopped() {
  DenseWorker& worker = role_->worker();
  server_->RunUntilStopped([&worker] { return worker.Ready(); });
  LogInfo("stopping");
  server_->Shutdown(absl::Seconds(10));
}

}  // namespace apollo

#include "expert_worker/expert_process.h"

#include <chrono>
#include <thread>
#include <utility>

#include "common/clock.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "kernels/cpu_level.h"
#include "serving/flag_checks.h"

namespace apollo {
namespace {

// Longer than a frame takes to come.
constexpr absl::Duration kQuiet = absl::Milliseconds(300);
// Longer than a peer's step takes that may need experts of this worker.
constexpr absl::Duration kQuietOfPeers = absl::Seconds(5);

}  // namespace

absl::StatusOr<std::unique_ptr<ExpertProcess>> ExpertProcess::Start(
    const Options& options) {
  const ProcessFlags& flags = options.process;
  ASSIGN_OR_RETURN(const int threads, ThreadCount(options.worker.threads));
  ASSIGN_OR_RETURN(std::unique_ptr<Membership> members,
                   Membership::Parse(options.peers.expert_workers));
  std::unique_ptr<ExpertProcess> process(new ExpertProcess());
  process->drain_timeout_ = options.drain_timeout;
  ASSIGN_OR_RETURN(process->model_, OpenWorkerModel(options.worker.model));
  const OpenModel& model = process->model_.model;
  ASSIGN_OR_RETURN(const FamilyTable families,
                   FamilyTable::ForModel(flags.model, flags.families,
                                         model.config.num_experts));
  process->registry_ = std::make_shared<prometheus::Registry>();
  process->request_metrics_ =
      std::make_unique<RequestMetrics>(*process->registry_);
  ASSIGN_OR_RETURN(
      process->role_,
      ExpertRole::Start(
          process->model_, families,
          {flags.name, options.experts, threads, options.peers.answer_timeout},
          *process->registry_, process->request_metrics_.get()));
  ExpertWorker& worker = process->role_->worker();
  const WorkerInfo& self = process->role_->self();
  process->acceptor_ = std::make_unique<WorkerLinkAcceptor>(self, worker);
  process->service_ = std::make_unique<GrpcLinkService>(*process->acceptor_);
  ASSIGN_OR_RETURN(
      process->server_,
      Server::Start(flags.server,
                    {{process->service_.get(),
                      internal::v1::LinkService::service_full_name()}},
                    process->registry_));
  process->peers_ = std::make_unique<PeerSet>(
      MakeGrpcDialer(MakeClusterChannel), self, worker);
  process->peers_->Start();
  process->members_ = std::move(members);
  process->members_->Start(
      [peers = process->peers_.get()](const auto& addresses) {
        peers->SetMembers(addresses);
      });
  LogInfo("started",
          {{"address", process->server_->address()},
           {"metrics", process->server_->metrics_address()},
           {"model_hash", model.hash},
           {"sparse_layers", model.config.num_sparse_layers()},
           {"experts", static_cast<int>(self.resident.everywhere.size())},
           {"threads", threads},
           {"weights", options.worker.model.weights},
           {"cpu_level", CpuLevelName(CurrentCpuLevel())}});
  return process;
}

void ExpertProcess::RunUntilStopped() {
  ExpertWorker& worker = role_->worker();
  server_->RunUntilStopped([&worker] { return worker.Ready(); });
  LogInfo("stopping");
  worker.Drain();
  // What is in progress, or was under way when dense workers and peers were
  // told, may end before the links are cut.
  const absl::Duration deadline = Clock::Real().Now() + drain_timeout_;
  const auto needed = [&worker] {
    const absl::Duration quiet = worker.QuietFor();
    return worker.sequences() > 0 || quiet < kQuiet ||
           (worker.PeersRun() && quiet < kQuietOfPeers);
  };
  while (needed() && Clock::Real().Now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  server_->Shutdown(absl::ZeroDuration());
}

}  // namespace apollo

#include "deploy/local/local_cluster.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "common/log.h"
#include "common/status_macros.h"
#include "deploy/local/local_backend.h"
#include "kernels/cpu_level.h"
#include "link/in_process_link.h"
#include "link/link_session.h"
#include "serving/flag_checks.h"
#include "serving/version.h"

namespace apollo {

LocalCluster::~LocalCluster() {
  // Neither worker may send to one that is gone.
  server_.reset();
  if (link_ != nullptr) link_->Close();
}

absl::StatusOr<std::unique_ptr<LocalCluster>> LocalCluster::Start(
    Options options) {
  std::unique_ptr<LocalCluster> cluster(new LocalCluster());
  RETURN_IF_ERROR(cluster->StartRoles(options));
  ASSIGN_OR_RETURN(
      cluster->server_,
      cluster->router_->Listen(options.process.server, cluster->registry_));
  LogInfo("started", {{"address", cluster->server_->address()},
                      {"metrics", cluster->server_->metrics_address()},
                      {"model", cluster->router_model_->name},
                      {"threads", options.worker.threads},
                      {"weights", options.worker.model.weights},
                      {"cpu_level", CpuLevelName(CurrentCpuLevel())}});
  return cluster;
}

absl::Status LocalCluster::StartRoles(Options& options) {
  const ProcessFlags& flags = options.process;
  ASSIGN_OR_RETURN(const int threads, ThreadCount(options.worker.threads));
  options.worker.threads = threads;
  ASSIGN_OR_RETURN(model_, OpenWorkerModel(options.worker.model));
  ASSIGN_OR_RETURN(router_model_,
                   RouterModel::Load(flags.model, options.router.model));
  registry_ = std::make_shared<prometheus::Registry>();
  options.core.name = flags.name;
  // Both engines are this process: if one stands still, so does the other, and
  // nobody would dial again.
  options.core.silent_after = absl::InfiniteDuration();
  options.core.answer_timeout = absl::InfiniteDuration();
  ASSIGN_OR_RETURN(dense_, DenseRole::Start(model_, router_model_->families,
                                            threads, options.core, *registry_));
  // The requests are counted once, as the router's.
  ExpertRole::Options expert;
  expert.name = flags.name;
  expert.threads = threads;
  ASSIGN_OR_RETURN(expert_,
                   ExpertRole::Start(model_, router_model_->families, expert,
                                     *registry_, /*requests=*/nullptr));
  JoinWorkers();
  backend_ = std::make_unique<LocalBackend>(dense_->worker(), dense_->routing(),
                                            model_.model.hash);
  router_ = std::make_unique<RouterRole>(*router_model_, *backend_,
                                         options.router, *registry_);
  return absl::OkStatus();
}

void LocalCluster::JoinWorkers() {
  WorkerInfo self;
  self.role = WorkerRole::kDense;
  self.name = expert_->self().name;
  self.model_hash = model_.model.hash;
  self.version = kVersion;
  auto dense = std::make_shared<LinkSession>(self, dense_->worker(), nullptr);
  auto expert = std::make_shared<LinkSession>(expert_->self(),
                                              expert_->worker(), nullptr);
  const auto [dense_end, expert_end] = MakeInProcessLink(dense, expert);
  link_ = dense_end;
  dense->Begin(dense_end);
  expert->Begin(expert_end);
}

void LocalCluster::RunUntilStopped() {
  server_->RunUntilStopped([this] { return dense_->worker().Ready(); });
  LogInfo("stopping");
  server_->Shutdown(absl::Seconds(10));
}

}  // namespace apollo

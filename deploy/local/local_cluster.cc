#include "deploy/local/local_cluster.h"

#include <prometheus/collectable.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/status_macros.h"
#include "deploy/local/local_backend.h"
#include "link/in_process_link.h"
#include "link/link_session.h"
#include "serving/peer_identity_grpc.h"

namespace apollo {

LocalCluster::LocalCluster(std::unique_ptr<ProcessFrame> frame)
    : frame_(std::move(frame)) {}

LocalCluster::~LocalCluster() {
  // Neither worker may send to a destroyed one.
  frame_->Close();
  if (link_ != nullptr) link_->Close();
}

absl::StatusOr<std::unique_ptr<LocalCluster>> LocalCluster::Start(
    Options options) {
  ASSIGN_OR_RETURN(std::unique_ptr<ProcessFrame> frame,
                   ProcessFrame::Make(/*flag=*/"", /*workers=*/""));
  std::unique_ptr<LocalCluster> cluster(new LocalCluster(std::move(frame)));
  cluster->drain_timeout_ = options.drain.timeout;
  cluster->trace_ = options.trace;
  RETURN_IF_ERROR(cluster->StartRoles(options));
  std::vector<LogField> facts = cluster->setup_->LogFacts();
  facts.emplace_back("model", cluster->router_model_->name);
  std::vector<std::shared_ptr<prometheus::Collectable>> metrics = {
      cluster->frame_->registry(), cluster->dense_->metrics(),
      cluster->expert_->metrics()};
  if (options.trace.metrics != nullptr) {
    metrics.push_back(options.trace.metrics);
  }
  RETURN_IF_ERROR(cluster->frame_->Begin(
      cluster->router_->Listen(options.process.server, std::move(metrics)),
      /*workers=*/nullptr, facts));
  return cluster;
}

absl::Status LocalCluster::StartRoles(Options& options) {
  const ProcessFlags& flags = options.process;
  prometheus::Registry& registry = *frame_->registry();
  Tracer* const tracer = trace_.tracer.get();
  if (tracer != nullptr) tracer->Start();
  ASSIGN_OR_RETURN(setup_, OpenWorkerSetup(options.worker, flags.families));
  options.router.model.warnings_reported = true;
  ASSIGN_OR_RETURN(router_model_,
                   RouterModel::Load(flags.model, options.router.model));
  options.core.name = flags.name;
  options.router.name = flags.name;
  // Both engines are in this process: if one is stuck, so is the other, and
  // nothing would redial.
  options.core.lease = absl::InfiniteDuration();
  options.core.silent_after = absl::InfiniteDuration();
  options.core.answer_timeout = absl::InfiniteDuration();
  ASSIGN_OR_RETURN(dense_, DenseRole::Start(*setup_, options.core));
  // Requests are counted once, by the router.
  ExpertRole::Options expert;
  expert.name = flags.name;
  expert.placement = options.placement;
  ASSIGN_OR_RETURN(expert_, ExpertRole::Start(*setup_, expert,
                                              /*requests=*/nullptr, tracer));
  JoinWorkers();
  backend_ = std::make_unique<LocalBackend>(
      dense_->worker(), dense_->routing(), setup_->model.model.hash,
      dense_->self(), [this] { return ExpertState(); }, tracer);
  ASSIGN_OR_RETURN(audit_, AuditLog::Open(options.router.audit, Clock::Real()));
  ASSIGN_OR_RETURN(router_,
                   RouterRole::Make(
                       *router_model_, *backend_, options.router, registry,
                       [](const grpc::ServerContextBase& call) {
                         return PeerIdentityOf(call);
                       },
                       audit_.get(), tracer));
  return absl::OkStatus();
}

WorkerInfo LocalCluster::ExpertState() const {
  // As its engine has described it last, with its placement.
  WorkerInfo info = at_dense_->Peer().value_or(expert_->self());
  info.running_sequences = expert_->worker().sequences();
  info.ready = expert_->worker().Ready();
  return info;
}

void LocalCluster::JoinWorkers() {
  at_dense_ =
      std::make_shared<LinkSession>(dense_->self(), dense_->worker(), nullptr);
  auto expert = std::make_shared<LinkSession>(expert_->self(),
                                              expert_->worker(), nullptr);
  const auto [dense_end, expert_end] = MakeInProcessLink(at_dense_, expert);
  link_ = dense_end;
  at_dense_->Begin(dense_end);
  expert->Begin(expert_end);
}

absl::Status LocalCluster::RunUntilStopped() {
  return frame_->RunUntilStopped(
      {.ready =
           [this] {
             // While the dense worker waits for an expert stage that hangs, its
             // own stage is idle.
             const bool expert = expert_->worker().Ready();
             return dense_->worker().Ready() && expert;
           },
       .alive =
           [this] {
             const bool expert = expert_->worker().Alive();
             return dense_->worker().Alive() && expert && router_->Alive();
           }},
      router_->EndOfCalls(drain_timeout_));
}

}  // namespace apollo

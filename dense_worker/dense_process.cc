#include "dense_worker/dense_process.h"

#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/status_macros.h"
#include "link/grpc_link.h"

namespace apollo {
DenseProcess::DenseProcess(std::unique_ptr<ProcessFrame> frame)
    : frame_(std::move(frame)), request_metrics_(*frame_->registry()) {}

DenseProcess::~DenseProcess() { frame_->Close(); }

absl::StatusOr<std::unique_ptr<DenseProcess>> DenseProcess::Start(
    Options options) {
  ASSIGN_OR_RETURN(
      std::unique_ptr<ProcessFrame> frame,
      ProcessFrame::Make("expert_workers", options.peers.expert_workers,
                         options.peers.dns_server));
  std::unique_ptr<DenseProcess> process(new DenseProcess(std::move(frame)));
  RETURN_IF_ERROR(process->StartRole(options));
  RETURN_IF_ERROR(process->Serve(options.process.server));
  return process;
}

absl::Status DenseProcess::StartRole(Options& options) {
  const ProcessFlags& flags = options.process;
  ASSIGN_OR_RETURN(setup_, OpenWorkerSetup(options.worker, flags.families));
  // Before there are threads: the role has some.
  ASSIGN_OR_RETURN(links_,
                   WorkerLinks::Open(setup_->device, options.peers.nccl));
  RETURN_IF_ERROR(frame_->CheckNamesWorkers());
  options.core.name = flags.name;
  options.core.answer_timeout = options.peers.answer_timeout;
  ASSIGN_OR_RETURN(role_, DenseRole::Start(*setup_, options.core));
  const OpenModel& model = setup_->model.model;
  DenseWorker& worker = role_->worker();
  service_ = std::make_unique<RunService>(
      worker,
      DenseWorkerFacts{flags.name, model.hash, setup_->model.fingerprint,
                       [&worker] { return worker.Ready(); },
                       [&worker] { return worker.sequences(); },
                       [role = role_.get()] { return role->progress(); },
                       role_->routing(), [this] { return Details(); }},
      request_metrics_, Clock::Real(), options.run);
  stalled_calls_ = std::make_unique<Ticker>(
      absl::Seconds(1),
      [service = service_.get()] { service->EndStalledCalls(); });
  peers_ = std::make_unique<PeerSet>(
      links_->Wrap(MakeGrpcDialer(MakeClusterChannel)), role_->self(), worker);
  return absl::OkStatus();
}

absl::Status DenseProcess::Serve(ServerOptions options) {
  options.max_message_bytes = 16 << 20;
  auto server = Server::Start(
      options,
      {{service_.get(), internal::v1::DenseWorkerService::service_full_name()}},
      {frame_->registry(), role_->metrics(), links_->metrics()});
  peers_->Start();
  std::vector<LogField> facts = setup_->LogFacts();
  facts.emplace_back("dense_layers", setup_->model.model.config.boundary);
  return frame_->Begin(
      std::move(server),
      [this](const auto& addresses) { peers_->SetMembers(addresses); }, facts);
}

WorkerDetails DenseProcess::Details() {
  return {.expert_workers = peers_->Describe(),
          .cache_blocks = role_->worker().counters().blocks,
          .cache_blocks_used = role_->worker().counters().used_blocks};
}

absl::Status DenseProcess::RunUntilStopped() {
  DenseWorker& worker = role_->worker();
  return frame_->RunUntilStopped([&worker] { return worker.Ready(); },
                                 absl::Seconds(10));
}

}  // namespace apollo

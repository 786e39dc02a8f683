#include "dense_worker/dense_process.h"

#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "dense_worker/dense_details.h"
#include "dense_worker/dense_drain.h"
#include "link/grpc_link.h"
#include "serving/tls_flags.h"
#include "worker/worker_proof.h"

namespace apollo {
DenseProcess::DenseProcess(std::unique_ptr<ProcessFrame> frame)
    : frame_(std::move(frame)), request_metrics_(*frame_->registry()) {}

DenseProcess::~DenseProcess() { frame_->Close(); }

absl::StatusOr<std::unique_ptr<DenseProcess>> DenseProcess::Start(
    Options options) {
  ASSIGN_OR_RETURN(
      std::unique_ptr<ProcessFrame> frame,
      ProcessFrame::Make("expert_workers", options.peers.expert_workers,
                         options.peers.dns_server, PeerCheck(options.process)));
  std::unique_ptr<DenseProcess> process(new DenseProcess(std::move(frame)));
  process->drain_ = options.drain;
  process->tls_ = options.process.server.tls;
  process->trace_ = options.trace;
  RETURN_IF_ERROR(process->StartRole(options));
  RETURN_IF_ERROR(process->Serve(options.process.server));
  RETURN_IF_ERROR(process->frame_->ServeAdmin(
      options.process, options.drain,
      [process = process.get()](const auto& how, const auto& gave_up) {
        return process->Drain(how, gave_up);
      }));
  return process;
}

absl::Status DenseProcess::StartRole(Options& options) {
  const ProcessFlags& flags = options.process;
  ASSIGN_OR_RETURN(setup_, OpenWorkerSetup(options.worker, flags.families));
  // Before there are threads: the role has some.
  ASSIGN_OR_RETURN(links_,
                   WorkerLinks::Open(setup_->device, options.peers.nccl));
  if (trace_.tracer != nullptr) trace_.tracer->Start();
  RETURN_IF_ERROR(frame_->CheckNamesWorkers());
  options.core.name = flags.name;
  options.core.answer_timeout = options.peers.answer_timeout;
  options.core.lease = options.peers.lease;
  const OpenModel& model = setup_->model.model;
  ASSIGN_OR_RETURN(role_, DenseRole::Start(*setup_, options.core));
  DenseWorker& worker = role_->worker();
  service_ = std::make_unique<RunService>(
      worker,
      DenseWorkerFacts{
          flags.name, model.hash, setup_->model.fingerprint,
          [this] { return Ready(); }, [&worker] { return worker.sequences(); },
          [role = role_.get()] { return role->progress(); }, role_->routing(),
          [this] { return Details(); }, [&worker] { return worker.prefixes(); },
          [&worker] { return worker.queued_rows(); }, role_->self().numerics},
      request_metrics_, Clock::Real(), options.run, trace_.tracer.get());
  stalled_calls_ = std::make_unique<Ticker>(
      absl::Seconds(1),
      [service = service_.get()] { service->EndStalledCalls(); });
  signs_ = std::make_unique<Ticker>(
      kSignInterval, [service = service_.get()] { service->SendSigns(); });
  peers_ = std::make_unique<PeerSet>(
      links_->Wrap(
          MakeGrpcDialer(ChannelsTo(PeerRole::kExpertWorker, flags.server.tls),
                         LinkLimits(), MakeWorkerProof(flags.server.tls))),
      role_->self(), worker);
  return absl::OkStatus();
}

absl::Status DenseProcess::Serve(ServerOptions options) {
  options.max_message_bytes = 16 << 20;
  std::vector<std::shared_ptr<prometheus::Collectable>> metrics = {
      frame_->registry(), role_->metrics(), links_->metrics(),
      links_->link_metrics()};
  if (trace_.metrics != nullptr) metrics.push_back(trace_.metrics);
  auto server =
      Server::Start(options,
                    {{service_.get(),
                      internal::v1::DenseWorkerService::service_full_name(),
                      {.only = {PeerRole::kRouter}}}},
                    metrics);
  peers_->Start();
  std::vector<LogField> facts = setup_->LogFacts();
  facts.emplace_back("dense_layers", setup_->model.model.config.boundary);
  return frame_->Begin(
      std::move(server),
      [this](const auto& addresses) { peers_->SetMembers(addresses); }, facts);
}

WorkerDetails DenseProcess::Details() {
  WorkerDetails details = DetailsOf(role_->worker().counters());
  details.expert_workers = peers_->Describe();
  details.certificate_expires = tls_ == nullptr ? 0 : tls_->expires();
  details.draining = draining_;
  return details;
}

bool DenseProcess::Ready() const {
  return !draining_ && role_->worker().Ready();
}

absl::Status DenseProcess::RunUntilStopped() {
  return frame_->RunUntilStopped(
      {.ready = [this] { return Ready(); },
       .alive = [this] { return role_->worker().Alive(); }},
      {.grace = LastCalls::kLastWord,
       .none_left = [this] { return service_->calls() == 0; }},
      [this] {
        Drain(drain_, /*gave_up=*/nullptr);
        service_->EndWatches();
      });
}

bool DenseProcess::Drain(const DrainOptions& options,
                         const std::function<bool()>& gave_up) {
  draining_ = true;
  RunService& service = *service_;
  DenseDrain drain(
      options,
      {.calls = [&service] { return service.calls(); },
       .has_routers = [&service] { return service.routers().Polled(); },
       .has_others = [&service] { return service.routers().AllHaveOthers(); },
       .hand_over = [this] { role_->worker().HandOver(); }},
      Clock::Real());
  while (!drain.Step() && !(gave_up && gave_up())) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  LogInfo("drained", {{"sequences_left", role_->worker().sequences()}});
  return service.calls() == 0;
}

}  // namespace apollo

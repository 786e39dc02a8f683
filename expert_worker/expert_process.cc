#include "expert_worker/expert_process.h"

#include <chrono>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "link/limits.h"
#include "serving/tls.h"
#include "serving/tls_flags.h"
#include "worker/worker_proof.h"

namespace apollo {
namespace {

// Longer than the delivery of a frame.
constexpr absl::Duration kQuiet = absl::Milliseconds(300);
// Longer than a step of a peer that may need experts of this worker.
constexpr absl::Duration kQuietOfPeers = absl::Seconds(5);

// Returns the function of ExpertRole::Options.
std::function<std::int64_t()> ExpiryOf(std::shared_ptr<Tls> tls) {
  if (tls == nullptr) return nullptr;
  return [tls = std::move(tls)] { return tls->expires(); };
}

}  // namespace

ExpertProcess::ExpertProcess(std::unique_ptr<ProcessFrame> frame)
    : frame_(std::move(frame)), request_metrics_(*frame_->registry()) {}

ExpertProcess::~ExpertProcess() { frame_->Close(); }

absl::StatusOr<std::unique_ptr<ExpertProcess>> ExpertProcess::Start(
    const Options& options) {
  ASSIGN_OR_RETURN(
      std::unique_ptr<ProcessFrame> frame,
      ProcessFrame::Make("expert_workers", options.peers.expert_workers,
                         options.peers.dns_server, PeerCheck(options.process)));
  std::unique_ptr<ExpertProcess> process(new ExpertProcess(std::move(frame)));
  process->drain_ = options.drain;
  process->trace_ = options.trace;
  RETURN_IF_ERROR(process->StartRole(options));
  RETURN_IF_ERROR(process->Serve(options.process.server));
  RETURN_IF_ERROR(process->frame_->ServeAdmin(
      options.process, options.drain,
      [process = process.get()](const auto& how, const auto& gave_up) {
        return process->Drain(how, gave_up);
      },
      process->role_->Files()));
  return process;
}

absl::Status ExpertProcess::StartRole(const Options& options) {
  const ProcessFlags& flags = options.process;
  ASSIGN_OR_RETURN(setup_, OpenWorkerSetup(options.worker, flags.families));
  // Before there are threads: the role has some.
  ASSIGN_OR_RETURN(links_,
                   WorkerLinks::Open(setup_->device, options.peers.nccl));
  if (trace_.tracer != nullptr) trace_.tracer->Start();
  ASSIGN_OR_RETURN(
      role_, ExpertRole::Start(
                 *setup_,
                 {flags.name, options.placement, options.peers.answer_timeout,
                  options.peers.lease, ExpiryOf(flags.server.tls)},
                 &request_metrics_, trace_.tracer.get()));
  ExpertWorker& worker = role_->worker();
  acceptor_ = std::make_unique<WorkerLinkAcceptor>(role_->self(), worker);
  service_ =
      std::make_unique<GrpcLinkService>(links_->Wrap(*acceptor_), LinkLimits(),
                                        MakeWorkerProof(flags.server.tls));
  peers_ = std::make_unique<PeerSet>(
      links_->Wrap(
          MakeGrpcDialer(ChannelsTo(PeerRole::kExpertWorker, flags.server.tls),
                         LinkLimits(), MakeWorkerProof(flags.server.tls))),
      role_->self(), worker);
  return absl::OkStatus();
}

absl::Status ExpertProcess::Serve(ServerOptions options) {
  options.max_message_bytes = kMaxLinkMessageBytes;
  std::vector<std::shared_ptr<prometheus::Collectable>> metrics = {
      frame_->registry(), role_->metrics(), links_->metrics(),
      links_->link_metrics()};
  if (trace_.metrics != nullptr) metrics.push_back(trace_.metrics);
  auto server = Server::Start(
      options,
      {{service_.get(),
        internal::v1::LinkService::service_full_name(),
        {.only = {PeerRole::kDenseWorker, PeerRole::kExpertWorker}}}},
      metrics);
  peers_->Start();
  std::vector<LogField> facts = setup_->LogFacts();
  facts.emplace_back("sparse_layers",
                     setup_->model.model.config.num_sparse_layers());
  facts.emplace_back(
      "experts", static_cast<int>(role_->self().resident.everywhere.size()));
  return frame_->Begin(
      std::move(server),
      [this](const auto& addresses) { peers_->SetMembers(addresses); }, facts);
}

absl::Status ExpertProcess::RunUntilStopped() {
  ExpertWorker& worker = role_->worker();
  return frame_->RunUntilStopped(
      {.ready = [&worker] { return worker.Ready(); },
       .alive = [&worker] { return worker.Alive(); }},
      {.grace = absl::ZeroDuration()},
      [this] { Drain(drain_, /*gave_up=*/nullptr); });
}

bool ExpertProcess::Drain(const DrainOptions& options,
                          const std::function<bool()>& gave_up) {
  ExpertWorker& worker = role_->worker();
  worker.Drain(options.move);
  // Work in progress, or in flight when dense workers and peers were told, may
  // finish before the links are closed.
  const absl::Duration deadline = Clock::Real().Now() + options.timeout;
  const auto needed = [&worker] {
    const absl::Duration quiet = worker.QuietFor();
    return worker.sequences() > 0 || quiet < kQuiet ||
           (worker.PeersRun() && quiet < kQuietOfPeers);
  };
  // A peer that has not been told takes the end of the link for a loss. And
  // what only this worker holds should be elsewhere before it goes.
  const auto waits = [&] {
    return needed() || worker.ToldFor() < kQuiet || worker.PeersTakeOver();
  };
  while (waits() && Clock::Real().Now() < deadline && !(gave_up && gave_up())) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  LogInfo("drained", {{"sequences_left", worker.sequences()}});
  return !needed();
}

}  // namespace apollo

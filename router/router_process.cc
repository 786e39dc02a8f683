#include "router/router_process.h"

#include <absl/strings/str_cat.h>

#include <chrono>
#include <thread>
#include <utility>

#include "common/clock.h"
#include "common/status_macros.h"
#include "router/failover/reissue_policy.h"
#include "router/pool_counters.h"
#include "serving/counter_collector.h"
#include "serving/peer_identity_grpc.h"
#include "serving/peer_name.h"
#include "serving/tls_flags.h"

namespace apollo {
namespace {

// Returns the check of DensePool::Options; none without TLS.
DensePool::NameCheck NameCheck(const std::shared_ptr<Tls>& tls) {
  if (tls == nullptr) return nullptr;
  return [domain = tls->options().trust_domain](
             const grpc::AuthContext& connection, const std::string& name) {
    return CheckProvenName(PeerIdentityOf(connection), domain,
                           {PeerRole::kDenseWorker, name});
  };
}

// Two signs of life of a dense worker.
constexpr absl::Duration kLeastLease = absl::Milliseconds(100);

}  // namespace

RouterProcess::RouterProcess(std::unique_ptr<ProcessFrame> frame)
    : frame_(std::move(frame)) {}

RouterProcess::~RouterProcess() { frame_->Close(); }

absl::StatusOr<std::unique_ptr<RouterProcess>> RouterProcess::Start(
    const Options& options) {
  if (options.dense_worker_timeout < absl::Seconds(1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--dense_worker_timeout is ",
                     absl::FormatDuration(options.dense_worker_timeout),
                     "; it must be at least 1s"));
  }
  if (options.lease < kLeastLease ||
      options.lease > options.dense_worker_timeout) {
    return absl::InvalidArgumentError(
        absl::StrCat("--lease is ", absl::FormatDuration(options.lease),
                     "; it must be from ", absl::FormatDuration(kLeastLease),
                     " to --dense_worker_timeout, which is ",
                     absl::FormatDuration(options.dense_worker_timeout)));
  }
  ASSIGN_OR_RETURN(
      std::unique_ptr<ProcessFrame> frame,
      ProcessFrame::Make("dense_workers", options.dense_workers,
                         options.dns_server, PeerCheck(options.process)));
  std::unique_ptr<RouterProcess> process(new RouterProcess(std::move(frame)));
  process->drain_timeout_ = options.drain.timeout;
  process->trace_ = options.trace;
  RETURN_IF_ERROR(process->Serve(options));
  RETURN_IF_ERROR(process->frame_->ServeAdmin(
      options.process, options.drain,
      [process = process.get()](const auto& how, const auto& gave_up) {
        return process->Drain(how, gave_up);
      },
      process->role_->Files()));
  return process;
}

absl::Status RouterProcess::Serve(const Options& options) {
  ASSIGN_OR_RETURN(
      model_, RouterModel::Load(options.process.model, options.router.model));
  RETURN_IF_ERROR(frame_->CheckNamesWorkers());
  pool_ = std::make_unique<DensePool>(
      model_->fingerprint,
      DensePool::Options{.worker_timeout = options.dense_worker_timeout,
                         .lease = options.lease,
                         .channels = ChannelsTo(PeerRole::kDenseWorker,
                                                options.process.server.tls),
                         .check_name = NameCheck(options.process.server.tls)});
  Tracer* const tracer = trace_.tracer.get();
  if (tracer != nullptr) tracer->Start();
  ReissuePolicy::Limits limits;
  limits.patience = options.dense_worker_timeout;
  failover_ = std::make_unique<FailoverBackend>(
      *pool_, limits, *frame_->registry(), Clock::Real(), tracer);
  failover_->StartThread();
  ASSIGN_OR_RETURN(audit_, AuditLog::Open(options.router.audit, Clock::Real()));
  RouterOptions router = options.router;
  router.name = options.process.name;
  if (const std::shared_ptr<Tls> tls = options.process.server.tls) {
    router.certificate_expires = [tls] { return tls->expires(); };
  }
  ASSIGN_OR_RETURN(role_, RouterRole::Make(
                              *model_, *failover_, router, *frame_->registry(),
                              [](const grpc::ServerContextBase& call) {
                                return PeerIdentityOf(call);
                              },
                              audit_.get(), tracer));
  std::vector<std::shared_ptr<prometheus::Collectable>> metrics = {
      frame_->registry(),
      std::make_shared<CounterCollector>(pool_->counters(), kPoolMetrics)};
  if (trace_.metrics != nullptr) metrics.push_back(trace_.metrics);
  auto server = role_->Listen(options.process.server, std::move(metrics));
  pool_->StartPolling();
  return frame_->Begin(
      std::move(server),
      [this](const auto& addresses) { pool_->SetMembers(addresses); },
      {{"model", model_->name}});
}

bool RouterProcess::Drain(const DrainOptions& options,
                          const std::function<bool()>& gave_up) {
  role_->TurnAway();
  const LastCalls last = role_->EndOfCalls(options.timeout);
  const auto wait = [&](absl::Duration time) {
    const absl::Duration deadline = Clock::Real().Now() + time;
    while (!last.none_left() && !gave_up() && Clock::Real().Now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return last.none_left();
  };
  const bool drained = wait(last.grace);
  if (!drained && !gave_up()) {
    last.end();
    wait(LastCalls::kLastWord);
  }
  return drained;
}

absl::Status RouterProcess::RunUntilStopped() {
  return frame_->RunUntilStopped({.ready = [this] { return pool_->Ready(); },
                                  .alive = [this] { return role_->Alive(); }},
                                 role_->EndOfCalls(drain_timeout_));
}

}  // namespace apollo

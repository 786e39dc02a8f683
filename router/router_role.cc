#include "router/router_role.h"

#include <absl/time/clock.h>

#include <cstddef>
#include <utility>

#include "common/clock.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "router/access/access_metrics.h"
#include "router/access/rpc_method.h"
#include "router/grpc/grpc_status.h"
#include "router/session/new_ids.h"
#include "serving/counter_collector.h"

namespace apollo {
namespace {

constexpr absl::Duration kStuck = absl::Seconds(30);

// Returns the decision of the policy about each call, or null without one.
AdmitCall AdmitBy(AccessControl* access, const PeerOf& peer_of) {
  if (access == nullptr && peer_of == nullptr) return nullptr;
  return [access, peer_of](RpcMethod method,
                           const grpc::ServerContextBase& context,
                           std::size_t message_bytes) {
    const CallEvidence evidence = EvidenceOf(context, peer_of, message_bytes);
    if (access != nullptr) return access->Admit(method, evidence);
    Admission admission;
    admission.pass->SetCertificate(evidence.peer.certificate_sha256);
    return admission;
  };
}

// Returns true if a call that ended with the code was refused or failed.
bool Failed(absl::StatusCode code) {
  return code != absl::StatusCode::kOk &&
         code != absl::StatusCode::kCancelled &&
         code != absl::StatusCode::kDeadlineExceeded;
}

std::vector<CallerUse> UseOf(CallLedger& ledger) {
  std::vector<CallerUse> all;
  for (const CallLedger::Report& report : ledger.Reports()) {
    CallerUse& use = all.emplace_back();
    use.name = report.caller;
    use.prompt_tokens = report.prompt_tokens;
    use.generated_tokens = report.generated_tokens;
    use.streams = report.streams;
    for (int code = 0; code < CallLedger::kCodes; ++code) {
      const std::int64_t calls = report.requests[code];
      use.calls += calls;
      if (Failed(static_cast<absl::StatusCode>(code))) {
        use.calls_failed += calls;
      }
    }
  }
  return all;
}

RouterFacts FactsOf(const RouterOptions& options, AccessControl* access) {
  RouterFacts facts{.name = options.name,
                    .certificate_expires = options.certificate_expires};
  if (access != nullptr) {
    facts.callers = [access] { return UseOf(access->ledger()); };
  }
  return facts;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RouterRole>> RouterRole::Make(
    const RouterModel& model, RouterBackend& backend,
    const RouterOptions& options, prometheus::Registry& registry,
    PeerOf peer_of, AuditLog* audit, Tracer* tracer) {
  std::unique_ptr<AccessControl> access;
  if (!options.access.policy_file.empty()) {
    ASSIGN_OR_RETURN(access, AccessControl::Open(options.access, model.name,
                                                 Clock::Real(), absl::Now));
  }
  return std::unique_ptr<RouterRole>(
      new RouterRole(model, backend, options, registry, std::move(access),
                     std::move(peer_of), audit, tracer));
}

RouterRole::RouterRole(const RouterModel& model, RouterBackend& backend,
                       const RouterOptions& options,
                       prometheus::Registry& registry,
                       std::unique_ptr<AccessControl> access, PeerOf peer_of,
                       AuditLog* audit, Tracer* tracer)
    : options_(options),
      access_(std::move(access)),
      peer_of_(std::move(peer_of)),
      audit_(audit),
      metrics_(registry),
      languages_(registry, model.families),
      calls_(options.calls, Clock::Real()),
      service_({model, backend, metrics_, Clock::Real(), calls_, &languages_,
                audit, tracer, FactsOf(options_, access_.get())},
               AdmitBy(access_.get(), peer_of_)),
      watch_(kStuck),
      ticker_(absl::Seconds(1), [this] { Tick(); }) {}

RouterRole::~RouterRole() {
  if (audit_ != nullptr) audit_->LetGo();
}

void RouterRole::Tick() {
  calls_.Tick();
  if (access_ != nullptr) access_->Reload();
  if (audit_ != nullptr) audit_->Tick();
  looks_.fetch_add(1, std::memory_order_relaxed);
}

absl::StatusOr<std::unique_ptr<Server>> RouterRole::Listen(
    ServerOptions options,
    std::vector<std::shared_ptr<prometheus::Collectable>> metrics) {
  if (audit_ != nullptr) {
    metrics.push_back(
        std::make_shared<CounterCollector>(audit_->counters(), kAuditMetrics));
  }
  collectors_ = std::move(metrics);
  options.reflection = true;
  options.max_metadata_bytes = options_.max_metadata_bytes;
  options.max_streams_per_connection = options_.max_streams_per_connection;
  options.max_connection_age = options_.max_connection_age;
  options.clients_need_certificate = options_.clients_need_certificate;
  // Not the short times of workers: a client may pause.
  options.keepalive_time = options_.silent_client_timeout / 3;
  options.keepalive_timeout =
      options_.silent_client_timeout - options.keepalive_time;
  if (access_ != nullptr) {
    options.gate = [this](const grpc::ServerContextBase& context,
                          const std::string& path) {
      return AdmitPath(context, path);
    };
    collectors_.push_back(std::make_shared<AccessMetrics>(access_->ledger()));
  }
  // Whoever else may call is for the policy of callers to say.
  const Callers callers = {
      .never = {PeerRole::kDenseWorker, PeerRole::kExpertWorker}};
  return Server::Start(
      options,
      {{&service_, v1::InferenceService::service_full_name(), callers}},
      collectors_);
}

grpc::Status RouterRole::AdmitPath(const grpc::ServerContextBase& context,
                                   const std::string& path) {
  const absl::Status status =
      access_->AdmitPath(path, EvidenceOf(context, peer_of_, 0));
  if (status.ok()) return grpc::Status::OK;
  const std::string request_id = NewRequestId();
  // The path is the client's text.
  const auto method = RpcMethodOfPath(path);
  calls_.failures().Report(method ? NameOf(*method) : "unknown", request_id,
                           status);
  return ToGrpcStatus(status, request_id);
}

bool RouterRole::Alive() const {
  return watch_.Moves(looks_.load(std::memory_order_relaxed));
}

std::vector<AdminFile> RouterRole::Files() {
  std::vector<AdminFile> files;
  if (access_ == nullptr) return files;
  // The keys first: a policy may need them.
  if (access_->has_keys_file()) {
    files.push_back({"jwt_keys", [this] { return access_->ReloadKeys(); }});
  }
  files.push_back({"policy", [this] { return access_->ReloadPolicy(); }});
  return files;
}

LastCalls RouterRole::EndOfCalls(absl::Duration grace) {
  return {.grace = grace,
          .none_left = [this] { return calls_.running() == 0; },
          .end =
              [this] {
                LogWarning("calls_cut_short", {{"calls", calls_.running()}});
                calls_.CancelAll(absl::UnavailableError(
                    "the router is about to stop; try again"));
              }};
}

}  // namespace apollo

#include "router/router_role.h"

#include <absl/time/clock.h>

#include <cstddef>
#include <utility>

#include "common/clock.h"
#include "common/log.h"
#include "common/status_macros.h"

namespace apollo {

namespace {

// Returns the decision of the policy about each call, or null without one.
AdmitCall AdmitBy(AccessControl* access, const PeerOf& peer_of) {
  if (access == nullptr) return nullptr;
  return [access, peer_of](RpcMethod method,
                           const grpc::ServerContextBase& context,
                           std::size_t message_bytes) {
    Admission admission;
    auto pass =
        access->Admit(method, EvidenceOf(context, peer_of, message_bytes));
    admission.status = pass.status();
    if (pass.ok()) admission.pass = *std::move(pass);
    return admission;
  };
}

}  // namespace

absl::StatusOr<std::unique_ptr<RouterRole>> RouterRole::Make(
    const RouterModel& model, RouterBackend& backend,
    const RouterOptions& options, prometheus::Registry& registry,
    PeerOf peer_of) {
  std::unique_ptr<AccessControl> access;
  if (!options.access.policy_file.empty()) {
    ASSIGN_OR_RETURN(access, AccessControl::Open(options.access, model.name,
                                                 Clock::Real(), absl::Now));
  }
  return std::unique_ptr<RouterRole>(new RouterRole(model, backend, options,
                                                    registry, std::move(access),
                                                    std::move(peer_of)));
}

RouterRole::RouterRole(const RouterModel& model, RouterBackend& backend,
                       const RouterOptions& options,
                       prometheus::Registry& registry,
                       std::unique_ptr<AccessControl> access, PeerOf peer_of)
    : options_(options),
      access_(std::move(access)),
      peer_of_(std::move(peer_of)),
      access_metrics_(access_ == nullptr
                          ? nullptr
                          : std::make_shared<AccessMetrics>(access_->ledger())),
      metrics_(registry),
      calls_(options.calls, Clock::Real()),
      service_({model, backend, metrics_, Clock::Real(), calls_},
               AdmitBy(access_.get(), peer_of_)),
      ticker_(absl::Seconds(1), [this] {
        calls_.Tick();
        if (access_ != nullptr) access_->Reload();
      }) {}

absl::StatusOr<std::unique_ptr<Server>> RouterRole::Listen(
    ServerOptions options,
    const std::vector<std::shared_ptr<prometheus::Collectable>>& metrics) {
  options.reflection = true;
  options.max_metadata_bytes = options_.max_metadata_bytes;
  // Not the short times of workers: a client may pause.
  options.keepalive_time = options_.silent_client_timeout / 3;
  options.keepalive_timeout =
      options_.silent_client_timeout - options.keepalive_time;
  auto all_metrics = metrics;
  if (access_ != nullptr) {
    options.gate = [this](const grpc::ServerContextBase& context,
                          const std::string& path) {
      return access_->AdmitPath(path, EvidenceOf(context, peer_of_, 0));
    };
    all_metrics.push_back(access_metrics_);
  }
  return Server::Start(options,
                       {{&service_, v1::InferenceService::service_full_name()}},
                       all_metrics);
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

#include "router/router_role.h"

#include <utility>

#include "common/clock.h"
#include "common/log.h"
#include "serving/counter_collector.h"

namespace apollo {

RouterRole::RouterRole(const RouterModel& model, RouterBackend& backend,
                       const RouterOptions& options,
                       prometheus::Registry& registry, AuditLog* audit)
    : options_(options),
      audit_(audit),
      metrics_(registry),
      calls_(options.calls, Clock::Real()),
      service_({model, backend, metrics_, Clock::Real(), calls_, audit}),
      ticker_(absl::Seconds(1), [this] { Tick(); }) {}

void RouterRole::Tick() {
  calls_.Tick();
  if (audit_ != nullptr) audit_->Tick();
}

absl::StatusOr<std::unique_ptr<Server>> RouterRole::Listen(
    ServerOptions options,
    std::vector<std::shared_ptr<prometheus::Collectable>> metrics) {
  if (audit_ != nullptr) {
    metrics.push_back(
        std::make_shared<CounterCollector>(audit_->counters(), kAuditMetrics));
  }
  collectors_ = std::move(metrics);  // The server does not keep them.
  options.reflection = true;
  options.max_metadata_bytes = options_.max_metadata_bytes;
  // Not the short times of workers: a client may pause.
  options.keepalive_time = options_.silent_client_timeout / 3;
  options.keepalive_timeout =
      options_.silent_client_timeout - options.keepalive_time;
  return Server::Start(options,
                       {{&service_, v1::InferenceService::service_full_name()}},
                       collectors_);
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

#include "router/router_role.h"

#include <utility>

#include "common/clock.h"

namespace apollo {

RouterRole::RouterRole(const RouterModel& model, RouterBackend& backend,
                       const RouterOptions& options,
                       prometheus::Registry& registry)
    : options_(options),
      metrics_(registry),
      calls_(options.calls, Clock::Real()),
      service_({model, backend, metrics_, Clock::Real(), calls_}),
      ticker_(absl::Seconds(1), [this] { calls_.Tick(); }) {}

absl::StatusOr<std::unique_ptr<Server>> RouterRole::Listen(
    ServerOptions options,
    const std::vector<std::shared_ptr<prometheus::Collectable>>& metrics) {
  options.reflection = true;
  options.max_metadata_bytes = options_.max_metadata_bytes;
  // Not the short times of workers: a client may pause.
  options.keepalive_time = options_.silent_client_timeout / 3;
  options.keepalive_timeout =
      options_.silent_client_timeout - options.keepalive_time;
  return Server::Start(options,
                       {{&service_, v1::InferenceService::service_full_name()}},
                       metrics);
}

}  // namespace apollo

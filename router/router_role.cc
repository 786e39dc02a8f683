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
  // An idle client looks at its connection only every 5 s.
  options.keepalive_time = absl::Seconds(20);
  options.keepalive_timeout = absl::Seconds(20);
  return Server::Start(options,
                       {{&service_, v1::InferenceService::service_full_name()}},
                       metrics);
}

}  // namespace apollo

#include "router/router_role.h"

#include <utility>

#include "common/clock.h"
#include "common/log.h"

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
  options.clients_need_certificate = options_.clients_need_certificate;
  // Not the short times of workers: a client may pause.
  options.keepalive_time = options_.silent_client_timeout / 3;
  options.keepalive_timeout =
      options_.silent_client_timeout - options.keepalive_time;
  // Whoever else may call is for the policy of callers to say.
  const Callers callers = {
      .never = {PeerRole::kDenseWorker, PeerRole::kExpertWorker}};
  return Server::Start(
      options,
      {{&service_, v1::InferenceService::service_full_name(), callers}},
      metrics);
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

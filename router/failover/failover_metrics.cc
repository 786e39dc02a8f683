#include "router/failover/failover_metrics.h"

namespace apollo {

const char* NameOf(ReissueCause cause) {
  switch (cause) {
    case ReissueCause::kLost:
      return "lost";
    case ReissueCause::kMoved:
      return "moved";
    case ReissueCause::kSilent:
      return "silent";
    case ReissueCause::kRefused:
      return "refused";
  }
  return "";
}

FailoverMetrics::OfCause FailoverMetrics::Of(prometheus::Registry& registry,
                                             ReissueCause cause) {
  const MetricLabels labels = {{"cause", NameOf(cause)}};
  return {
      AddCounter(registry,
                 SpecOf(kFailoverMetrics, "apollo_sequences_reissued_total"),
                 labels),
      AddHistogram(registry,
                   SpecOf(kFailoverMetrics, "apollo_reissue_pause_seconds"),
                   labels)};
}

FailoverMetrics::FailoverMetrics(prometheus::Registry& registry)
    : lost_(Of(registry, ReissueCause::kLost)),
      moved_(Of(registry, ReissueCause::kMoved)),
      silent_(Of(registry, ReissueCause::kSilent)),
      refused_(Of(registry, ReissueCause::kRefused)),
      pauses_(AddCounter(
          registry, SpecOf(kFailoverMetrics, "apollo_reissue_pauses_total"))),
      given_up_(AddCounter(
          registry,
          SpecOf(kFailoverMetrics, "apollo_sequences_given_up_total"))) {}

FailoverMetrics::OfCause& FailoverMetrics::Of(ReissueCause cause) {
  switch (cause) {
    case ReissueCause::kLost:
      return lost_;
    case ReissueCause::kMoved:
      return moved_;
    case ReissueCause::kSilent:
      return silent_;
    case ReissueCause::kRefused:
      break;
  }
  return refused_;
}

void FailoverMetrics::Reissued(ReissueCause cause) {
  Of(cause).reissued.Increment();
}

void FailoverMetrics::Continued(ReissueCause cause, absl::Duration pause) {
  Of(cause).pause.Observe(absl::ToDoubleSeconds(pause));
}

}  // namespace apollo

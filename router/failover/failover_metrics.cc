#include "router/failover/failover_metrics.h"

#include "serving/single_metrics.h"

namespace apollo {
namespace {

prometheus::Counter& Reissues(prometheus::Registry& registry,
                              ReissueCause cause) {
  // Registering the same name again returns the same family.
  return prometheus::BuildCounter()
      .Name("apollo_sequences_reissued_total")
      .Help("Times that a sequence was run again, by cause.")
      .Register(registry)
      .Add({{"cause", NameOf(cause)}});
}

}  // namespace

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

FailoverMetrics::FailoverMetrics(prometheus::Registry& registry)
    : lost_(Reissues(registry, ReissueCause::kLost)),
      moved_(Reissues(registry, ReissueCause::kMoved)),
      silent_(Reissues(registry, ReissueCause::kSilent)),
      refused_(Reissues(registry, ReissueCause::kRefused)),
      pauses_(
          AddCounter(registry, "apollo_reissue_pauses_total",
                     "Pauses of sequences that no dense worker could take.")),
      given_up_(AddCounter(registry, "apollo_sequences_given_up_total",
                           "Sequences that failed after they had been run "
                           "again.")) {}

void FailoverMetrics::Reissued(ReissueCause cause) {
  switch (cause) {
    case ReissueCause::kLost:
      return lost_.Increment();
    case ReissueCause::kMoved:
      return moved_.Increment();
    case ReissueCause::kSilent:
      return silent_.Increment();
    case ReissueCause::kRefused:
      return refused_.Increment();
  }
}

}  // namespace apollo

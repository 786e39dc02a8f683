#pragma once

#include <absl/time/time.h>
#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <map>
#include <string>

#include "common/mutex.h"
#include "model/language/families.h"
#include "model/language/language_labels.h"
#include "router/model/language_choice.h"
#include "serving/buckets.h"
#include "serving/metric_spec.h"

namespace apollo {

// The largest table of languages for which the bounds below hold: each language
// is one of its labels, and everything else is "und" (LanguageLabels).
inline constexpr int kMostLanguages = 100;
inline constexpr int kMostFamilies = 20;

// The metrics of accepted calls by their language and its family. A language
// counts only if its detection was confident enough to choose a family.
inline constexpr MetricSpec kLanguageMetrics[] = {
    {"apollo_language_requests_total", MetricKind::kCounter,
     "Accepted calls, by language and its family.", "language,family",
     kMostLanguages},
    {"apollo_language_prompt_tokens_total", MetricKind::kCounter,
     "Prompt tokens of accepted calls, by language and its family.",
     "language,family", kMostLanguages},
    {"apollo_language_generation_tokens_total", MetricKind::kCounter,
     "Tokens generated, by language and its family.", "language,family",
     kMostLanguages},
    {"apollo_family_time_to_first_token_seconds", MetricKind::kHistogram,
     "Time from a call's arrival to its first token, by language family.",
     "family", kMostFamilies, kRequestSeconds},
    {"apollo_language_choices_total", MetricKind::kCounter,
     "Accepted calls by the way in which their language was found: given, "
     "detected, not_detected, uncertain, not_in_families, or dense_model "
     "(detected, but the model has no experts).",
     "outcome", 6},
    {"apollo_language_detection_confidence", MetricKind::kHistogram,
     "Confidence of the detection in the most likely family.", "", 1,
     kProbabilities},
};

// Counts in kLanguageMetrics. Thread-safe.
class LanguageMetrics {
 public:
  // Registers the metrics. The registry must outlive them.
  LanguageMetrics(prometheus::Registry& registry, const FamilyTable& families);

  // The series of one language.
  struct Series {
    prometheus::Counter& requests;
    prometheus::Counter& prompt_tokens;
    prometheus::Counter& generation_tokens;
    prometheus::Histogram& first_token;  // Of the family.
  };
  // Counts an accepted call. Returns the series of its language, which live as
  // long as the registry.
  const Series& Accepted(const LanguageChoice& language, int prompt_tokens);

 private:
  const LanguageLabels labels_;
  const FamilyTable families_;
  prometheus::Registry& registry_;
  prometheus::Histogram& confidence_;

  Mutex mutex_;
  std::map<std::string, Series> series_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo

#include "router/session/language_metrics.h"

#include <string_view>

namespace apollo {
namespace {

consteval const MetricSpec& Spec(std::string_view name) {
  return SpecOf(kLanguageMetrics, name);
}

// Returns the value of the label `outcome`.
const char* OutcomeOf(const LanguageChoice& language) {
  if (language.given) return "given";
  switch (language.judgement.reason) {
    case NoFamily::kNone:
      return "detected";
    case NoFamily::kNotDetected:
      return "not_detected";
    case NoFamily::kUncertain:
      return "uncertain";
    case NoFamily::kNotInFamilies:
      return "not_in_families";
    case NoFamily::kDenseModel:
      return "dense_model";
  }
  return "";
}

}  // namespace

LanguageMetrics::LanguageMetrics(prometheus::Registry& registry,
                                 const FamilyTable& families)
    : labels_(families),
      families_(families),
      registry_(registry),
      confidence_(AddHistogram(registry,
                               Spec("apollo_language_detection_confidence"))) {}

const LanguageMetrics::Series& LanguageMetrics::Accepted(
    const LanguageChoice& language, int prompt_tokens) {
  AddCounter(registry_, Spec("apollo_language_choices_total"),
             {{"outcome", OutcomeOf(language)}})
      .Increment();
  if (!language.given && language.judgement.reason != NoFamily::kNotDetected) {
    confidence_.Observe(language.judgement.confidence);
  }
  const std::string& label =
      labels_.name(labels_.Index(language.counted_language));
  MutexLock lock(mutex_);
  auto it = series_.find(label);
  if (it == series_.end()) {
    std::string family =
        FamilyName(families_, families_.ExpertOf(label).value_or(-1));
    if (family.empty()) family = "none";
    const MetricLabels both = {{"language", label}, {"family", family}};
    it =
        series_
            .insert(
                {label,
                 {AddCounter(registry_, Spec("apollo_language_requests_total"),
                             both),
                  AddCounter(registry_,
                             Spec("apollo_language_prompt_tokens_total"), both),
                  AddCounter(registry_,
                             Spec("apollo_language_generation_tokens_total"),
                             both),
                  AddHistogram(
                      registry_,
                      Spec("apollo_family_time_to_first_token_seconds"),
                      {{"family", family}})}})
            .first;
  }
  it->second.requests.Increment();
  it->second.prompt_tokens.Increment(prompt_tokens);
  return it->second;
}

}  // namespace apollo

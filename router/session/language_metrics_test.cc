#include "router/session/language_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <string>

namespace apollo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class LanguageMetricsTest : public testing::Test {
 protected:
  std::string Text() const {
    return prometheus::TextSerializer().Serialize(registry_.Collect());
  }

  prometheus::Registry registry_;
  LanguageMetrics metrics_{registry_, FamilyTable::Paper()};
};

LanguageChoice Given(const std::string& language) {
  LanguageChoice choice;
  choice.language = choice.counted_language = language;
  choice.given = true;
  choice.confidence = 1;
  return choice;
}

TEST_F(LanguageMetricsTest, CallsAreCountedByLanguageAndFamily) {
  metrics_.Accepted(Given("de"), 10);
  metrics_.Accepted(Given("sw"), 3);
  const LanguageMetrics::Series& series = metrics_.Accepted(Given("de"), 5);
  series.generation_tokens.Increment();
  series.first_token.Observe(0.5);
  const std::string de = "{family=\"indo_european\",language=\"de\"} ";
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr("apollo_language_requests_total" + de + "2\n"));
  EXPECT_THAT(text,
              HasSubstr("apollo_language_prompt_tokens_total" + de + "15\n"));
  EXPECT_THAT(
      text, HasSubstr("apollo_language_generation_tokens_total" + de + "1\n"));
  EXPECT_THAT(text, HasSubstr("apollo_family_time_to_first_token_seconds_count{"
                              "family=\"indo_european\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("{outcome=\"given\"} 3\n"));
  EXPECT_THAT(text,
              HasSubstr("apollo_language_detection_confidence_count 0\n"));
}

TEST_F(LanguageMetricsTest, LanguagesThatNoTableHasAreOneLabel) {
  metrics_.Accepted(Given("text of a patient"), 1);
  metrics_.Accepted(Given(""), 1);
  const std::string text = Text();
  EXPECT_THAT(text, Not(HasSubstr("patient")));
  EXPECT_THAT(text, HasSubstr("apollo_language_requests_total{family=\"none\","
                              "language=\"und\"} 2\n"));
}

TEST_F(LanguageMetricsTest, DetectionsAreCountedByOutcomeAndConfidence) {
  LanguageChoice choice = Given("de");
  choice.given = false;
  choice.judgement = {4, 0.97, 4, NoFamily::kNone};
  metrics_.Accepted(choice, 1);
  choice.counted_language.clear();
  choice.judgement = {4, 0.25, -1, NoFamily::kUncertain};
  metrics_.Accepted(choice, 1);
  choice.judgement = {-1, 0, -1, NoFamily::kNotDetected};
  metrics_.Accepted(choice, 1);
  const std::string text = Text();
  for (const char* outcome : {"detected", "uncertain", "not_detected"}) {
    EXPECT_THAT(text, HasSubstr("apollo_language_choices_total{outcome=\"" +
                                std::string(outcome) + "\"} 1\n"));
  }
  EXPECT_THAT(text, HasSubstr("confidence_bucket{le=\"0.3\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("apollo_language_detection_confidence_count 2\n"));
}

TEST(LanguageBoundsTest, ThePublishedTableIsWithinTheBounds) {
  const FamilyTable& families = FamilyTable::Paper();
  EXPECT_LT(families.languages().size(), std::size_t{kMostLanguages});
  EXPECT_LT(families.families().size(), std::size_t{kMostFamilies});
}

}  // namespace
}  // namespace apollo

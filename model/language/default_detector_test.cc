#include "model/language/default_detector.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

TEST(DefaultDetectorTest, TellsLanguagesWithoutAnyFile) {
  const auto detector = MakeDefaultDetector(FamilyTable::Paper());
  ASSERT_TRUE(detector.ok()) << detector.status();
  const struct {
    const char* text;
    const char* language;
  } kCases[] = {{"Was sind die ersten Anzeichen eines Schlaganfalls?", "de"},
                {"¿Cuáles son los síntomas de la diabetes?", "es"},
                {"심장마비의 증상은 무엇입니까?", "ko"},
                {"ما هي أعراض مرض السكري؟", "ar"},
                {"Je, dalili za malaria ni zipi kwa watoto?", "sw"}};
  for (const auto& c : kCases) {
    const Detection detection = (*detector)->Detect(c.text);
    ASSERT_FALSE(detection.candidates.empty()) << c.language;
    EXPECT_EQ(detection.candidates[0].language, c.language);
  }
}

}  // namespace
}  // namespace apollo

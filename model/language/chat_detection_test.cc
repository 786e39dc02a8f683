#include "model/language/chat_detection.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace apollo {
namespace {

// Returns the detection that the test has assigned to each text.
class ScriptedDetector : public LanguageDetector {
 public:
  explicit ScriptedDetector(
      std::map<std::string, Detection, std::less<>> answers)
      : answers_(std::move(answers)) {}
  Detection Detect(std::string_view text) const override {
    const auto it = answers_.find(text);
    return it == answers_.end() ? Detection{{}, /*neutral=*/1} : it->second;
  }

 private:
  const std::map<std::string, Detection, std::less<>> answers_;
};

const ScriptedDetector& Detector() {
  static const ScriptedDetector* const detector = new ScriptedDetector({
      {"german", {{{"de", 0.98}, {"da", 0.01}}}},
      {"french", {{{"fr", 0.97}, {"it", 0.02}}}},
      {"nearly french", {{{"fr", 0.97}, {"de", 0.02}}}},
      {"open", {{{"en", 0.30}, {"fr", 0.25}, {"de", 0.25}}}},
      {"20 mg?", {{}, /*neutral=*/1}},
      {"georgian", {{}, /*neutral=*/0}},
      {"zyrtec", {{{"cs", 0.08}, {"sk", 0.02}}, /*neutral=*/0.9}},
      {"merci docteur", {{{"fr", 0.44}}, /*neutral=*/0.5}},
  });
  return *detector;
}

std::string Best(const Detection& d) {
  return d.candidates.empty() ? "" : d.candidates[0].language;
}

TEST(DetectChatTest, OneMessageIsTheDetectorsAnswer) {
  const Detection d = DetectChat(Detector(), {"open"});
  ASSERT_EQ(d.candidates.size(), 3u);
  EXPECT_EQ(d.candidates[0].language, "en");
  EXPECT_NEAR(d.candidates[0].confidence, 0.30, 1e-9);
}

TEST(DetectChatTest, TheLastMessageDecides) {
  EXPECT_EQ(
      Best(DetectChat(Detector(), {"german", "german", "german", "french"})),
      "fr");
  EXPECT_EQ(Best(DetectChat(Detector(), {"french", "german"})), "de");
}

TEST(DetectChatTest, NamesLeaveTheLanguageToTheMessagesBefore) {
  EXPECT_EQ(Best(DetectChat(Detector(), {"german", "zyrtec"})), "de");
  EXPECT_EQ(Best(DetectChat(Detector(), {"open", "zyrtec", "20 mg?"})), "en");
  EXPECT_EQ(Best(DetectChat(Detector(), {"20 mg?", "zyrtec"})), "cs");
  EXPECT_EQ(Best(DetectChat(Detector(), {"zyrtec", "german"})), "de");
}

TEST(DetectChatTest, NamesAreNextToNoPrior) {
  const Detection alone = DetectChat(Detector(), {"open"});
  const Detection after = DetectChat(Detector(), {"zyrtec", "open"});
  ASSERT_FALSE(after.candidates.empty());
  EXPECT_EQ(Best(after), Best(alone));
  EXPECT_NEAR(after.candidates[0].confidence, alone.candidates[0].confidence,
              0.05);
  EXPECT_EQ(Best(DetectChat(Detector(), {"zyrtec", "merci docteur"})), "fr");
}

TEST(DetectChatTest, ItIsNeutralIfAllMessagesAre) {
  EXPECT_NEAR(DetectChat(Detector(), {"zyrtec"}).neutral, 0.9, 1e-9);
  EXPECT_NEAR(DetectChat(Detector(), {"20 mg?", "zyrtec"}).neutral, 0.9, 1e-9);
  EXPECT_LT(DetectChat(Detector(), {"german", "zyrtec"}).neutral, 0.1);
  EXPECT_EQ(DetectChat(Detector(), {"20 mg?"}).neutral, 1);
  EXPECT_EQ(DetectChat(Detector(), {}).neutral, 1);
}

// The language of such a message is not a candidate, but there is one.
TEST(DetectChatTest, ALanguageOutsideTheTableIsNotNeutral) {
  EXPECT_EQ(DetectChat(Detector(), {"georgian"}).neutral, 0);
  EXPECT_EQ(DetectChat(Detector(), {"georgian", "20 mg?"}).neutral, 0);
  EXPECT_EQ(Best(DetectChat(Detector(), {"georgian", "german"})), "de");
  EXPECT_EQ(Best(DetectChat(Detector(), {"german", "georgian"})), "de");
}

TEST(DetectChatTest, WhatIsHalfNeutralMakesAnotherLanguageDoubtful) {
  const Detection other = DetectChat(Detector(), {"german", "merci docteur"});
  // Not confident enough in either to act on it.
  for (const LanguageGuess& guess : other.candidates) {
    EXPECT_LT(guess.confidence, 0.5) << guess.language;
  }
  EXPECT_GT(DetectChat(Detector(), {"french", "merci docteur"})
                .candidates[0]
                .confidence,
            0.9);
  const Detection names = DetectChat(Detector(), {"german", "zyrtec"});
  EXPECT_EQ(Best(names), "de");
  EXPECT_GT(names.candidates[0].confidence, 0.85);
}

TEST(DetectChatTest, AClearMessageNeedsNoneBeforeIt) {
  const Detection d =
      DetectChat(Detector(), {"german", "german", "nearly french"});
  EXPECT_EQ(Best(d), "fr");
  EXPECT_NEAR(d.candidates[0].confidence, 0.97, 1e-9);
}

TEST(DetectChatTest, EarlierMessagesSettleWhatTheLastLeavesOpen) {
  const Detection d = DetectChat(Detector(), {"german", "open"});
  EXPECT_EQ(Best(d), "de");
  EXPECT_GT(d.candidates[0].confidence, 0.8);
  EXPECT_EQ(Best(DetectChat(Detector(), {"french", "open"})), "fr");
  // The more recent message counts more.
  EXPECT_EQ(Best(DetectChat(Detector(), {"german", "french", "open"})), "fr");
}

TEST(DetectChatTest, AMessageThatSaysNothingChangesNothing) {
  const Detection d = DetectChat(Detector(), {"german", "20 mg?"});
  EXPECT_EQ(Best(d), "de");
  EXPECT_NEAR(d.candidates[0].confidence, 0.98, 1e-9);
}

TEST(DetectChatTest, OldMessagesAreForgotten) {
  EXPECT_EQ(Best(DetectChat(Detector(), {"german", "20 mg?", "20 mg?", "20 mg?",
                                         "20 mg?"})),
            "");
}

TEST(DetectChatTest, NothingGivesNothing) {
  EXPECT_TRUE(DetectChat(Detector(), {}).candidates.empty());
  EXPECT_TRUE(DetectChat(Detector(), {"", "?"}).candidates.empty());
}

TEST(DetectChatTest, ConfidencesStayProbabilities) {
  for (const auto& chat :
       std::vector<std::vector<std::string_view>>{{"german", "open"},
                                                  {"open", "open", "open"},
                                                  {"french", "german"}}) {
    double sum = 0;
    for (const LanguageGuess& guess : DetectChat(Detector(), chat).candidates) {
      EXPECT_GE(guess.confidence, 0.0);
      sum += guess.confidence;
    }
    EXPECT_LE(sum, 1.0 + 1e-9);
  }
}

}  // namespace
}  // namespace apollo

#include "model/language/cld2_detector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "model/language/families.h"
#include "model/language/script.h"

namespace apollo {
namespace {

std::string Best(const LanguageDetector& detector, std::string_view text) {
  const Detection detection = detector.Detect(text);
  return detection.candidates.empty() ? "" : detection.candidates[0].language;
}

TEST(Cld2DetectorTest, MapsItsCodesToTheTables) {
  const auto detector = MakeCld2Detector(FamilyTable::Paper());
  EXPECT_EQ(Best(*detector, "What are the symptoms of high blood pressure?"),
            "en");
  EXPECT_EQ(Best(*detector, "¿Cuáles son los síntomas de la diabetes?"), "es");
  EXPECT_EQ(Best(*detector, "高血壓的症狀有哪些？應該怎麼治療這種疾病？"),
            "zh");
  EXPECT_EQ(Best(*detector, "高血压的症状有哪些？应该怎么治疗这种疾病？"),
            "zh");
  EXPECT_EQ(Best(*detector, "מה הם הסימנים של לחץ דם גבוה?"), "he");
  EXPECT_EQ(
      Best(*detector, "Kva er symptoma på høgt blodtrykk hos vaksne menneske?"),
      "no");
  EXPECT_EQ(Best(*detector, "고혈압의 증상은 무엇입니까?"), "ko");
}

// Chrome's small tables lack these languages.
TEST(Cld2DetectorTest, HasItsFullTables) {
  const auto detector = MakeCld2Detector(FamilyTable::Paper());
  EXPECT_EQ(
      Best(*detector,
           "Kiuj estas la simptomoj de diabeto kaj kiel oni kuracas ĝin?"),
      "eo");
  EXPECT_EQ(
      Best(*detector,
           "Quae sunt signa huius morbi et quomodo aegrotus curari potest?"),
      "la");
  EXPECT_EQ(
      Best(*detector, "Menene alamomin ciwon suga kuma yaya ake maganinsa?"),
      "ha");
  EXPECT_EQ(Best(*detector,
                 "Gịnị bụ ihe mgbaàmà ọrịa shuga na kedu ka a ga-esi agwọ ya?"),
            "ig");
  EXPECT_EQ(
      Best(*detector, "نیشانەکانی نەخۆشی شەکرە چین و چۆن چارەسەر دەکرێت؟"),
      "ckb");
}

TEST(Cld2DetectorTest, LeavesOutLanguagesThatAreNotInTheTable) {
  const auto families = FamilyTable::Parse("0 one: de\n", "test");
  ASSERT_TRUE(families.ok());
  const auto detector = MakeCld2Detector(*families);
  EXPECT_EQ(Best(*detector, "¿Cuáles son los síntomas de la diabetes?"), "");
  EXPECT_EQ(Best(*detector, "Welche Beschwerden macht hoher Blutdruck?"), "de");
}

// Text in a language outside the table is not attributed to one with the same
// script.
// CLD2 takes it for Sanskrit.
TEST(Cld2DetectorTest, LatinTextIsInALanguageWithLatinLetters) {
  const auto detector = MakeCld2Detector(FamilyTable::Paper());
  for (const char* text : {"Ai-je l'arthrite ?", "What is hypothyroidism?"}) {
    for (const LanguageGuess& guess : detector->Detect(text).candidates) {
      EXPECT_THAT(NativeScripts(guess.language), ::testing::Contains("Latn"))
          << text << ": " << guess.language;
    }
  }
}

TEST(Cld2DetectorTest, OneLanguageOfAScriptInASmallTable) {
  const struct {
    const char* table;
    const char* own;
    const char* other;
  } kCases[] = {
      {"ru", "Какие бывают симптомы высокого давления и как его лечат?",
       "Які симптоми високого кров'яного тиску та як його лікують?"},
      {"zh", "高血压的症状有哪些？应该怎么治疗这种疾病？",
       "高血圧の症状は何ですか。どのように治療しますか。"},
      {"hi", "उच्च रक्तचाप के लक्षण क्या हैं और इसका इलाज कैसे होता है?",
       "उच्च रक्तदाबाची लक्षणे कोणती आहेत आणि त्यावर उपचार कसे केले जातात?"},
      {"he", "מה הם הסימנים של לחץ דם גבוה?",
       "וואָס זענען די סימפּטאָמען פון הויך בלוט דרוק און ווי אַזוי באַהאַנדלט מען "
       "עס?"},
      {"yi",
       "וואָס זענען די סימפּטאָמען פון הויך בלוט דרוק און ווי אַזוי באַהאַנדלט מען "
       "עס?",
       "מה הם הסימנים של לחץ דם גבוה?"},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.table);
    const auto families =
        FamilyTable::Parse("0 one: " + std::string(c.table) + "\n", "test");
    ASSERT_TRUE(families.ok());
    const auto detector = MakeCld2Detector(*families);
    EXPECT_EQ(Best(*detector, c.own), c.table);
    EXPECT_EQ(Best(*detector, c.other), "");
  }
}

TEST(Cld2DetectorTest, NamesTheLanguagesItCannotDetect) {
  using ::testing::ElementsAre;
  EXPECT_THAT(MakeCld2Detector(FamilyTable::Paper())->UndetectableLanguages(),
              ElementsAre("ilo", "doi", "bm"));
  const auto families = FamilyTable::Parse("0 one: de tlhx iw\n", "test");
  ASSERT_TRUE(families.ok());
  EXPECT_THAT(MakeCld2Detector(*families)->UndetectableLanguages(),
              ElementsAre("tlhx"));
}

TEST(Cld2DetectorTest, AnyBytesAreHandled) {
  const auto detector = MakeCld2Detector(FamilyTable::Paper());
  EXPECT_TRUE(detector->Detect("").candidates.empty());
  EXPECT_TRUE(detector->Detect(std::string(1, '\0')).candidates.empty());
  EXPECT_TRUE(detector->Detect("\xff\xfe\x80").candidates.empty());
  EXPECT_TRUE(detector->Detect("123 456 !!!").candidates.empty());
  // Invalid bytes do not hide a sentence.
  EXPECT_EQ(
      Best(*detector, "What are the \xff\xc3 symptoms of high blood pressure?"),
      "en");
  std::string all_bytes;
  for (int i = 0; i < 512; ++i) all_bytes.push_back(static_cast<char>(i));
  for (const LanguageGuess& guess : detector->Detect(all_bytes).candidates) {
    EXPECT_GE(guess.confidence, 0.0);
    EXPECT_LE(guess.confidence, 1.0);
  }
}

TEST(Cld2DetectorTest, OneMegabyteIsHandled) {
  const auto detector = MakeCld2Detector(FamilyTable::Paper());
  std::string text;
  while (text.size() < 1'000'000)
    text += "Was sind die Anzeichen einer Grippe? ";
  EXPECT_EQ(Best(*detector, text), "de");
  EXPECT_LE(detector->Detect(std::string(1'000'000, 'a')).candidates.size(),
            3u);
}

TEST(Cld2DetectorTest, ThreadsShareOneDetector) {
  const auto detector = MakeCld2Detector(FamilyTable::Paper());
  std::vector<int> right(4, 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&detector, &right, t] {
      for (int i = 0; i < 50; ++i) {
        right[t] +=
            Best(*detector, "Quels sont les symptômes de la grippe ?") == "fr";
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, std::vector<int>(4, 50));
}

}  // namespace
}  // namespace apollo

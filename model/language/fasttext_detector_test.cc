#include "model/language/fasttext_detector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "common/mapped_file.h"
#include "model/language/family_guess.h"
#include "model/language/script.h"

namespace apollo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kModel[] = "model/language/classifier.ftz";

const LanguageDetector& Ours() {
  static const LanguageDetector* const detector = [] {
    auto loaded = LoadFastTextDetector(kModel, FamilyTable::Paper());
    if (!loaded.ok()) {
      ADD_FAILURE() << loaded.status();
      std::abort();
    }
    return loaded->release();
  }();
  return *detector;
}

std::string Best(std::string_view text) {
  const Detection d = Ours().Detect(text);
  return d.candidates.empty() ? "" : d.candidates[0].language;
}

double BestConfidence(std::string_view text) {
  const Detection d = Ours().Detect(text);
  return d.candidates.empty() ? 0.0 : d.candidates[0].confidence;
}

std::string WriteFile(const std::string& name, std::string_view bytes) {
  const char* folder = std::getenv("TEST_TMPDIR");
  const std::string path = std::string(folder ? folder : "/tmp") + "/" + name;
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

struct Question {
  std::string language, text;
};

// Returns medical questions in all 50 languages.
std::vector<Question> Questions() {
  std::ifstream file("model/language/testdata/questions.tsv");
  std::vector<Question> questions;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string source;
    Question& question = questions.emplace_back();
    std::getline(fields, question.language, '\t');
    std::getline(fields, source, '\t');
    std::getline(fields, question.text);
  }
  return questions;
}

TEST(FastTextDetectorTest, MedicalQuestionsInAllFiftyLanguages) {
  std::set<std::string> languages;
  int right = 0, right_family = 0, all = 0;
  std::string wrong;
  for (const auto& [language, text] : Questions()) {
    languages.insert(language);
    const auto family = GuessFamily(Ours().Detect(text), FamilyTable::Paper());
    ++all;
    right += Best(text) == language;
    right_family += family.has_value() &&
                    family->expert == FamilyTable::Paper().ExpertOf(language);
    if (Best(text) != language) wrong += language + ">" + Best(text) + " ";
  }
  ASSERT_EQ(languages.size(), 50u);
  EXPECT_GE(right, all - 3) << wrong;
  EXPECT_GE(right_family, all - 1) << wrong;
}

TEST(FastTextDetectorTest, ScriptsDecideAlone) {
  EXPECT_EQ(Best("두통"), "ko");
  EXPECT_EQ(Best("ปวด"), "th");
  EXPECT_EQ(Best("ເຈັບ"), "lo");
  EXPECT_EQ(Best("כאב"), "he");
  EXPECT_EQ(Best("かゆい"), "ja");
  EXPECT_EQ(Best("頭痛とめまい"), "ja");
  EXPECT_GE(BestConfidence("두통"), 0.95);
  // Scripts that no language of the table uses.
  EXPECT_EQ(Best("რა არის დიაბეტი"), "");
}

TEST(FastTextDetectorTest, TermsAndCodeDoNotSwingTheResult) {
  EXPECT_EQ(Best("请问 metoprolol succinate 50mg 和 amlodipine 可以一起吃吗？"),
            "zh");
  EXPECT_EQ(Best("Можно ли принимать ibuprofen и paracetamol вместе? "
                 "https://example.org/en/drugs/ibuprofen-side-effects"),
            "ru");
  EXPECT_EQ(
      Best("Welche Dosis soll ich nehmen? ```def dose(weight): return the "
           "weight of the patient times the dose```"),
      "de");
  EXPECT_EQ(Best("¿Puedo tomar atorvastatin junto con clarithromycin 500 mg "
                 "para la tos?"),
            "es");
}

// Typical questions in languages with similar vocabularies, each with added
// noise that is in no language or in English.
TEST(FastTextDetectorTest, NoiseDoesNotSwingTheResultInAnyLanguage) {
  const char* const noise[] = {
      "",
      " 120/80 mmHg, 38.5 C, 2x500 mg, 15.03.2024, +49 170 1234567",
      " https://www.example.org/health/what-is-the-best-treatment-for-diabetes",
      " (someone.with.a.name@hospital.example.com)",
      " metformin, atorvastatin 20mg, lisinopril, amoxicillin, omeprazole",
      " `SELECT name, dose FROM the_patients WHERE age > 65;`",
      "\n```python\ndef is_it_high(value, the_limit=140):\n    # return what "
      "the doctor said\n    return value > the_limit\n```",
      " <b class=\"question about the patient\">!</b> HbA1c COVID-19 BMI",
  };
  int all = 0, same = 0, same_family = 0;
  std::string swung;
  for (const auto& [language, text] : Questions()) {
    const auto family = GuessFamily(Ours().Detect(text), FamilyTable::Paper());
    ASSERT_TRUE(family.has_value()) << language;
    for (const char* part : noise) {
      for (const std::string& question :
           {text + part, std::string(part) + " " + text}) {
        const auto now =
            GuessFamily(Ours().Detect(question), FamilyTable::Paper());
        ++all;
        same += Best(question) == Best(text);
        same_family += now.has_value() && now->expert == family->expert;
        if (Best(question) != Best(text)) {
          swung += language + ">" + Best(question) + part + "\n";
        }
      }
    }
  }
  ASSERT_GE(all, 800);
  EXPECT_EQ(same_family, all) << swung;
  EXPECT_GE(same, all - 8) << swung;
}

// Lists, remarks, quoted words and other structures that also occur in code.
TEST(FastTextDetectorTest, RealQuestionsAreNotLost) {
  const struct {
    const char* text;
    const char* language;
  } kCases[] = {
      {"- Температура: 38\n- Давление: 140/90\n- Пульс: 95", "ru"},
      {"- 体温:38\n- 血压:140\n- 心率:90", "zh"},
      {"Что значит ALT AST GGT ALP LDL HDL CRP?", "ru"},
      {"ALT AST GGT LDL HDL 높은가요?", "ko"},
      {"¿Por qué sudo tanto por la noche?", "es"},
      {"Quiero entender diagnostico 高血压 gracias", "es"},
      {"HbA1c = 8.2\nIch nehme Metformin seit Mai (zweimal am Tag)", "de"},
      {"Fieber(39), Husten(trocken) und Kopfschmerzen(stark)", "de"},
      {"my head hurts a lot;\nmy stomach aches;\nmy eyes are red;", "en"},
      {"What is \"high blood pressure\"", "en"},
      {"{Ich habe seit gestern Fieber}", "de"},
      {"HbA1c=8.2怎么办", "zh"},
  };
  for (const auto& c : kCases) EXPECT_EQ(Best(c.text), c.language) << c.text;
  // Lines of two words may be Luxembourgish.
  const auto family = GuessFamily(
      Ours().Detect("- Fieber: ja\n- Husten: nein\n- Durchfall: ja"),
      FamilyTable::Paper());
  ASSERT_TRUE(family.has_value());
  EXPECT_EQ(family->expert, FamilyTable::Paper().ExpertOf("de"));
  EXPECT_GE(family->confidence, 0.5);
}

TEST(FastTextDetectorTest, ShortQuestionsAboutInternationalTerms) {
  EXPECT_EQ(Best("What is hypothyroidism?"), "en");
  EXPECT_EQ(Best("What is asthma?"), "en");
  EXPECT_EQ(Best("Was ist Asthma?"), "de");
}

// Latin text is detected as a language of another script only if it is clearly
// romanised and there is a label for such text.
TEST(FastTextDetectorTest, LatinTextIsInALanguageWithLatinLetters) {
  for (const char* text :
       {"What is hypothyroidism?", "What is asthma?", "Was ist Asthma?",
        "asthma", "ok, 20 mg?", "x y z", "Maria Kowalski"}) {
    for (const LanguageGuess& guess : Ours().Detect(text).candidates) {
      EXPECT_THAT(NativeScripts(guess.language), ::testing::Contains("Latn"))
          << text << ": " << guess.language << " " << guess.confidence;
    }
  }
}

// The same for short questions in eight languages about international terms,
// even if only languages with other scripts are expected.
TEST(FastTextDetectorTest, NoShortLatinQuestionIsInALanguageOfAnotherScript) {
  const char* const templates[] = {
      "What is {}?",           "What causes {}?",    "Is {} dangerous?",
      "Symptoms of {}",        "{} in children",     "Do I have {}?",
      "Was ist {}?",           "Ist {} heilbar?",    "{} bei Kindern",
      "Symptome von {}",       "Qu'est-ce que {} ?", "{}, est-ce grave ?",
      "{} chez l'enfant",      "Ai-je {} ?",         "¿Qué es {}?",
      "Síntomas de {}",        "{} en niños",        "¿Se cura {}?",
      "Che cos'è {}?",         "Sintomi di {}",      "Ho {}?",
      "O que é {}?",           "{} em crianças",     "Dalili za {}",
      "{} ni nini?",           "Je, {} ni hatari?",  "{} là gì?",
      "{} có nguy hiểm không?"};
  const char* const terms[] = {
      "hypothyroidism", "asthma",   "diabetes",  "malaria",      "sarcoidosis",
      "tinnitus",       "tetanus",  "melanoma",  "fibromyalgia", "insulin",
      "ibuprofen",      "COVID-19", "hepatitis", "osteoporosis"};
  const auto expecting = LoadFastTextDetector(kModel, FamilyTable::Paper(),
                                              {"ar", "hi", "ru", "zh"});
  ASSERT_TRUE(expecting.ok()) << expecting.status();
  int count = 0;
  for (const std::string pattern : templates) {
    for (const std::string term : terms) {
      std::string text = pattern;
      text.replace(text.find("{}"), 2, term);
      ++count;
      for (const LanguageDetector* detector :
           std::array<const LanguageDetector*, 2>{&Ours(), expecting->get()}) {
        for (const LanguageGuess& guess : detector->Detect(text).candidates) {
          EXPECT_THAT(NativeScripts(guess.language),
                      ::testing::Contains("Latn"))
              << text << ": " << guess.language << " " << guess.confidence;
        }
      }
    }
  }
  EXPECT_GE(count, 300);
}

TEST(FastTextDetectorTest, NamesAndCodeAreNeutral) {
  for (const char* text : {"metformin 500 mg bid", "Maria Kowalski",
                           "while (node != NULL) { node = node->next; }",
                           "TSH 8.4 mIU/l, fT4 0.7 ng/dl"}) {
    EXPECT_GT(Ours().Detect(text).neutral, 0.5) << text;
  }
  EXPECT_LT(Ours().Detect("Was sind die Anzeichen einer Grippe?").neutral, 0.1);
  EXPECT_EQ(Ours().Detect("").neutral, 1);
}

// A single word may be a name, whatever the classifier says.
TEST(FastTextDetectorTest, OneAsciiWordIsNotSureEnoughToActOn) {
  for (const char* text : {"Kopfschmerzen", "headache", "(febbre)", "umutwe"}) {
    const auto family = GuessFamily(Ours().Detect(text), FamilyTable::Paper());
    if (family.has_value()) {
      EXPECT_LT(family->confidence, 0.5) << text;
    }
  }
}

// Segments vote: code next to a question is no evidence.
TEST(FastTextDetectorTest, SegmentsVote) {
  const std::string question = "Warum funktioniert dieses Programm nicht?";
  const Detection alone = Ours().Detect(question);
  const Detection both = Ours().Detect(
      question + "\nwhile (node != NULL) { node = node->next; count++; }");
  ASSERT_FALSE(both.candidates.empty());
  EXPECT_EQ(both.candidates[0].language, "de");
  EXPECT_NEAR(both.candidates[0].confidence, alone.candidates[0].confidence,
              1e-9);
  // Two languages share the vote.
  const Detection two = Ours().Detect(
      "Was sind die Anzeichen einer Grippe?\nQuels sont les symptômes de la "
      "grippe ?");
  ASSERT_GE(two.candidates.size(), 2u);
  EXPECT_NEAR(two.candidates[0].confidence, 0.5, 0.1);
}

TEST(FastTextDetectorTest, NoLanguageIsNoGuess) {
  for (const char* text :
       {"", " ", "20", "120/80", "??", "https://example.org", "metformin",
        "atorvastatin 20mg", "```int x;```", "\x01", "\xff", "a.b.c(x_y)"}) {
    EXPECT_LT(BestConfidence(text), 0.6) << text;
  }
  EXPECT_TRUE(Ours().Detect("120/80").candidates.empty());
  EXPECT_TRUE(Ours().Detect("120/80, 20 mg?").candidates.empty());
}

TEST(FastTextDetectorTest, LanguagesOutsideTheTableGetLittleConfidence) {
  EXPECT_LT(
      BestConfidence("Wat zijn de eerste verschijnselen van suikerziekte en "
                     "hoe wordt deze ziekte behandeld?"),
      0.5);
  EXPECT_LT(
      BestConfidence("Jakie są objawy wysokiego ciśnienia krwi i jak się je "
                     "leczy u dorosłych?"),
      0.5);
}

TEST(FastTextDetectorTest, RomanisedHindi) {
  EXPECT_EQ(Best("yah dava kis samay leni chahie aur iske kya prabhav hain"),
            "hi");
}

TEST(FastTextDetectorTest, AnyBytesAnyLength) {
  for (int c = 0; c < 256; ++c) {
    const std::string text(1, static_cast<char>(c));
    for (const LanguageGuess& guess : Ours().Detect(text).candidates) {
      EXPECT_GE(guess.confidence, 0.0);
      EXPECT_LE(guess.confidence, 1.0);
    }
  }
  std::string text;
  while (text.size() < 1'000'000)
    text += "Was sind die Anzeichen einer Grippe? ";
  EXPECT_EQ(Best(text), "de");
  // A single word of a megabyte, and text that imitates fastText's special
  // tokens.
  Ours().Detect(std::string(1'000'000, 'a'));
  EXPECT_EQ(Best("</s> </s> __label__ko Was sind die Anzeichen einer Grippe?"),
            "de");
  EXPECT_EQ(Best("Was sind\x01 die \xff\xfe"
                 "Anzeichen einer\xc3 Grippe?"),
            "de");
}

TEST(FastTextDetectorTest, ConfidencesSumToAtMostOne) {
  for (const char* text : {"fever", "la febbre", "temperatura", "бол", "दर्द"}) {
    double sum = 0;
    double before = 1.0;
    for (const LanguageGuess& guess : Ours().Detect(text).candidates) {
      EXPECT_LE(guess.confidence, before);
      before = guess.confidence;
      sum += guess.confidence;
    }
    EXPECT_LE(sum, 1.0 + 1e-9);
  }
}

TEST(FastTextDetectorTest, ThreadsGetTheSameAnswers) {
  const std::string text = "Hvilke symptomer giver for højt blodtryk?";
  const double expected = BestConfidence(text);
  std::vector<int> same(4, 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) same[t] += BestConfidence(text) == expected;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(same, std::vector<int>(4, 100));
}

TEST(FastTextDetectorTest, OtherTables) {
  const auto families = FamilyTable::Parse("0 a: de nl\n1 b: pl\n", "t");
  ASSERT_TRUE(families.ok());
  const auto detector = LoadFastTextDetector(kModel, *families);
  ASSERT_TRUE(detector.ok()) << detector.status();
  const Detection d = (*detector)->Detect(
      "Wat zijn de eerste verschijnselen van suikerziekte?");
  ASSERT_FALSE(d.candidates.empty());
  EXPECT_EQ(d.candidates[0].language, "nl");
}

// Returns a detector for these languages only, in one family.
std::unique_ptr<LanguageDetector> WithTable(const std::string& languages) {
  const auto families = FamilyTable::Parse("0 a: " + languages + "\n", "t");
  auto detector = LoadFastTextDetector(kModel, *families);
  if (!detector.ok()) {
    ADD_FAILURE() << detector.status();
    std::abort();
  }
  return *std::move(detector);
}

// Returns the confidence in the language; 0 if it is not a candidate.
double Confidence(const LanguageDetector& detector, std::string_view language,
                  std::string_view text) {
  for (const LanguageGuess& guess : detector.Detect(text).candidates) {
    if (guess.language == language) return guess.confidence;
  }
  return 0;
}

// A script that only one language of the table uses proves nothing if the model
// knows others written in it.
TEST(FastTextDetectorTest, OneLanguageOfAScriptInASmallTable) {
  const struct {
    const char* language;
    const char* own;
    std::vector<const char*> others;
  } kCases[] = {
      {"ru",
       "Какие бывают симптомы высокого давления?",
       {"Які симптоми високого кров'яного тиску та як його лікують?",
        "Какви са симптомите на високото кръвно налягане и как се лекува?"}},
      {"zh",
       "高血压的症状有哪些？应该怎么治疗？",
       {"高血圧の症状は何ですか。", "かゆい", "頭痛とめまい"}},
      {"hi",
       "उच्च रक्तचाप के लक्षण क्या हैं और इसका इलाज कैसे होता है?",
       {"उच्च रक्तदाबाची लक्षणे कोणती आहेत आणि त्यावर उपचार कसे केले जातात?",
        "उच्च रक्तचापका लक्षणहरू के के हुन् र यसको उपचार कसरी गरिन्छ?"}},
      {"ar",
       "ما هي أعراض ارتفاع ضغط الدم وكيف يتم علاجه؟",
       {"علائم فشار خون بالا چیست و چگونه درمان "
        "می‌شود؟"}},
      // The model has Hebrew, the table only Yiddish.
      {"yi de", "", {"מה הם הסימנים של לחץ דם גבוה?"}},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.language);
    const auto detector = WithTable(c.language);
    const std::string language(c.language, 2);
    if (*c.own != '\0') {
      EXPECT_GE(Confidence(*detector, language, c.own), 0.9);
    }
    for (const char* other : c.others) {
      EXPECT_LT(Confidence(*detector, language, other), 0.5) << other;
    }
  }
}

TEST(FastTextDetectorTest, ScriptsDecideAloneInASmallTable) {
  EXPECT_GE(Confidence(*WithTable("he"), "he", "כאב"), 0.95);
  EXPECT_GE(Confidence(*WithTable("ko"), "ko", "두통"), 0.95);
  EXPECT_GE(Confidence(*WithTable("ja"), "ja", "かゆい"), 0.95);
  // Only Japanese has kana, and no other language of this table is written in
  // Han.
  EXPECT_TRUE(WithTable("zh")->Detect("かゆい").candidates.empty());
  EXPECT_TRUE(WithTable("de")->Detect("かゆい").candidates.empty());
  // A single kana in a longer text is left to the classifier.
  EXPECT_GE(
      Confidence(*WithTable("zh"), "zh", "请问这种の高血压药可以长期吃吗"),
      0.5);
}

TEST(FastTextDetectorTest, NamesTheLanguagesItCannotDetect) {
  using ::testing::ElementsAre;
  using ::testing::IsEmpty;
  EXPECT_THAT(Ours().UndetectableLanguages(), IsEmpty());
  // Georgian and Japanese need no label. Yiddish and Tatar share their scripts
  // with languages that have one.
  EXPECT_THAT(WithTable("tlh de yi ka ja tt am")->UndetectableLanguages(),
              ElementsAre("tlh", "yi", "tt"));
  EXPECT_GE(Confidence(*WithTable("de ka"), "ka", "რა არის დიაბეტი"), 0.9);
}

TEST(FastTextDetectorTest, MissingAndBrokenFiles) {
  const auto missing =
      LoadFastTextDetector("/nonexistent.ftz", FamilyTable::Paper());
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.status().message()),
              HasSubstr("/nonexistent.ftz"));

  const auto model = ReadFile(kModel, 4 << 20);
  ASSERT_TRUE(model.ok());
  const std::string path = WriteFile(
      "truncated.ftz", std::string_view(*model).substr(0, model->size() / 2));
  const auto truncated = LoadFastTextDetector(path, FamilyTable::Paper());
  EXPECT_EQ(truncated.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(truncated.status().message()),
              AllOf(StartsWith(path), HasSubstr("truncated")));
}

TEST(FastTextDetectorTest, LabelsNobodyKnows) {
  const auto families = FamilyTable::Parse("0 a: tlh\n", "t");
  ASSERT_TRUE(families.ok());
  const auto none = LoadFastTextDetector(kModel, *families);
  EXPECT_EQ(none.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(none.status().message()),
              AllOf(HasSubstr("none of its"), HasSubstr(".settings")));
}

TEST(FastTextDetectorTest, ExpectedLanguagesDecideInDoubt) {
  const auto expecting = [](const std::vector<std::string>& languages) {
    auto loaded = LoadFastTextDetector(kModel, FamilyTable::Paper(), languages);
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return *std::move(loaded);
  };
  const std::string doubtful = "Which organ makes insulin?";
  EXPECT_LT(BestConfidence(doubtful), 0.5);
  EXPECT_GE(Confidence(*expecting({"en", "es"}), "en", doubtful), 0.5);
  // Other languages need more proof, but are still detected.
  const auto german = expecting({"de"});
  EXPECT_LT(Confidence(*german, "en", doubtful),
            Confidence(Ours(), "en", doubtful));
  EXPECT_GE(
      Confidence(*german, "es",
                 "¿Cuáles son los efectos secundarios de este medicamento "
                 "en los niños?"),
      0.9);
  EXPECT_GE(Confidence(*german, "ru", "Какие бывают симптомы гриппа?"), 0.9);
  // A language outside the table leaves less to those in it.
  EXPECT_LT(Confidence(*expecting({"nl"}), "en", doubtful),
            Confidence(Ours(), "en", doubtful));
}

TEST(FastTextDetectorTest, ExpectedLanguagesMustBeKnown) {
  for (const char* code : {"tlh", "zxx", ""}) {
    const auto loaded =
        LoadFastTextDetector(kModel, FamilyTable::Paper(), {"de", code});
    EXPECT_EQ(loaded.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(
        std::string(loaded.status().message()),
        AllOf(StartsWith(kModel), HasSubstr("\"" + std::string(code) + "\"")));
  }
  // Scripts and kana tell these.
  EXPECT_TRUE(
      LoadFastTextDetector(kModel, FamilyTable::Paper(), {"ko", "th", "ja"})
          .ok());
}

TEST(FastTextDetectorTest, SettingsMapLabels) {
  const auto model = ReadFile(kModel, 4 << 20);
  ASSERT_TRUE(model.ok());
  const std::string path = WriteFile("mapped.ftz", *model);
  WriteFile("mapped.ftz.settings", "label __label__de tlh\n");
  const auto families = FamilyTable::Parse("0 a: tlh\n", "t");
  const auto mapped = LoadFastTextDetector(path, *families);
  ASSERT_TRUE(mapped.ok()) << mapped.status();
  const Detection d = (*mapped)->Detect("Was sind die Anzeichen einer Grippe?");
  ASSERT_FALSE(d.candidates.empty());
  EXPECT_EQ(d.candidates[0].language, "tlh");

  WriteFile("mapped.ftz.settings", "label __label__de xx\n");
  const auto wrong = LoadFastTextDetector(path, *families);
  EXPECT_THAT(std::string(wrong.status().message()),
              AllOf(HasSubstr("__label__de"), HasSubstr("xx")));
  WriteFile("mapped.ftz.settings", "nonsense\n");
  EXPECT_THAT(
      std::string(LoadFastTextDetector(path, *families).status().message()),
      HasSubstr("mapped.ftz.settings:1:"));
}

}  // namespace
}  // namespace apollo

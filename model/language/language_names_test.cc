#include "model/language/language_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace apollo {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Find(std::string_view given) {
  return FindLanguage(given, FamilyTable::Paper()).value_or("");
}

std::string Problem(std::string_view given) {
  return DescribeUnknownLanguage(given, FamilyTable::Paper());
}

TEST(LanguageNamesTest, CodesAndNames) {
  for (const char* given :
       {"de", "DE", "deu", "de_DE.UTF-8", "German", "german", "GERMAN",
        "Deutsch", "deutsch", " Deutsch "}) {
    EXPECT_EQ(Find(given), "de") << given;
  }
}

// All 50 languages, in English and in themselves.
TEST(LanguageNamesTest, AllLanguagesHaveTheirNames) {
  const struct {
    const char* code;
    const char* english;
    const char* own;
  } kNames[] = {
      {"zh", "Chinese", "中文"},
      {"ko", "Korean", "한국어"},
      {"ja", "Japanese", "日本語"},
      {"ne", "Nepali", "नेपाली"},
      {"th", "Thai", "ไทย"},
      {"vi", "Vietnamese", "Tiếng Việt"},
      {"lo", "Lao", "ລາວ"},
      {"mg", "Malagasy", "malagasy"},
      {"ceb", "Cebuano", "Binisaya"},
      {"su", "Sundanese", "Basa Sunda"},
      {"ilo", "Ilocano", "Iloko"},
      {"doi", "Dogri", "डोगरी"},
      {"en", "English", "english"},
      {"de", "German", "Deutsch"},
      {"pt", "Portuguese", "português"},
      {"es", "Spanish", "español"},
      {"fr", "French", "français"},
      {"ru", "Russian", "русский"},
      {"hi", "Hindi", "हिन्दी"},
      {"it", "Italian", "italiano"},
      {"hr", "Croatian", "hrvatski"},
      {"gl", "Galician", "galego"},
      {"cs", "Czech", "čeština"},
      {"co", "Corsican", "corsu"},
      {"la", "Latin", "lingua Latina"},
      {"lb", "Luxembourgish", "Lëtzebuergesch"},
      {"uk", "Ukrainian", "українська"},
      {"bs", "Bosnian", "bosanski"},
      {"bg", "Bulgarian", "български"},
      {"eo", "Esperanto", "esperanto"},
      {"mai", "Maithili", "मैथिली"},
      {"sr", "Serbian", "српски"},
      {"sq", "Albanian", "shqip"},
      {"sk", "Slovak", "slovenčina"},
      {"da", "Danish", "dansk"},
      {"sa", "Sanskrit", "संस्कृतम्"},
      {"no", "Norwegian", "norsk"},
      {"gn", "Guarani", "Avañe’ẽ"},
      {"gd", "Scottish Gaelic", "Gàidhlig"},
      {"ar", "Arabic", "العربية"},
      {"ckb", "Central Kurdish", "کوردی"},
      {"mt", "Maltese", "Malti"},
      {"he", "Hebrew", "עברית"},
      {"ln", "Lingala", "lingála"},
      {"bm", "Bambara", "bamanakan"},
      {"sw", "Swahili", "Kiswahili"},
      {"nso", "Northern Sotho", "Sesotho sa Leboa"},
      {"ig", "Igbo", "igbo"},
      {"rw", "Kinyarwanda", "Ikinyarwanda"},
      {"ha", "Hausa", "hausa"},
  };
  std::size_t count = 0;
  for (const auto& c : kNames) {
    ++count;
    EXPECT_EQ(Find(c.english), c.code);
    EXPECT_EQ(Find(c.own), c.code) << c.own;
  }
  EXPECT_EQ(count, FamilyTable::Paper().languages().size());
}

TEST(LanguageNamesTest, AccentsMayBeMissing) {
  EXPECT_EQ(Find("FRANCAIS"), "fr");
  EXPECT_EQ(Find("espanol"), "es");
  EXPECT_EQ(Find("Tieng Viet"), "vi");
  EXPECT_EQ(Find("cestina"), "cs");
  // The same text, decomposed.
  EXPECT_EQ(Find("franc\u0327ais"), "fr");
  // Vowel signs are letters.
  EXPECT_EQ(Find("हनद"), "");
}

TEST(LanguageNamesTest, OtherTextIsNoName) {
  for (const char* given : {"", " ", "Turkish", "Türkçe", "Kurdish", "Tagalog",
                            "German and French", "Ger man", "\xff\xfe"}) {
    EXPECT_EQ(Find(given), "") << given;
  }
  EXPECT_EQ(Find(std::string(1 << 20, 'a')), "");
}

TEST(LanguageNamesTest, AnErrorSuggestsAndLists) {
  EXPECT_THAT(Problem("Germn"),
              HasSubstr("did you mean \"de\" (German)? It must be a code or a "
                        "name of one of: ar, bg, "));
  EXPECT_THAT(Problem("Engish"), HasSubstr("\"en\" (English)"));
  EXPECT_THAT(Problem("Portugese"), HasSubstr("\"pt\" (Portuguese)"));
  EXPECT_THAT(Problem("Swahli"), HasSubstr("\"sw\" (Swahili)"));
  EXPECT_THAT(Problem("deutch"), HasSubstr("\"de\" (German)"));
  for (const std::string given :
       {"xx", "", "tr", "Quechua", "\xff", "a sentence of a patient's"}) {
    EXPECT_THAT(Problem(given), Not(HasSubstr("did you mean"))) << given;
    EXPECT_THAT(Problem(given), EndsWith(", vi, zh"));
  }
  // The text may be a patient's, in the wrong field.
  EXPECT_THAT(Problem("Germn"), Not(HasSubstr("Germn")));
  EXPECT_THAT(Problem(std::string(1 << 20, 'a')), EndsWith(", vi, zh"));
}

}  // namespace
}  // namespace apollo

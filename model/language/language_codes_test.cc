#include "model/language/language_codes.h"

#include <gtest/gtest.h>

#include <string>

namespace apollo {
namespace {

std::string Find(std::string_view given,
                 const FamilyTable& families = FamilyTable::Paper()) {
  return FindLanguageCode(given, families).value_or("");
}

TEST(LanguageCodesTest, EveryCodeOfTheTableIsItself) {
  for (const std::string& language : FamilyTable::Paper().languages()) {
    EXPECT_EQ(Find(language), language);
    EXPECT_EQ(CanonicalLanguageCode(language), language);
  }
}

TEST(LanguageCodesTest, OneLanguageHasManyCodes) {
  for (const char* given : {"de", "DE", "De", "deu", "ger", "de-DE", "de-at",
                            "de_CH", "de_DE.UTF-8", "de_DE@euro", "de-1996"}) {
    EXPECT_EQ(Find(given), "de") << given;
  }
  const struct {
    const char* given;
    const char* language;
  } kCases[] = {
      {"fre", "fr"},     {"chi", "zh"},        {"cmn", "zh"},
      {"iw", "he"},      {"slo", "sk"},        {"cze", "cs"},
      {"alb", "sq"},     {"plt", "mg"},        {"swh", "sw"},
      {"swc", "sw"},     {"npi", "ne"},        {"gug", "gn"},
      {"als", "sq"},     {"dgo", "doi"},       {"i-lux", "lb"},
      {"sh", "sr"},      {"zh-Hant-TW", "zh"}, {"zh_TW", "zh"},
      {"pt-BR", "pt"},   {"sr-Latn", "sr"},    {"es-419", "es"},
      {"hi-Latn", "hi"},
  };
  for (const auto& c : kCases) EXPECT_EQ(Find(c.given), c.language) << c.given;
}

TEST(LanguageCodesTest, IndividualLanguagesAreTheirMacrolanguage) {
  for (const char* given : {"nb", "nn", "nob", "nno", "nb-NO"}) {
    EXPECT_EQ(Find(given), "no") << given;
  }
  for (const char* given : {"arb", "arz", "apc", "ary", "ar-EG", "arz-EG"}) {
    EXPECT_EQ(Find(given), "ar") << given;
  }
  for (const char* given : {"yue", "wuu", "nan", "zh-yue"}) {
    EXPECT_EQ(Find(given), "zh") << given;
  }
}

TEST(LanguageCodesTest, OtherLanguagesAreNotGuessed) {
  for (const char* given :
       {"nl",    "tr",    "fil",     "tl",    "ku",   "kmr",    "fa",  "und",
        "zxx",   "C",     "C.UTF-8", "POSIX", "x-de", "German", "",    " de",
        "de fr", "de,fr", "d",       "-",     "@",    "12",     "de\n"}) {
    EXPECT_EQ(Find(given), "") << given;
  }
  EXPECT_EQ(Find(std::string_view("de\0", 3)), "");
  EXPECT_EQ(Find(std::string(1 << 20, 'd')), "");
}

TEST(LanguageCodesTest, TheTableMayHaveCodesThatAreNotCanonical) {
  const auto families = FamilyTable::Parse("0 a: tl iw\n1 b: nb\n", "t");
  ASSERT_TRUE(families.ok()) << families.status();
  EXPECT_EQ(Find("fil", *families), "tl");
  EXPECT_EQ(Find("tgl", *families), "tl");
  EXPECT_EQ(Find("he", *families), "iw");
  EXPECT_EQ(Find("nb", *families), "nb");
  // Norwegian may be Nynorsk.
  EXPECT_EQ(Find("no", *families), "");
  EXPECT_EQ(Find("nn", *families), "");
}

}  // namespace
}  // namespace apollo

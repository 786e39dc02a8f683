#include "model/language/international.h"

#include <gtest/gtest.h>

#include <string>

namespace apollo {
namespace {

TEST(DropDrugNamesTest, NamesGoByListAndByStem) {
  EXPECT_EQ(DropDrugNames("codeine lithium heparin"), "");
  EXPECT_EQ(DropDrugNames("can i take codeine with tramadol"),
            "can i take with");
  // On no list: monoclonal antibodies, kinase inhibitors and so on.
  EXPECT_EQ(DropDrugNames("lecanemab zanubrutinib inavolisib nadolol"), "");
  EXPECT_EQ(DropDrugNames(""), "");
}

TEST(DropDrugNamesTest, WordsOfLanguagesStay) {
  for (const char* words :
       {"april servir vivir savoir", "amoxicilina morfina ibuprofène",
        "insuline d'aspirine", "iron oxygen water",
        "calcium sodium potassium magnesium nicotine insulin",
        "magazine machine colone", "concept momentan", "mab nib olol"}) {
    EXPECT_EQ(DropDrugNames(words), words);
  }
}

std::string WithoutNumberedNames(std::string text) {
  BlankNumberedNames(&text);
  return text;
}

TEST(BlankNumberedNamesTest, NamesWithNumbers) {
  EXPECT_EQ(WithoutNumberedNames("IL-6"), "    ");
  EXPECT_EQ(WithoutNumberedNames("was COVID-19, (SARS-CoV-2) it"),
            "was         , (          ) it");
  for (const char* kept : {"24-hour", "COVID-19-Impfung", "Typ-2-Diabetes",
                           "-6", "a-", "6-6", "größe-6", "", "-", "x - 6"}) {
    EXPECT_EQ(WithoutNumberedNames(kept), kept);
  }
}

TEST(TellingWordsTest, CountsDifferentWordsThatTell) {
  EXPECT_EQ(TellingWords(""), 0);
  EXPECT_EQ(TellingWords("and y und bid a"), 0);
  EXPECT_EQ(TellingWords("augmentin and augmentin"), 1);
  EXPECT_EQ(TellingWords("fever and cough"), 2);
  EXPECT_EQ(TellingWords("ondt i hovedet nu"), 3);
}

}  // namespace
}  // namespace apollo

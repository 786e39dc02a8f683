#include "tools/upcycle/family_texts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "model/language/families.h"

namespace apollo {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class FamilyTextsTest : public testing::Test {
 protected:
  FamilyTextsTest() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }
  const std::string folder_ = testing::TempDir() + "/family_texts";
  const FamilyTable families_ =
      *FamilyTable::Parse("0 west: en de\n1 east: zh\n", "test");
};

TEST_F(FamilyTextsTest, ALineOfAFileIsAText) {
  const auto texts = ReadFamilyTexts(
      Write("texts.tsv",
            "en\tshort\tone\n\nzh\ttwo\r\nde\tthree\nfr\tfour\nen\t\n"),
      families_);
  ASSERT_TRUE(texts.ok()) << texts.status();
  EXPECT_THAT(*texts,
              ElementsAre(ElementsAre("one", "three"), ElementsAre("two")));
}

TEST_F(FamilyTextsTest, AFolderHasAFileForEachLanguage) {
  Write("zh.txt", "two\n");
  Write("de.txt", "one\nthree\n");
  Write("en.txt", "four\n");
  Write("notes.md", "no text\n");
  const auto texts = ReadFamilyTexts(folder_, families_);
  ASSERT_TRUE(texts.ok()) << texts.status();
  EXPECT_THAT(*texts, ElementsAre(ElementsAre("one", "three", "four"),
                                  ElementsAre("two")));
}

TEST_F(FamilyTextsTest, ErrorsNameTheFileAndTheReason) {
  const auto none = ReadFamilyTexts(folder_ + "/none", families_);
  EXPECT_EQ(none.status().code(), absl::StatusCode::kNotFound);
  const auto line =
      ReadFamilyTexts(Write("a.tsv", "en\tsecret\nsecret\n"), families_);
  EXPECT_EQ(line.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(line.status().message()), HasSubstr("a.tsv:2: no"));
  EXPECT_THAT(std::string(line.status().message()),
              testing::Not(HasSubstr("secret")));
  const auto family = ReadFamilyTexts(Write("b.tsv", "en\tone\n"), families_);
  EXPECT_THAT(std::string(family.status().message()),
              HasSubstr("no text of family 1 (east)"));
}

}  // namespace
}  // namespace apollo

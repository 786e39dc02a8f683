#include "model/language/families.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

namespace apollo {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string ErrorOf(std::string_view text) {
  const absl::StatusOr<FamilyTable> table = FamilyTable::Parse(text, "f.txt");
  EXPECT_FALSE(table.ok()) << "accepted: " << text;
  EXPECT_EQ(table.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(table.status().message());
}

TEST(FamilyTableTest, PaperHasFiftyLanguagesAndSevenExperts) {
  const FamilyTable& paper = FamilyTable::Paper();
  ASSERT_EQ(paper.families().size(), 7u);
  const std::vector<std::string> languages = paper.languages();
  EXPECT_EQ(languages.size(), 50u);
  EXPECT_EQ(std::set<std::string>(languages.begin(), languages.end()).size(),
            50u);

  // By expert: 1, 3, 3, 5, 27, 4 and 7 languages.
  std::vector<std::size_t> sizes;
  for (const Family& family : paper.families()) {
    EXPECT_EQ(family.expert, static_cast<int>(sizes.size()));
    EXPECT_FALSE(family.name.empty());
    sizes.push_back(family.languages.size());
  }
  EXPECT_THAT(sizes, ElementsAre(1, 3, 3, 5, 27, 4, 7));

  EXPECT_EQ(paper.ExpertOf("zh"), 0);
  EXPECT_EQ(paper.ExpertOf("ne"), 1);
  EXPECT_EQ(paper.ExpertOf("vi"), 2);
  EXPECT_EQ(paper.ExpertOf("doi"), 3);
  EXPECT_EQ(paper.ExpertOf("gn"), 4);
  EXPECT_EQ(paper.ExpertOf("mt"), 5);
  EXPECT_EQ(paper.ExpertOf("ha"), 6);
}

TEST(FamilyTableTest, UnknownLanguagesHaveNoExpert) {
  EXPECT_EQ(FamilyTable::Paper().ExpertOf("fi"), std::nullopt);
  EXPECT_EQ(FamilyTable::Paper().ExpertOf("EN"), std::nullopt);
  EXPECT_EQ(FamilyTable::Paper().ExpertOf(""), std::nullopt);
}

TEST(FamilyTableTest, ReadsCommentsBlanksCarriageReturnsAndAnyOrder) {
  const auto table = FamilyTable::Parse(
      "# c\r\n\r\n 1\tgermanic :  en\tde # and others\r\n0 romance:fr "
      "es-419\r\n",
      "f.txt");
  ASSERT_TRUE(table.ok()) << table.status();
  ASSERT_EQ(table->families().size(), 2u);
  EXPECT_EQ(table->families()[0].name, "romance");
  EXPECT_THAT(table->families()[1].languages, ElementsAre("en", "de"));
  EXPECT_THAT(table->languages(), ElementsAre("fr", "es-419", "en", "de"));
  EXPECT_EQ(table->ExpertOf("es-419"), 0);
}

TEST(FamilyTableTest, ValidateNamesTheFamilyThatDoesNotFit) {
  const FamilyTable& paper = FamilyTable::Paper();
  EXPECT_TRUE(paper.Validate(7).ok());
  EXPECT_TRUE(paper.Validate(12).ok());
  const absl::Status status = paper.Validate(6);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(StartsWith("default_families.txt:13: expert 6"),
                    HasSubstr("has 6 experts")));
  EXPECT_FALSE(paper.Validate(0).ok());
}

TEST(FamilyTableTest, ErrorsNameFileLineAndValue) {
  EXPECT_THAT(ErrorOf("0 a: en\n1 b: fr en\n"),
              AllOf(StartsWith("f.txt:2:"), HasSubstr("language en"),
                    HasSubstr("line 1")));
  EXPECT_THAT(ErrorOf("0 a: en fr en\n"), StartsWith("f.txt:1: language en"));
  EXPECT_THAT(
      ErrorOf("0 a: en\n\n1 b:\n"),
      AllOf(StartsWith("f.txt:3: expert 1 (b)"), HasSubstr("no language")));
  EXPECT_THAT(
      ErrorOf("0 a: en\n2 c: fr\n"),
      AllOf(StartsWith("f.txt:2:"), HasSubstr("expert 1 has no language")));
  EXPECT_THAT(ErrorOf("0 a: en\n0 b: fr\n"),
              AllOf(StartsWith("f.txt:2: expert 0"), HasSubstr("line 1")));
  EXPECT_THAT(ErrorOf("0 a: en\n1 a: fr\n"),
              StartsWith("f.txt:2: family name a"));
  for (const char* code : {"EN", "e", "en!", "en_US", "-en", "en-", "\xC3\xA9n",
                           "abcdefghijklmnopq"}) {
    EXPECT_THAT(ErrorOf(std::string("0 a: de ") + code),
                StartsWith("f.txt:1: language code"));
  }
  for (const char* expert :
       {"-1", "x", "1024", "99999999999999999999", "1.0"}) {
    EXPECT_THAT(ErrorOf(std::string(expert) + " a: en"),
                StartsWith("f.txt:1: expert \""));
  }
  for (const char* name : {"A", "9a", "a-b", "a\"b", "_a"}) {
    EXPECT_THAT(ErrorOf(std::string("0 ") + name + ": en"),
                StartsWith("f.txt:1: family name"));
  }
  EXPECT_THAT(ErrorOf("0 two words: en"),
              StartsWith("f.txt:1: want an expert"));
  EXPECT_THAT(ErrorOf("0: en"), StartsWith("f.txt:1: want an expert"));
  EXPECT_THAT(ErrorOf("en de\n"), StartsWith("f.txt:1: no colon"));
  EXPECT_THAT(ErrorOf(""), StartsWith("f.txt:1: no family"));
  EXPECT_THAT(ErrorOf("# nothing\n"), StartsWith("f.txt:1: no family"));
}

TEST(FamilyTableTest, ErrorsNeverCarryControlCharacters) {
  for (const char c : ErrorOf("0 a\x1b[2J: en")) EXPECT_GE(c, ' ');
}

TEST(FamilyTableTest, RefusesAHugeText) {
  EXPECT_THAT(ErrorOf(std::string(70'000, '#')), HasSubstr("65536 bytes"));
}

TEST(FamilyTableTest, LoadsAFile) {
  const std::string path =
      std::string(std::getenv("TEST_TMPDIR") ? std::getenv("TEST_TMPDIR")
                                             : "/tmp") +
      "/families_test.txt";
  std::ofstream(path) << "0 a: en\n1 b: en\n";
  const auto broken = FamilyTable::Load(path);
  ASSERT_FALSE(broken.ok());
  EXPECT_THAT(std::string(broken.status().message()), StartsWith(path + ":2:"));

  std::ofstream(path) << "0 a: en\n1 b: fr\n";
  const auto table = FamilyTable::Load(path);
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(table->ExpertOf("fr"), 1);
}

TEST(FamilyTableTest, AModelsTableIsTheFileNamedOrItsOwnOrThePapers) {
  const char* tmp = std::getenv("TEST_TMPDIR");
  const std::string folder =
      std::string(tmp != nullptr ? tmp : "/tmp") + "/model";
  std::filesystem::create_directories(folder);
  const auto paper = FamilyTable::ForModel(folder, "", 7);
  ASSERT_TRUE(paper.ok()) << paper.status();
  EXPECT_EQ(paper->families().size(), 7u);
  // A model without experts.
  EXPECT_EQ(FamilyTable::ForModel(folder, "", 0)->families().size(), 7u);
  // Too few experts for the table.
  EXPECT_FALSE(FamilyTable::ForModel(folder, "", 6).ok());

  std::ofstream(folder + "/families.txt") << "0 a: en\n1 b: fr\n";
  const auto own = FamilyTable::ForModel(folder, "", 2);
  ASSERT_TRUE(own.ok()) << own.status();
  EXPECT_EQ(own->ExpertOf("fr"), 1);
  const auto status = FamilyTable::ForModel(folder, "", 1).status();
  EXPECT_THAT(std::string(status.message()),
              StartsWith(folder + "/families.txt:2: expert 1"));

  std::ofstream(folder + "/other.txt") << "0 a: fr en\n";
  const auto named = FamilyTable::ForModel(folder, folder + "/other.txt", 2);
  ASSERT_TRUE(named.ok()) << named.status();
  EXPECT_EQ(named->ExpertOf("fr"), 0);
  EXPECT_FALSE(FamilyTable::ForModel(folder, folder + "/missing.txt", 2).ok());
}

TEST(FamilyTableTest, LoadSaysWhichFileIsMissing) {
  const auto missing = FamilyTable::Load("/nonexistent/families.txt");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.status().message()),
              HasSubstr("/nonexistent/families.txt"));
  EXPECT_FALSE(FamilyTable::Load("/").ok());
}

}  // namespace
}  // namespace apollo

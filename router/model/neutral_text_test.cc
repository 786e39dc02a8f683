// Names and code alone force no family, with the detector and the threshold
// that a router has by default; questions with names or code in them still do.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/language/default_detector.h"
#include "model/language/families.h"
#include "router/model/language_choice.h"

namespace apollo {
namespace {

constexpr char kFolder[] = "model/language/testdata/";

LanguageChoice Choose(std::vector<std::string> user_messages) {
  static const RouterModel* const model = [] {
    auto* made = new RouterModel;
    auto detector = MakeDefaultDetector(made->families);
    EXPECT_TRUE(detector.ok()) << detector.status();
    if (detector.ok()) made->detector = *std::move(detector);
    return made;
  }();
  if (model->detector == nullptr) return {};
  PromptInput input;
  input.hybrid = true;
  if (user_messages.size() == 1) {
    input.prompt = user_messages[0];
  } else {
    input.is_chat = true;
    for (std::string& message : user_messages) {
      input.chat.push_back({ChatRole::kUser, std::move(message)});
    }
  }
  return ChooseLanguage(*model, input);
}

void ExpectNoFamily(const std::string& text) {
  const LanguageChoice choice = Choose({text});
  EXPECT_EQ(choice.family, -1)
      << text << ": " << choice.language << " " << choice.confidence;
  EXPECT_FALSE(choice.hybrid) << text;
  EXPECT_EQ(choice.counted_language, "") << text;
}

std::vector<std::string> Lines(const std::string& name) {
  std::ifstream file(kFolder + name);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

TEST(NeutralTextTest, NamesForceNoFamily) {
  int count = 0;
  for (const std::string& line : Lines("bare_names.txt")) {
    if (line.empty() || line.starts_with("# ")) continue;
    ++count;
    ExpectNoFamily(line);
    ExpectNoFamily("\n" + line + ".");
  }
  EXPECT_GE(count, 130);
  ExpectNoFamily("codeine 30 mg\ntramadol 50 mg\nlithium carbonate 300 mg\n");
}

TEST(NeutralTextTest, CodeForcesNoFamily) {
  std::vector<std::string> snippets;
  for (const std::string& line : Lines("code_snippets.txt")) {
    if (line.starts_with("==== ")) {
      snippets.emplace_back();
    } else if (!snippets.empty()) {
      snippets.back() += line + "\n";
    }
  }
  EXPECT_GE(snippets.size(), 55u);
  for (const std::string& snippet : snippets) {
    ExpectNoFamily(snippet);
    ExpectNoFamily(snippet.substr(0, snippet.size() - 1));
  }
}

TEST(NeutralTextTest, QuestionsWithNamesOrCodeKeepTheirFamily) {
  int count = 0, right = 0;
  std::set<std::string> languages;
  std::string wrong;
  for (const std::string& line : Lines("mixed_questions.tsv")) {
    const std::string language = line.substr(0, line.find('\t'));
    const std::string text = line.substr(line.rfind('\t') + 1);
    const LanguageChoice choice = Choose({text});
    ++count;
    languages.insert(language);
    EXPECT_EQ(choice.family, FamilyTable::Paper().ExpertOf(language))
        << text << ": " << choice.language << " " << choice.confidence;
    right += choice.language == language;
    if (choice.language != language)
      wrong += text + " " + choice.language + "\n";
  }
  EXPECT_GE(count, 70);
  EXPECT_EQ(languages.size(), 50u);
  EXPECT_GE(right, count - 5) << wrong;
}

TEST(NeutralTextTest, NamesAndCodeLeaveAChatInItsLanguage) {
  const char* const kGerman = "Welche Nebenwirkungen hat dieses Medikament?";
  const char* const kKorean = "고혈압의 초기 증상은 무엇인가요?";
  for (const char* last :
       {"codeine 30 mg", "Zyrtec", "IL-6", "Panadol, Brufen",
        "for i in range(10): print(i)", "select name from users"}) {
    EXPECT_EQ(Choose({kGerman, last}).language, "de") << last;
    EXPECT_EQ(Choose({kKorean, last}).language, "ko") << last;
  }
}

}  // namespace
}  // namespace apollo

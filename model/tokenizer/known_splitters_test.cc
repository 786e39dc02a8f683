#include "model/tokenizer/known_splitters.h"

#include <gtest/gtest.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <random>
#include <string>
#include <vector>

#include "model/tokenizer/known_patterns.h"

namespace apollo {
namespace {

using Pieces = std::vector<std::string_view>;

std::string Utf8(UChar32 c) {
  char buffer[4];
  int length = 0;
  U8_APPEND_UNSAFE(buffer, length, c);
  return std::string(buffer, length);
}

// The system's PCRE2 knows Unicode 14.0. tests/differential/tokenizer_diff.py
// compares characters assigned later with the `tokenizers` library.
bool KnownToPcre2(UChar32 c) {
  if (U_IS_SURROGATE(c)) return false;
  UVersionInfo age;
  u_charAge(c, age);
  return u_charType(c) == U_UNASSIGNED ? false : age[0] <= 14;
}

std::vector<UChar32> KnownCharacters() {
  std::vector<UChar32> result;
  for (UChar32 c = 0; c < 0x110000; ++c) {
    if (KnownToPcre2(c)) result.push_back(c);
  }
  return result;
}

class KnownSplittersTest : public testing::TestWithParam<const char*> {
 protected:
  void ExpectSame(std::string_view text) {
    Pieces fast;
    Pieces exact;
    ASSERT_TRUE(fast_->Split(text, &fast).ok());
    ASSERT_TRUE(exact_->Split(text, &exact).ok());
    ASSERT_EQ(fast, exact) << testing::PrintToString(std::string(text));
  }

  const std::unique_ptr<const Splitter> fast_ = MakeKnownSplitter(GetParam());
  const std::unique_ptr<const Splitter> exact_ =
      MakeRegexSplitter(GetParam()).value();
};

TEST_P(KnownSplittersTest, EqualsTheRegexForEveryCharacter) {
  ASSERT_NE(fast_, nullptr);
  const std::vector<UChar32> characters = KnownCharacters();
  ASSERT_GT(characters.size(), 280'000u);
  for (const UChar32 c : characters) {
    const std::string s = Utf8(c);
    // One text, for speed; each part is certain to end a piece.
    const std::string text = s + "x" + s + s + "1\n x " + s + "'" + s + "'S" +
                             s + "\n " + s + " \n" + s + "  " + s;
    ExpectSame(text);
    if (HasFatalFailure()) return;
  }
}

TEST_P(KnownSplittersTest, EqualsTheRegexForRandomText) {
  const std::vector<UChar32> characters = KnownCharacters();
  const std::vector<std::string> parts = {
      "a",  "B",      "1",      "\u0664", " ",      "  ",     "\n", "\r",
      "\t", "'",      "'s",     "'LL",    "'v",     "re",     "!",  "(",
      "_",  "\u00A0", "\u3000", "\u0085", "é",      "头",     "ก",  "\u0301",
      "👍",  "½",      "Ⅷ",      "\u017F", "\u180E", "\u2028",
  };
  std::mt19937 random(7);
  for (int round = 0; round < 100'000; ++round) {
    std::string text;
    for (int i = random() % 12; i >= 0; --i) {
      text += random() % 20 == 0
                  ? Utf8(characters[random() % characters.size()])
                  : parts[random() % parts.size()];
    }
    ExpectSame(text);
    if (HasFatalFailure()) return;
  }
}

TEST_P(KnownSplittersTest, EqualsTheRegexForAllShortTexts) {
  const char* const parts[] = {"a",  "1", " ", "\n",     "\r",    "\t",
                               "'s", "!", "é", "\u3000", "\u0664"};
  constexpr int kParts = std::size(parts);
  for (int n = 0; n < kParts * kParts * kParts * kParts * kParts; ++n) {
    std::string text;
    for (int rest = n, i = 0; i < 5; ++i, rest /= kParts)
      text += parts[rest % kParts];
    ExpectSame(text);
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Patterns, KnownSplittersTest,
    testing::Values(kGpt2Pattern, kQwen2Pattern, kLlama3Pattern),
    [](const auto& info) {
      return std::string(std::vector{"Gpt2", "Qwen2", "Llama3"}[info.index]);
    });

TEST(MakeKnownSplitterTest, KnowsNoOtherPattern) {
  EXPECT_EQ(MakeKnownSplitter("\\p{L}+"), nullptr);
  EXPECT_EQ(MakeKnownSplitter(""), nullptr);
}

Pieces Digits(std::string_view text, bool individual) {
  Pieces pieces;
  EXPECT_TRUE(MakeDigitsSplitter(individual)->Split(text, &pieces).ok());
  return pieces;
}

TEST(DigitsSplitterTest, CutsDigitsOfAllScripts) {
  EXPECT_EQ(Digits("a12 \u0664½b", true),
            Pieces({"a", "1", "2", " ", "\u0664", "½", "b"}));
  EXPECT_EQ(Digits("a12 \u0664½b", false),
            Pieces({"a", "12", " ", "\u0664½", "b"}));
  EXPECT_EQ(Digits("7", true), Pieces({"7"}));
  EXPECT_EQ(Digits("", true), Pieces());
  // Assigned by Unicode 16.0 and 17.0.
  EXPECT_EQ(Digits("a\U0001E5F1\U00011DE1", true),
            Pieces({"a", "\U0001E5F1", "\U00011DE1"}));
}

}  // namespace
}  // namespace apollo

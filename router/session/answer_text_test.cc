#include "router/session/answer_text.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "model/tokenizer/test_tokenizer.h"
#include "model/tokenizer/tokenizer.h"

namespace apollo {
namespace {

// A tokenizer whose tokens are single bytes.
const Tokenizer& Bytes() {
  static const Tokenizer* tokenizer = [] {
    auto loaded = Tokenizer::Load("tests/golden/published/tokenizer.json");
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded->release();
  }();
  return *tokenizer;
}

std::vector<TokenId> Tokens(const std::string& text) {
  auto ids = Bytes().Encode(text, SpecialText::kPlain);
  EXPECT_TRUE(ids.ok()) << ids.status();
  EXPECT_EQ(ids->size(), text.size());
  return *ids;
}

// Returns the results of Append for each byte, then that of Finish.
std::vector<std::string> Pieces(AnswerText& answer, const std::string& text) {
  std::vector<std::string> pieces;
  for (const TokenId id : Tokens(text)) pieces.push_back(answer.Append(id));
  pieces.push_back(answer.Finish());
  return pieces;
}

struct Outcome {
  std::string text;
  bool stopped;
  bool operator==(const Outcome&) const = default;
};

void PrintTo(const Outcome& o, std::ostream* out) {
  *out << '"' << o.text << "\" " << (o.stopped ? "stopped" : "not stopped");
}

Outcome Answer(const std::vector<std::string>& stops, const std::string& text) {
  AnswerText answer(Bytes(), stops);
  std::string all;
  for (const std::string& piece : Pieces(answer, text)) all += piece;
  return {all, answer.stopped()};
}

using Strings = std::vector<std::string>;

TEST(AnswerTextTest, WithoutStopsEveryCharacterComesAtOnce) {
  AnswerText answer(Bytes(), {});
  EXPECT_EQ(Pieces(answer, "abc"), (Strings{"a", "b", "c", ""}));
  EXPECT_FALSE(answer.stopped());
}

TEST(AnswerTextTest, CharactersOfSeveralBytesArriveWhole) {
  AnswerText answer(Bytes(), {});
  EXPECT_EQ(Pieces(answer, "\u00e9\u20ac\U0001f600!"),
            (Strings{"", "\u00e9", "", "", "\u20ac", "", "", "", "\U0001f600",
                     "!", ""}));
}

TEST(AnswerTextTest, ACutCharacterBecomesAReplacementAtTheEnd) {
  AnswerText answer(Bytes(), {});
  const std::vector<TokenId> ids = Tokens("\u20ac");
  EXPECT_EQ(answer.Append(ids[0]), "");
  EXPECT_EQ(answer.Append(ids[1]), "");
  EXPECT_EQ(answer.Finish(), "\ufffd");
}

TEST(AnswerTextTest, AStopStringIsFoundAtEveryPosition) {
  const std::string filler = "xyzxyzxyz";
  for (std::size_t at = 0; at <= filler.size(); ++at) {
    const std::string text = filler.substr(0, at) + "STOP" + filler.substr(at);
    EXPECT_EQ(Answer({"STOP"}, text), (Outcome{filler.substr(0, at), true}))
        << at;
  }
}

TEST(AnswerTextTest, TextThatMayBeginAStopIsHeldBackAndThenReleased) {
  AnswerText answer(Bytes(), {"aab"});
  EXPECT_EQ(Pieces(answer, "xaaac"), (Strings{"x", "", "", "a", "aac", ""}));
  EXPECT_FALSE(answer.stopped());
}

TEST(AnswerTextTest, FinishReleasesWhatIsHeldBack) {
  AnswerText answer(Bytes(), {"STOP"});
  EXPECT_EQ(Pieces(answer, "aSTO"), (Strings{"a", "", "", "", "STO"}));
  EXPECT_FALSE(answer.stopped());
}

TEST(AnswerTextTest, NothingFollowsAStop) {
  AnswerText answer(Bytes(), {"b"});
  EXPECT_EQ(Pieces(answer, "abcb"), (Strings{"a", "", "", "", ""}));
  EXPECT_TRUE(answer.stopped());
  EXPECT_EQ(answer.Finish(), "");
}

TEST(AnswerTextTest, AStopThatIsThePrefixOfAnotherEndsFirst) {
  EXPECT_EQ(Answer({"abc", "ab"}, "xabc"), (Outcome{"x", true}));
  EXPECT_EQ(Answer({"ab", "abc"}, "xabc"), (Outcome{"x", true}));
}

TEST(AnswerTextTest, AStopInsideAnotherEndsTheAnswerFirst) {
  EXPECT_EQ(Answer({"abc", "b"}, "xabc"), (Outcome{"xa", true}));
  // Both are completed by the same byte: the longer one is cut off.
  EXPECT_EQ(Answer({"c", "abc"}, "xabc"), (Outcome{"x", true}));
}

// The winning stop string does not depend on how the text is cut into tokens.
TEST(AnswerTextTest, AStopInsideAnotherEndsTheAnswerFirstWithinOneToken) {
  const auto tokenizer =
      Tokenizer::Parse(TestTokenizerJson().dump(), "tokenizer.json");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  constexpr TokenId kAbc = 257;
  for (const Strings& stops : {Strings{"abc", "b"}, Strings{"b", "abc"}}) {
    AnswerText answer(**tokenizer, stops);
    EXPECT_EQ(answer.Append(kAbc), "a");
    EXPECT_TRUE(answer.stopped());
  }
}

TEST(AnswerTextTest, OverlappingStops) {
  EXPECT_EQ(Answer({"abab", "bac"}, "xabac"), (Outcome{"xa", true}));
  EXPECT_EQ(Answer({"abab", "bac"}, "xabab"), (Outcome{"x", true}));
  EXPECT_EQ(Answer({"aab"}, "aaab"), (Outcome{"a", true}));
}

TEST(AnswerTextTest, AStopMayBeOfCharactersOfSeveralBytes) {
  EXPECT_EQ(Answer({"\u20ac\u20ac"}, "a\u20acb\u20ac\u20acc"),
            (Outcome{"a\u20acb", true}));
}

TEST(AnswerTextTest, AStopCompletedAtTheEndCounts) {
  AnswerText answer(Bytes(), {"\ufffd"});
  EXPECT_EQ(answer.Append(Tokens("\u20ac")[0]), "");
  EXPECT_EQ(answer.Finish(), "");
  EXPECT_TRUE(answer.stopped());
}

TEST(AnswerTextTest, ControlTokensAndUnknownIdsHaveNoText) {
  AnswerText answer(Bytes(), {"ab"});
  EXPECT_EQ(answer.Append(Tokens("a")[0]), "");
  EXPECT_EQ(answer.Append(*Bytes().SpecialTokenId("<|im_end|>")), "");
  EXPECT_EQ(answer.Append(259), "");
  EXPECT_EQ(answer.Append(Tokens("b")[0]), "");
  EXPECT_TRUE(answer.stopped());
}

// Returns a tokenizer with 260 <|end|>, which is special, and 262 <|x|>, which
// is too; bytes are their own tokens.
const Tokenizer& WithEnds() {
  static const Tokenizer* tokenizer = [] {
    Json json = TestTokenizerJson();
    json["added_tokens"].push_back(TestAddedToken(262, "<|x|>", true));
    auto loaded = Tokenizer::Parse(json.dump(), "tokenizer.json");
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded->release();
  }();
  return *tokenizer;
}

struct Ended {
  std::string text;
  int matched;
  bool operator==(const Ended&) const = default;
};

void PrintTo(const Ended& e, std::ostream* out) {
  *out << '"' << e.text << "\" " << e.matched;
}

Ended EndOf(const Strings& stops, const std::vector<TokenId>& tokens) {
  AnswerText answer(WithEnds(), stops);
  std::string all;
  for (const TokenId token : tokens) all += answer.Append(token);
  all += answer.Finish();
  return {all, answer.matched_stop()};
}

TEST(AnswerTextTest, AStopThatNamesASpecialTokenMatchesTheToken) {
  EXPECT_EQ(EndOf({"<|end|>"}, {'a', 260, 'b'}), (Ended{"a", 0}));
  EXPECT_EQ(EndOf({"q", "<|end|>"}, {'a', 262, 'b', 260}), (Ended{"ab", 1}));
  // And text that spells it.
  EXPECT_EQ(EndOf({"<|end|>"}, {'a', '<', '|', 'e', 'n', 'd', '|', '>', 'b'}),
            (Ended{"a", 0}));
  EXPECT_EQ(EndOf({"<|end|>"}, {'a', 262, 'b'}), (Ended{"ab", -1}));
}

// The text with the names of special tokens, by byte with its being a name.
struct Named {
  std::string text;
  std::vector<bool> name;

  std::string Answer(std::size_t end) const {
    std::string answer;
    for (std::size_t i = 0; i < end; ++i) {
      if (!name[i]) answer += text[i];
    }
    return answer;
  }
};

// The same as EndOf, by a search of the whole text after each token.
Ended SearchedEndOf(const Strings& stops, const std::vector<TokenId>& tokens) {
  Named all;
  for (const TokenId token : tokens) {
    const bool special = token > 255;
    all.text += token == 260   ? "<|end|>"
                : token == 262 ? "<|x|>"
                               : std::string(1, static_cast<char>(token));
    all.name.resize(all.text.size(), special);
    std::pair best(std::string::npos, std::string::npos);  // Last, first byte.
    int matched = -1;
    for (std::size_t i = 0; i < stops.size(); ++i) {
      const std::string& stop = stops[i];
      const bool names = stop.find("<|end|>") != std::string::npos ||
                         stop.find("<|x|>") != std::string::npos;
      // Each range of bytes that is the stop, without the names in between
      // unless it has some itself.
      for (std::size_t first = 0; first < all.text.size(); ++first) {
        std::size_t at = first, found = 0;
        for (; at < all.text.size() && found < stop.size(); ++at) {
          if (!names && all.name[at]) {
            if (found == 0) break;  // It begins in the answer.
            continue;
          }
          if (all.text[at] != stop[found]) break;
          ++found;
        }
        if (found == stop.size() && std::pair(at - 1, first) < best) {
          best = {at - 1, first};
          matched = static_cast<int>(i);
        }
      }
    }
    if (matched >= 0) return {all.Answer(best.second), matched};
  }
  return {all.Answer(all.text.size()), -1};
}

TEST(AnswerTextTest, AnyStopsAndTokensEndWhereASearchOfTheWholeTextEnds) {
  std::minstd_rand random(1);
  const Strings pieces = {"a", "b", "ab", "<|end|>", "<|x|>", "<|", "<", "x|>"};
  const std::vector<TokenId> vocabulary = {'a', 'b', 'a', 'b', '<',
                                           '|', 'x', '>', 260, 262};
  int ended = 0;
  for (int round = 0; round < 20'000; ++round) {
    Strings stops(1 + random() % 3);
    for (std::string& stop : stops) {
      for (unsigned i = 0; i < 1 + random() % 3; ++i) {
        stop += pieces[random() % pieces.size()];
      }
    }
    std::vector<TokenId> tokens(random() % 12);
    for (TokenId& token : tokens) {
      token = vocabulary[random() % vocabulary.size()];
    }
    const Ended expected = SearchedEndOf(stops, tokens);
    ASSERT_EQ(EndOf(stops, tokens), expected)
        << testing::PrintToString(stops) << testing::PrintToString(tokens);
    ended += expected.matched >= 0;
  }
  EXPECT_GT(ended, 2000);
  EXPECT_LT(ended, 18'000);
}

TEST(AnswerTextTest, AStopMayNameSpecialTokensAmongText) {
  EXPECT_EQ(EndOf({"b<|end|>"}, {'a', 'b', 260}), (Ended{"a", 0}));
  EXPECT_EQ(EndOf({"b<|end|>"}, {'a', 260, 'b'}), (Ended{"ab", -1}));
  EXPECT_EQ(EndOf({"<|end|>b<|x|>"}, {'a', 260, 'b', 260, 'b', 262}),
            (Ended{"ab", 0}));
  EXPECT_EQ(EndOf({"<|end|>c"}, {'a', 260, 'b', 260}), (Ended{"ab", -1}));
}

TEST(AnswerTextTest, OtherStopsDoNotSeeSpecialTokens) {
  EXPECT_EQ(EndOf({"<|x|>", "bc"}, {'a', 'b', 260, 'c', 'd'}), (Ended{"a", 1}));
  EXPECT_EQ(EndOf({"bc", "b<|x|>"}, {'a', 'b', 262, 'c'}), (Ended{"a", 1}));
  // "end" is no part of the answer.
  EXPECT_EQ(EndOf({"<|x|>", "end"}, {'a', 260}), (Ended{"a", -1}));
}

TEST(AnswerTextTest, NamesOfSpecialTokensAreNeverReturned) {
  AnswerText answer(WithEnds(), {"b<|end|>c"});
  EXPECT_EQ(answer.Append('a'), "a");
  EXPECT_EQ(answer.Append('b'), "");
  EXPECT_EQ(answer.Append(260), "");
  EXPECT_EQ(answer.Append('d'), "bd");
  EXPECT_EQ(answer.Append('b'), "");
  EXPECT_EQ(answer.Append(260), "");
  EXPECT_EQ(answer.Finish(), "b");
  EXPECT_FALSE(answer.stopped());
}

TEST(AnswerTextTest, AnotherTurnEndsTheText) {
  AnswerText answer(WithEnds(), {"!"}, {"\nU:"});
  std::string text;
  for (const char c : std::string("a\nU \nU:x!")) {
    text += answer.Append(static_cast<TokenId>(c));
  }
  EXPECT_EQ(text + answer.Finish(), "a\nU ");
  EXPECT_TRUE(answer.stopped());
  EXPECT_TRUE(answer.turn_ended());
  EXPECT_EQ(answer.matched_stop(), -1);

  AnswerText other(WithEnds(), {"!"}, {"\nU:"});
  EXPECT_EQ(other.Append('!'), "");
  EXPECT_TRUE(other.stopped());
  EXPECT_FALSE(other.turn_ended());
  EXPECT_EQ(other.matched_stop(), 0);
}

// Returns the expected text by definition: all before the stop string that is
// completed first, and of those completed by the same byte, the longest.
Outcome Slow(const Strings& stops, const std::string& text) {
  for (std::size_t end = 1; end <= text.size(); ++end) {
    std::size_t longest = 0;
    for (const std::string& stop : stops) {
      if (text.substr(0, end).ends_with(stop)) {
        longest = std::max(longest, stop.size());
      }
    }
    if (longest > 0) return {text.substr(0, end - longest), true};
  }
  return {text, false};
}

TEST(AnswerTextTest, RandomTextsOverASmallAlphabet) {
  std::mt19937 random(1);
  const auto word = [&](int longest) {
    std::string out(1 + random() % longest, ' ');
    for (char& c : out) c = "ab"[random() % 2];
    return out;
  };
  int stopped = 0;
  for (int i = 0; i < 3000; ++i) {
    const Strings stops = {word(6), word(7), word(8)};
    const std::string text = word(30);
    const Outcome expected = Slow(stops, text);
    stopped += expected.stopped;
    ASSERT_EQ(Answer(stops, text), expected)
        << text << ": " << stops[0] << " " << stops[1] << " " << stops[2];
  }
  EXPECT_GT(stopped, 300);
  EXPECT_LT(stopped, 2950);
}

}  // namespace
}  // namespace apollo

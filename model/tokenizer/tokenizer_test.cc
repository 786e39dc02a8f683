#include "model/tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "common/json.h"
#include "model/tokenizer/test_tokenizer.h"
#include "model/tokenizer/text_range.h"

namespace apollo {
namespace {

using Ids = std::vector<TokenId>;

std::unique_ptr<const Tokenizer> Small(const Json& json = TestTokenizerJson()) {
  auto tokenizer = Tokenizer::Parse(json.dump(), "small.json");
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return std::move(tokenizer).value();
}

Ids Encode(const Tokenizer& tokenizer, std::string_view text,
           SpecialText special = SpecialText::kPlain) {
  const auto ids = tokenizer.Encode(text, special);
  EXPECT_TRUE(ids.ok()) << ids.status();
  return ids.value_or(Ids());
}

std::string Decode(const Tokenizer& tokenizer, const Ids& ids,
                   bool skip_special = false) {
  const auto text = tokenizer.Decode(ids, skip_special);
  EXPECT_TRUE(text.ok()) << text.status();
  return text.value_or("");
}

// In TestTokenizerJson a byte is its own id; 256 "ab", 257 "abc", 258 " a", 259
// "bc", 260 <|end|> (special), 261 <tool>.
TEST(TokenizerTest, MergesInTheOrderOfTheList) {
  const auto tokenizer = Small();
  EXPECT_EQ(Encode(*tokenizer, "abc"), Ids({257}));
  EXPECT_EQ(Encode(*tokenizer, "abbc"), Ids({256, 259}));
  EXPECT_EQ(Encode(*tokenizer, "xab ab"), Ids({'x', 256, 258, 'b'}));
  EXPECT_EQ(Encode(*tokenizer, ""), Ids());
}

TEST(TokenizerTest, SpecialTextIsPlainUnlessAskedFor) {
  const auto tokenizer = Small();
  EXPECT_EQ(Encode(*tokenizer, "a<|end|>b", SpecialText::kParse),
            Ids({'a', 260, 'b'}));
  const Ids plain = Encode(*tokenizer, "a<|end|>b");
  EXPECT_EQ(plain.size(), 9u);
  for (const TokenId id : plain) EXPECT_FALSE(tokenizer->IsSpecial(id));
  // Added tokens that are not special, too.
  EXPECT_EQ(Encode(*tokenizer, "<tool>"), Ids({'<', 't', 'o', 'o', 'l', '>'}));
  EXPECT_EQ(Encode(*tokenizer, "<tool>", SpecialText::kParse), Ids({261}));
}

TEST(TokenizerTest, PlainTextIsEncodedAsIfControlTokensDidNotExist) {
  Json json = TestTokenizerJson();
  json["added_tokens"].push_back(TestAddedToken(262, "<|en", true));
  json["added_tokens"].push_back(TestAddedToken(263, "\n\n", false));
  json["added_tokens"].push_back(TestAddedToken(264, "\t\t", true));
  json["added_tokens"].push_back(TestAddedToken(265, "|>\n\n", true));
  const auto tokenizer = Small(json);
  // A token of white space controls nothing, and none hides it.
  EXPECT_EQ(Encode(*tokenizer, "<|end|>\n\nabc").size(), 7 + 1 + 1u);
  EXPECT_EQ(Encode(*tokenizer, "\n\n"), Ids({263}));
  EXPECT_EQ(Encode(*tokenizer, "\t\t"), Ids({'\t', '\t'}));
  for (TokenId id = 0; id < 266; ++id) {
    EXPECT_EQ(tokenizer->IsControl(id), id >= 260 && id != 263) << id;
  }
  EXPECT_EQ(tokenizer->AddedTokenId("<tool>"), 261);
  EXPECT_EQ(tokenizer->AddedTokenId("\n\n"), 263);
  EXPECT_EQ(tokenizer->AddedTokenId("abc"), std::nullopt);
  EXPECT_EQ(tokenizer->AddedTokenContent(261), "<tool>");
  EXPECT_EQ(tokenizer->AddedTokenContent(257), "");
}

// Text of the vocabulary, for which nothing but the token exists.
TEST(TokenizerTest, MergesMakeNoControlToken) {
  Json json = TestTokenizerJson();
  json["added_tokens"] = {TestAddedToken(257, "abc", false)};
  const auto tokenizer = Small(json);
  EXPECT_EQ(Encode(*tokenizer, "abc"), Ids({256, 'c'}));
  EXPECT_EQ(Encode(*tokenizer, "abc", SpecialText::kParse), Ids({257}));
}

TEST(TokenizerTest, EncodeMixedFindsControlTokensOutsideOfOrdinaryText) {
  const auto tokenizer = Small();
  const auto mixed = [&](std::string_view text,
                         const std::vector<TextRange>& ordinary) {
    return tokenizer->EncodeMixed(text, ordinary).value();
  };
  const std::string text = "<|end|>abc<|end|><tool>";
  EXPECT_EQ(mixed(text, {}), Encode(*tokenizer, text, SpecialText::kParse));
  // A single byte is enough, and other tokens are found all the same.
  for (std::size_t byte = 10; byte < 17; ++byte) {
    const Ids ids = mixed(text, {{byte, byte + 1}});
    EXPECT_EQ(ids.front(), 260);
    EXPECT_EQ(ids[1], 257);
    EXPECT_EQ(ids.back(), 261);
    EXPECT_EQ(ids.size(), 1 + 1 + 7 + 1u);
    EXPECT_EQ(Decode(*tokenizer, ids), text);
  }
  EXPECT_EQ(mixed("<tool>", {{0, 6}}).size(), 6u);
  EXPECT_EQ(mixed("<tool>", {{6, 9}}), Ids({261}));
  // Text is encoded together with what is around it.
  EXPECT_EQ(mixed("abc", {{1, 2}}), Ids({257}));
  EXPECT_EQ(mixed("<<|end|>", {{0, 1}}), Ids({'<', 260}));
  EXPECT_FALSE(tokenizer->EncodeMixed("\xFF", {}).ok());
}

TEST(TokenizerTest, EncodeMixedTriesShorterTokens) {
  Json json = TestTokenizerJson();
  json["added_tokens"].push_back(TestAddedToken(262, "<|end|><|", true));
  json["added_tokens"].push_back(TestAddedToken(263, "   ", false));
  const auto tokenizer = Small(json);
  EXPECT_EQ(*tokenizer->EncodeMixed("<|end|><|", {}), Ids({262}));
  const std::vector<TextRange> ordinary = {{7, 9}};
  EXPECT_EQ(*tokenizer->EncodeMixed("<|end|><|", ordinary),
            Ids({260, '<', '|'}));
  // White space controls nothing.
  const std::vector<TextRange> all = {{0, 3}};
  EXPECT_EQ(*tokenizer->EncodeMixed("   ", all), Ids({263}));
  EXPECT_EQ(tokenizer->ControlTokens(),
            std::vector<std::string>({"<|end|>", "<tool>", "<|end|><|"}));
}

// White space that a token takes with it gives no other, as in the `tokenizers`
// library, which fails where the other would end before.
TEST(TokenizerTest, SpacesAroundAddedTokensBelongToOne) {
  Json json = TestTokenizerJson();
  json["added_tokens"][1]["rstrip"] = true;  // <tool>
  json["added_tokens"].push_back(TestAddedToken(262, "  ", false));
  json["added_tokens"].push_back(TestAddedToken(263, "\n", false));
  for (const int i : {2, 3}) json["added_tokens"][i]["lstrip"] = true;
  const auto tokenizer = Small(json);
  for (const char* text : {"<tool>  b", "<tool>   b", "<tool> \n b"}) {
    EXPECT_EQ(Encode(*tokenizer, text, SpecialText::kParse), Ids({261, 'b'}));
  }
  EXPECT_EQ(Encode(*tokenizer, "<tool>b \n\n", SpecialText::kParse),
            Ids({261, 'b', 263, 263}));
}

// Tokens that are found after normalization are told apart by their places in
// the normalized text, unless a character was made across a border.
TEST(TokenizerTest, EncodeMixedFollowsNormalization) {
  Json json = TestTokenizerJson();
  json["normalizer"] = {{"type", "NFC"}};
  json["added_tokens"][0]["normalized"] = true;
  const auto tokenizer = Small(json);
  const std::vector<TextRange> first = {{0, 1}};
  const std::vector<TextRange> both = {{0, 3}};
  EXPECT_EQ(*tokenizer->EncodeMixed("a<|end|>", first), Ids({'a', 260}));
  EXPECT_EQ(tokenizer->EncodeMixed("e\u0301<|end|>", both)->size(), 3u);
  EXPECT_EQ(tokenizer->EncodeMixed("e\u0301<|end|>", first)->size(), 9u);
  EXPECT_EQ(tokenizer->EncodeMixed("e\u0301<|end|>", {})->size(), 3u);
  const std::vector<TextRange> inside = {{3, 10}};
  EXPECT_EQ(tokenizer->EncodeMixed("e\u0301<|end|><|end|>", inside)->size(),
            2 + 7 + 1u);
}

TEST(TokenizerTest, IgnoreMergesStillGivesNoSpecialToken) {
  Json json = TestTokenizerJson();
  json["model"]["ignore_merges"] = true;
  json["model"]["vocab"]["zz"] = 260;  // No merge makes it.
  json["model"]["vocab"]["end"] = 261;
  json["added_tokens"] = Json::array({TestAddedToken(261, "end", true)});
  const auto tokenizer = Small(json);
  EXPECT_EQ(Encode(*tokenizer, "zz"), Ids({260}));
  EXPECT_EQ(Encode(*tokenizer, "zzz"), Ids({'z', 'z', 'z'}));
  EXPECT_EQ(Encode(*tokenizer, "end"), Ids({'e', 'n', 'd'}));
  EXPECT_EQ(Encode(*tokenizer, "end", SpecialText::kParse), Ids({261}));
}

TEST(TokenizerTest, RefusesInvalidUtf8AndSaysWhere) {
  const auto tokenizer = Small();
  for (const std::string bad : {"\xff", "\xc3", "\xe2\x82", "\xed\xa0\x80",
                                "\xc0\xaf", "\xf5\x80\x80\x80", "\x80"}) {
    const std::string text = "h\xc3\xa9llo" + bad + "x";
    const auto ids = tokenizer->Encode(text, SpecialText::kPlain);
    ASSERT_FALSE(ids.ok());
    EXPECT_EQ(ids.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(ids.status().message(), "the text is not valid UTF-8 at byte 6");
  }
}

TEST(TokenizerTest, DecodesBytesAndChecksIds) {
  const auto tokenizer = Small();
  EXPECT_EQ(Decode(*tokenizer, {258, 260, 0xC3}), " a<|end|>\xC3");
  EXPECT_EQ(Decode(*tokenizer, {258, 260, 0xC3}, true), " a\xC3");
  for (const TokenId bad : {-1, 262, 1 << 30}) {
    EXPECT_EQ(tokenizer->Decode(Ids({65, bad}), false).status().message(),
              "the id at index 1 is not in the vocabulary of 262 tokens");
    EXPECT_EQ(tokenizer->TokenBytes(bad), "");
    EXPECT_FALSE(tokenizer->IsSpecial(bad));
  }
  EXPECT_EQ(tokenizer->TokenBytes(257), "abc");
  EXPECT_EQ(tokenizer->vocab_size(), 262u);
}

TEST(TokenizerTest, HolesInTheVocabularyAreNoTokens) {
  Json json = TestTokenizerJson();
  json["added_tokens"] = Json::array();
  json["model"]["vocab"]["zz"] = 300;
  const auto tokenizer = Small(json);
  EXPECT_EQ(tokenizer->vocab_size(), 301u);
  EXPECT_FALSE(tokenizer->Decode(Ids({299}), false).ok());
  EXPECT_TRUE(tokenizer->Decode(Ids({300}), false).ok());
}

TEST(TokenizerTest, FindsSpecialTokensByTheirText) {
  const auto tokenizer = Small();
  EXPECT_EQ(tokenizer->SpecialTokenId("<|end|>"), 260);
  EXPECT_EQ(tokenizer->SpecialTokenId("<tool>"), std::nullopt);
  EXPECT_EQ(tokenizer->SpecialTokenId(""), std::nullopt);
}

TEST(TokenizerTest, GivesWhatTheTemplatePutsAroundTheText) {
  Json json = TestTokenizerJson();
  EXPECT_TRUE(Small(json)->prefix_ids().empty());
  json["post_processor"] = Json::parse(R"({"type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<|end|>", "type_id": 0}},
               {"Sequence": {"id": "A", "type_id": 0}},
               {"SpecialToken": {"id": "<|end|>", "type_id": 0}},
               {"SpecialToken": {"id": "<|end|>", "type_id": 0}}],
    "pair": [],
    "special_tokens": {"<|end|>": {"id": "<|end|>", "ids": [260],
                                   "tokens": ["<|end|>"]}}})");
  const auto tokenizer = Small(json);
  EXPECT_EQ(Ids(tokenizer->prefix_ids().begin(), tokenizer->prefix_ids().end()),
            Ids({260}));
  EXPECT_EQ(tokenizer->suffix_ids().size(), 2u);
}

TEST(TokenizerTest, PutsASpaceInFrontIfAsked) {
  Json json = TestTokenizerJson();
  json["pre_tokenizer"]["add_prefix_space"] = true;
  const auto tokenizer = Small(json);
  EXPECT_EQ(Encode(*tokenizer, "ax"), Ids({258, 'x'}));
  EXPECT_EQ(Encode(*tokenizer, " ax"), Ids({258, 'x'}));
}

TEST(TokenizerTest, BytesWithoutATokenAreDropped) {
  Json json = TestTokenizerJson();
  json["added_tokens"] = Json::array();
  for (const unsigned char byte : {0x01, 0xC3, 0xA9}) {
    json["model"]["vocab"].erase(std::string(ByteLevelCharacter(byte)));
  }
  const auto tokenizer = Small(json);
  EXPECT_EQ(Encode(*tokenizer, "\x01"), Ids());
  EXPECT_EQ(Encode(*tokenizer, "x\x01"), Ids({'x'}));
  // The rest is merged.
  EXPECT_EQ(Encode(*tokenizer, "xa\u00E9b"), Ids({'x', 256}));
  EXPECT_EQ(Encode(*tokenizer, "xab\u00E9"), Ids({'x', 256}));
  json["model"]["unk_token"] = "ab";
  EXPECT_EQ(Tokenizer::Parse(json.dump(), "t").status().code(),
            absl::StatusCode::kUnimplemented);
}

TEST(TokenizerTest, LongPiecesTakeAboutLinearTime) {
  // n^2 steps would take hours.
  const auto tokenizer = Small();
  for (const char* unit : {"a", "ab", "abc", "bca", " "}) {
    std::string text;
    while (text.size() < 2'000'000) text += unit;
    EXPECT_EQ(Decode(*tokenizer, Encode(*tokenizer, text)), text);
  }
}

TEST(TokenizerTest, CanBeUsedByManyThreads) {
  const auto tokenizer = Small();
  const Ids expected = Encode(*tokenizer, "abc abbc <tool> ab");
  std::vector<std::thread> threads;
  std::vector<Ids> results(4);
  for (Ids& result : results) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        result = Encode(*tokenizer, "abc abbc <tool> ab");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Ids& result : results) EXPECT_EQ(result, expected);
}

TEST(TokenizerTest, LoadNamesTheFile) {
  const auto tokenizer = Tokenizer::Load("no/such/tokenizer.json");
  EXPECT_EQ(tokenizer.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(tokenizer.status().message().find("no/such/tokenizer.json"),
            std::string::npos);
}

}  // namespace
}  // namespace apollo

#include "model/tokenizer/stream_decoder.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "common/json.h"
#include "common/mapped_file.h"
#include "model/tokenizer/test_tokenizer.h"
#include "model/tokenizer/utf8.h"

namespace apollo {
namespace {

constexpr char kReplacement[] = "\xEF\xBF\xBD";

constexpr char kManyLanguages[] =
    "Fever? 头痛发烧三天了。두통 ไข้หวัด ປວດຫົວ सिरदर्द صُداعٍ כאב ራስ ɗan ọgwụ naïve "
    "e\u0301 "
    "👩‍👩‍👧‍👦🏳️‍🌈🇩🇪\r\n\U0010FFFF\u07FF\u0800"
    "\uFFFF";

class StreamDecoderTest : public testing::Test {
 protected:
  // Tokens 0 to 255 are the bytes.
  const std::unique_ptr<const Tokenizer> tokenizer_ =
      Tokenizer::Parse(TestTokenizerJson().dump(), "t").value();
};

bool IsUtf8(const std::string& text) {
  return ValidUtf8Prefix(text) == text.size();
}

TEST_F(StreamDecoderTest, NeverCutsLosesOrRepeatsACharacter) {
  const std::string text = kManyLanguages;
  StreamDecoder decoder(*tokenizer_, false);
  std::string all;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string piece =
        decoder.Append(static_cast<unsigned char>(text[i]));
    EXPECT_TRUE(IsUtf8(piece));
    all += piece;
    // The output is the longest prefix of whole characters so far.
    const std::size_t whole = ValidUtf8Prefix(text.substr(0, i + 1));
    EXPECT_EQ(all, text.substr(0, whole));
  }
  EXPECT_EQ(decoder.Flush(), "");
  EXPECT_EQ(all, text);
}

// Tokens of any length: splits a text into three tokens in every way.
TEST_F(StreamDecoderTest, EverySplitIntoTokensGivesTheText) {
  const std::string text = "é头👍\u0301ก";
  for (std::size_t i = 1; i < text.size(); ++i) {
    for (std::size_t j = i + 1; j < text.size(); ++j) {
      Json json = TestTokenizerJson();
      json["added_tokens"] = Json::array();
      int id = 300;
      for (const std::string& part :
           {text.substr(0, i), text.substr(i, j - i), text.substr(j)}) {
        // Makes the parts unique, and distinct from single bytes.
        std::string spelling = "x";
        for (const char c : part) {
          spelling += ByteLevelCharacter(static_cast<unsigned char>(c));
        }
        json["model"]["vocab"][spelling] = id++;
      }
      const auto tokenizer = Tokenizer::Parse(json.dump(), "t");
      ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
      StreamDecoder decoder(**tokenizer, false);
      std::string all;
      std::string bytes;
      for (int token = 300; token < id; ++token) {
        bytes += (*tokenizer)->TokenBytes(token);
        const std::string piece = decoder.Append(token);
        EXPECT_TRUE(IsUtf8(piece));
        all += piece;
      }
      all += decoder.Flush();
      std::string expected;
      AppendAsUtf8(bytes, &expected);
      EXPECT_EQ(all, expected) << i << " " << j;
    }
  }
}

Json GoldenTexts() {
  const auto text = ReadFile("model/tokenizer/testdata/golden.json", 1 << 20);
  EXPECT_TRUE(text.ok()) << text.status();
  const auto json = ParseJson(text.value_or("{}"), "golden.json");
  EXPECT_TRUE(json.ok()) << json.status();
  return json.ok() ? (*json)["texts"] : Json::array();
}

// Sentences in the fifty languages and hard cases, split into tokens of 1 to 9
// bytes at random positions.
TEST(StreamDecoderPropertyTest, AnyTokensInAnyLanguage) {
  std::mt19937 random(11);
  const Json texts = GoldenTexts();
  ASSERT_GE(texts.size(), 75u);
  for (const Json& item : texts) {
    const auto text = item.get<std::string>();
    Json json = TestTokenizerJson();
    json["added_tokens"] = Json::array();
    Json& vocab = json["model"]["vocab"];
    TokenId next_id = 300;
    std::vector<std::vector<TokenId>> splits(8);
    for (std::vector<TokenId>& split : splits) {
      for (std::size_t i = 0; i < text.size();) {
        const std::size_t length = 1 + random() % 9;
        std::string spelling;
        for (const char c : text.substr(i, length)) {
          spelling += ByteLevelCharacter(static_cast<unsigned char>(c));
        }
        i += length;
        if (!vocab.contains(spelling)) vocab[spelling] = next_id++;
        split.push_back(vocab[spelling].get<TokenId>());
      }
    }
    const auto tokenizer = Tokenizer::Parse(json.dump(), "t");
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    for (const std::vector<TokenId>& split : splits) {
      StreamDecoder decoder(**tokenizer, false);
      std::string bytes;
      std::string all;
      for (const TokenId id : split) {
        bytes += (*tokenizer)->TokenBytes(id);
        const std::string piece = decoder.Append(id);
        ASSERT_TRUE(IsUtf8(piece));
        all += piece;
        // No complete character is held back.
        ASSERT_EQ(all, bytes.substr(0, ValidUtf8Prefix(bytes)));
      }
      ASSERT_EQ(decoder.Flush(), "");
      ASSERT_EQ(all, text);
    }
  }
}

// Replacements equal those of Python's bytes.decode("utf-8", errors="replace").
TEST_F(StreamDecoderTest, ReplacesInvalidBytesAsPythonDoes) {
  const struct {
    std::string bytes;
    std::string text;  // R stands for U+FFFD.
  } cases[] = {
      {"a\xff"
       "b",
       "aRb"},
      {"\x80\x80", "RR"},
      {"\xc3", "R"},
      {"\xc3(", "R("},
      {"\xe2\x82", "R"},
      {"\xe2\x82"
       "a",
       "Ra"},
      {"\xe2(\xa1", "R(R"},
      {"\xed\xa0\x80", "RRR"},
      {"\xc0\xaf", "RR"},
      {"\xe0\x80\xaf", "RRR"},
      {"\xf0\x9f\x91", "R"},
      {"\xf0\x9f\x91x", "Rx"},
      {"\xf0\x80\x80\x80", "RRRR"},
      {"\xf4\x90\x80\x80", "RRRR"},
      {"\xf8\x88\x80\x80\x80", "RRRRR"},
      {"\xf0\x9f\xf0\x9f\x91\x8d", "R\xf0\x9f\x91\x8d"},
      {"\xe4\xb8\xe4\xb8\xad", "R\xe4\xb8\xad"},
  };
  for (const auto& c : cases) {
    std::string expected;
    for (const char x : c.text) {
      expected += x == 'R' ? std::string(kReplacement) : std::string(1, x);
    }
    StreamDecoder decoder(*tokenizer_, false);
    std::string all;
    for (const char byte : c.bytes) {
      all += decoder.Append(static_cast<unsigned char>(byte));
      EXPECT_TRUE(IsUtf8(all));
    }
    all += decoder.Flush();
    EXPECT_EQ(all, expected);
    std::string at_once;
    AppendAsUtf8(c.bytes, &at_once);
    EXPECT_EQ(at_once, expected);
  }
}

// All sequences of four bytes from a set with every kind of byte. The stream
// must give the same text as decoding at once.
TEST_F(StreamDecoderTest, ByteByByteEqualsAllAtOnce) {
  const unsigned char kinds[] = {'a',  0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0,
                                 0xbf, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xed,
                                 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff};
  constexpr std::size_t kKinds = sizeof(kinds);
  for (std::size_t n = 0; n < kKinds * kKinds * kKinds * kKinds; ++n) {
    std::string bytes;
    for (std::size_t rest = n, i = 0; i < 4; ++i, rest /= kKinds) {
      bytes += static_cast<char>(kinds[rest % kKinds]);
    }
    StreamDecoder decoder(*tokenizer_, false);
    std::string stream;
    for (const char c : bytes) {
      stream += decoder.Append(static_cast<unsigned char>(c));
    }
    stream += decoder.Flush();
    std::string at_once;
    AppendAsUtf8(bytes, &at_once);
    ASSERT_EQ(stream, at_once) << n;
    ASSERT_TRUE(IsUtf8(stream));
  }
}

TEST_F(StreamDecoderTest, SkipsSpecialTokensIfAskedAndUnknownIdsAlways) {
  StreamDecoder with(*tokenizer_, false);
  StreamDecoder without(*tokenizer_, true);
  std::string a;
  std::string b;
  for (const TokenId id : {256, 260, 9999, -1, int{'x'}, 261}) {
    a += with.Append(id);
    b += without.Append(id);
  }
  EXPECT_EQ(a, "ab<|end|>x<tool>");
  EXPECT_EQ(b, "abx<tool>");
}

TEST_F(StreamDecoderTest, CanBeUsedAgainAfterFlush) {
  StreamDecoder decoder(*tokenizer_, false);
  EXPECT_EQ(decoder.Append(0xE4), "");
  EXPECT_EQ(decoder.Flush(), kReplacement);
  EXPECT_EQ(decoder.Flush(), "");
  EXPECT_EQ(decoder.Append('a'), "a");
}

}  // namespace
}  // namespace apollo

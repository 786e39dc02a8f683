#include "tools/upcycle/tokenizer_export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "common/json.h"
#include "tools/upcycle/gguf_builder.h"
#include "tools/upcycle/gguf_file.h"

namespace apollo {
namespace {

using ::testing::HasSubstr;

struct Tokens {
  std::string model = "gpt2";
  std::string pre = "smollm";
  std::vector<std::string> tokens = {"<|end|>",  "a",      "b",    "ab",
                                     "\xc4\xa0", "<tool>", "[PAD]"};
  std::vector<std::int32_t> types = {3, 1, 1, 1, 1, 4, 5};
  std::vector<std::string> merges = {"a b"};
  GgufBuilder more;  // Additional keys.

  absl::StatusOr<std::string> Export() const {
    GgufBuilder builder = more;
    builder.AddString("tokenizer.ggml.model", model);
    builder.AddString("tokenizer.ggml.pre", pre);
    builder.AddStrings("tokenizer.ggml.tokens", tokens);
    builder.AddI32s("tokenizer.ggml.token_type", types);
    builder.AddStrings("tokenizer.ggml.merges", merges);
    const std::string text = builder.Build();
    const std::vector<std::uint8_t> bytes(text.begin(), text.end());
    const auto file = GgufFile::Parse(bytes, "m.gguf");
    EXPECT_TRUE(file.ok()) << file.status();
    return ExportTokenizer(*file);
  }

  Json Parsed() const {
    const auto text = Export();
    EXPECT_TRUE(text.ok()) << text.status();
    const auto json = ParseJson(text.value_or(""), "tokenizer.json");
    EXPECT_TRUE(json.ok()) << json.status();
    return json.ok() ? *json : Json();
  }

  std::string Error() const { return std::string(Export().status().message()); }
};

TEST(ExportTokenizerTest, WritesVocabularyMergesAndAddedTokens) {
  const Json json = Tokens().Parsed();
  EXPECT_EQ(json["version"], "1.0");
  EXPECT_EQ(json["model"]["type"], "BPE");
  EXPECT_EQ(json["model"]["vocab"], Json({{"<|end|>", 0},
                                          {"a", 1},
                                          {"b", 2},
                                          {"ab", 3},
                                          {"\xc4\xa0", 4},
                                          {"<tool>", 5}}));
  EXPECT_EQ(json["model"]["merges"], Json({"a b"}));
  ASSERT_EQ(json["added_tokens"].size(), 2u);
  EXPECT_EQ(json["added_tokens"][0], Json({{"id", 0},
                                           {"content", "<|end|>"},
                                           {"single_word", false},
                                           {"lstrip", false},
                                           {"rstrip", false},
                                           {"normalized", false},
                                           {"special", true}}));
  EXPECT_EQ(json["added_tokens"][1]["content"], "<tool>");
  EXPECT_EQ(json["added_tokens"][1]["special"], false);
  EXPECT_EQ(json["decoder"]["type"], "ByteLevel");
  EXPECT_TRUE(json["post_processor"].is_null());
}

TEST(ExportTokenizerTest, WritesEachPreTokenizer) {
  Tokens tokens;
  const Json smollm = tokens.Parsed();
  EXPECT_TRUE(smollm["normalizer"].is_null());
  EXPECT_EQ(smollm["pre_tokenizer"]["pretokenizers"][0],
            Json({{"type", "Digits"}, {"individual_digits", true}}));
  EXPECT_EQ(smollm["pre_tokenizer"]["pretokenizers"][1],
            Json({{"type", "ByteLevel"},
                  {"add_prefix_space", false},
                  {"trim_offsets", true},
                  {"use_regex", true}}));
  EXPECT_EQ(smollm["model"]["ignore_merges"], false);

  tokens.pre = "gpt-2";
  EXPECT_EQ(tokens.Parsed()["pre_tokenizer"]["type"], "ByteLevel");

  tokens.pre = "qwen2";
  const Json qwen2 = tokens.Parsed();
  EXPECT_EQ(qwen2["normalizer"], Json({{"type", "NFC"}}));
  const Json& split = qwen2["pre_tokenizer"]["pretokenizers"][0];
  EXPECT_EQ(split["behavior"], "Isolated");
  EXPECT_THAT(split["pattern"]["Regex"].get<std::string>(),
              HasSubstr(R"(\p{L}+|\p{N}| ?[^\s)"));
  EXPECT_EQ(qwen2["pre_tokenizer"]["pretokenizers"][1]["use_regex"], false);

  tokens.pre = "llama-bpe";
  tokens.more.AddU32("tokenizer.ggml.bos_token_id", 0);
  const Json llama = tokens.Parsed();
  EXPECT_THAT(llama.dump(), HasSubstr(R"(\\p{N}{1,3})"));
  EXPECT_EQ(llama["model"]["ignore_merges"], true);
  EXPECT_EQ(llama["post_processor"]["type"], "TemplateProcessing");
}

TEST(ExportTokenizerTest, TheFirstTokenIsAsTheFileSays) {
  Tokens tokens;
  tokens.more.AddBool("tokenizer.ggml.add_bos_token", true);
  EXPECT_THAT(tokens.Error(), HasSubstr("tokenizer.ggml.bos_token_id"));
  tokens.more.AddU32("tokenizer.ggml.bos_token_id", 0);
  const Json with = tokens.Parsed()["post_processor"];
  EXPECT_EQ(with["single"][0]["SpecialToken"]["id"], "<|end|>");
  EXPECT_EQ(with["special_tokens"]["<|end|>"]["ids"], Json::array({0}));

  Tokens outside;
  outside.more.AddBool("tokenizer.ggml.add_bos_token", true);
  outside.more.AddU32("tokenizer.ggml.bos_token_id", 7);
  EXPECT_THAT(outside.Error(), HasSubstr("tokenizer.ggml.bos_token_id 7"));

  Tokens without;
  without.pre = "llama-bpe";
  without.more.AddBool("tokenizer.ggml.add_bos_token", false);
  EXPECT_TRUE(without.Parsed()["post_processor"].is_null());
}

TEST(ExportTokenizerTest, RefusesTablesThatDoNotFit) {
  {
    Tokens tokens;
    tokens.types.pop_back();
    EXPECT_EQ(tokens.Error(),
              "m.gguf: tokenizer.ggml.token_type has 6 entries, "
              "tokenizer.ggml.tokens 7");
  }
  {
    Tokens tokens;
    tokens.types[1] = 9;
    EXPECT_THAT(tokens.Error(), HasSubstr("tokenizer.ggml.token_type 1 is 9"));
  }
  {
    Tokens tokens;
    tokens.tokens[2] = "a";
    EXPECT_THAT(tokens.Error(),
                HasSubstr("tokenizer.ggml.tokens 2 occurs twice"));
  }
  for (const char* merge : {"ab", "a b ", "a  b", "", " "}) {
    Tokens tokens;
    tokens.merges = {"a b", merge};
    EXPECT_THAT(tokens.Error(), HasSubstr("tokenizer.ggml.merges 1")) << merge;
  }
  for (const char* merge : {"a c", "c a", "b a"}) {
    Tokens tokens;
    tokens.merges = {merge};
    EXPECT_THAT(tokens.Error(),
                HasSubstr("a part or a result that is not a token"));
  }
  {
    Tokens tokens;
    tokens.tokens[1] = "\xff\xfe";
    tokens.merges.clear();
    EXPECT_EQ(tokens.Error(), "m.gguf: a token is not UTF-8");
  }
}

TEST(ExportTokenizerTest, RefusesOtherKinds) {
  Tokens tokens;
  tokens.model = "llama";
  EXPECT_THAT(tokens.Error(),
              HasSubstr("tokenizer.ggml.model is \"llama\", not \"gpt2\" "
                        "(byte-level BPE), the only supported kind; "
                        "SentencePiece is not supported"));
  Tokens other;
  other.pre = "deepseek-llm";
  EXPECT_THAT(other.Error(),
              HasSubstr("m.gguf: tokenizer.ggml.pre is \"deepseek-llm\", which "
                        "is none of gpt-2, smollm, qwen2, "));
  Tokens bytes;
  bytes.types[1] = 6;
  EXPECT_EQ(bytes.Error(),
            "m.gguf: tokenizer.ggml.token_type 1 is 6 (byte), which byte-level "
            "BPE does not have");
}

}  // namespace
}  // namespace apollo

// Invalid or unsupported files: each gives one clear error, never a crash.
#include "model/tokenizer/tokenizer_json.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "model/tokenizer/test_tokenizer.h"
#include "model/tokenizer/tokenizer.h"

namespace apollo {
namespace {

std::string Message(const Json& json) {
  const auto tokenizer = Tokenizer::Parse(json.dump(), "t.json");
  EXPECT_FALSE(tokenizer.ok());
  return std::string(tokenizer.status().message());
}

TEST(TokenizerJsonTest, TheUnchangedFileIsGood) {
  const auto spec = ParseTokenizerJson(TestTokenizerJson().dump(), "t.json");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->merges.size(), 4u);
  EXPECT_EQ(spec->merges[1].merged, 256);
  EXPECT_EQ(spec->added_tokens.size(), 2u);
}

TEST(TokenizerJsonTest, MergesMayBeStringsOrPairsInAnyPlace) {
  Json json = TestTokenizerJson();
  json["model"]["merges"] = {
      "#version: 0.2", "\u0120 a", {"a", "b"}, "b c", {"ab", "c"}};
  // "a_first" sorts before "model", so merges may be read before the
  // vocabulary.
  const auto spec = ParseTokenizerJson(json.dump(), "t.json");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->merges.size(), 4u);
}

TEST(TokenizerJsonTest, LaterKeysMayStandFirst) {
  const std::string vocab = TestTokenizerJson()["model"]["vocab"].dump();
  const std::string text =
      R"({"decoder": {"type": "ByteLevel"}, "model": {"merges": ["a b"], "vocab": )" +
      vocab +
      R"(, "type": "BPE"}, "pre_tokenizer": {"type": "ByteLevel",
      "add_prefix_space": false}})";
  const auto spec = ParseTokenizerJson(text, "t.json");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->merges.size(), 1u);
}

struct Case {
  const char* message;
  std::function<void(Json&)> change;
};

TEST(TokenizerJsonTest, SaysWhatIsWrongAndWhere) {
  const Case cases[] = {
      {"t.json: model: expected an object", [](Json& j) { j.erase("model"); }},
      {"t.json: model.vocab: expected an object",
       [](Json& j) { j["model"].erase("vocab"); }},
      {"t.json: model.vocab: expected an object",
       [](Json& j) { j["model"]["vocab"] = "x"; }},
      {"t.json: model.merges: expected an array",
       [](Json& j) { j["model"].erase("merges"); }},
      {"t.json: model.merges: expected an array",
       [](Json& j) { j["model"]["merges"] = Json::object(); }},
      {"t.json: model.type: is \"Unigram\"; only BPE is supported",
       [](Json& j) { j["model"]["type"] = "Unigram"; }},
      {"t.json: model.byte_fallback: expected true or false",
       [](Json& j) { j["model"]["byte_fallback"] = 1; }},
      {"t.json: model.dropout: is 0.1; it must be null: it makes encoding "
       "random",
       [](Json& j) { j["model"]["dropout"] = 0.1; }},
      {"t.json: model.end_of_word_suffix: is \"</w>\"; it must be null or "
       "empty",
       [](Json& j) { j["model"]["end_of_word_suffix"] = "</w>"; }},
      {"t.json: model.ignore_merges: expected true or false",
       [](Json& j) { j["model"]["ignore_merges"] = 1; }},
      {"t.json: model.vocab: every id must be an integer from 0 to 1048575",
       [](Json& j) { j["model"]["vocab"]["x"] = -1; }},
      {"t.json: model.vocab: every id must be an integer from 0 to 1048575",
       [](Json& j) { j["model"]["vocab"]["x"] = 1 << 20; }},
      {"t.json: model.vocab: every id must be an integer from 0 to 1048575",
       [](Json& j) { j["model"]["vocab"]["x"] = 18446744073709551615u; }},
      {"t.json: model.vocab: every id must be an integer from 0 to 1048575",
       [](Json& j) { j["model"]["vocab"]["x"] = 1.5; }},
      {"t.json: model.vocab: every id must be an integer from 0 to 1048575",
       [](Json& j) { j["model"]["vocab"]["x"] = Json::array({1}); }},
      {"t.json: model.vocab: two tokens have the id 256",
       [](Json& j) { j["model"]["vocab"]["abc"] = 256; }},
      {"t.json: model: vocab lacks printable ASCII characters",
       [](Json& j) { j["model"]["vocab"].erase("x"); }},
      {"t.json: model.merges[1]: uses a token that is not in model.vocab",
       [](Json& j) { j["model"]["merges"][1] = "a d"; }},
      {"t.json: model.merges[2]: uses a token that is not in model.vocab",
       [](Json& j) {
         j["model"]["merges"][2] = {"ab", "zz"};
       }},
      {"t.json: model.merges[2]: duplicate of an earlier merge",
       [](Json& j) { j["model"]["merges"][2] = "a b"; }},
      {"t.json: model.merges[0]: expected [\"a\", \"b\"] or \"a b\"",
       [](Json& j) { j["model"]["merges"][0] = "a b c"; }},
      {"t.json: model.merges[0]: expected [\"a\", \"b\"] or \"a b\"",
       [](Json& j) { j["model"]["merges"][0] = {"a"}; }},
      {"t.json: model.merges[0]: expected [\"a\", \"b\"] or \"a b\"",
       [](Json& j) {
         j["model"]["merges"][0] = {"a", {"b"}};
       }},
      {"t.json: model.merges[0]: expected [\"a\", \"b\"] or \"a b\"",
       [](Json& j) { j["model"]["merges"][0] = 7; }},
      {"t.json: model.merges[0]: a side is empty",
       [](Json& j) {
         j["model"]["merges"][0] = "ab ";
         j["model"]["vocab"][""] = 300;
       }},
      {"t.json: normalizer.normalizers[0].pattern.String: must have 1 to 4096 "
       "bytes",
       [](Json& j) {
         const Json step = {{"type", "Replace"},
                            {"pattern", {{"String", ""}}},
                            {"content", "x"}};
         j["normalizer"] = {{"type", "Sequence"}, {"normalizers", {step}}};
       }},
      {"t.json: normalizer.prepend: expected a string",
       [](Json& j) {
         j["normalizer"] = {{"type", "Prepend"}};
       }},
      {"t.json: normalizer.type: expected a string",
       [](Json& j) { j["normalizer"] = Json::object(); }},
      {"t.json: model.byte_fallback: is null; it must be true, unless "
       "pre_tokenizer ends with ByteLevel, so that every text has tokens",
       [](Json& j) {
         j["pre_tokenizer"] = {{"type", "Digits"}, {"individual_digits", true}};
       }},
      {"t.json: model.byte_fallback: is true; model.vocab lacks the token "
       "<0x00>",
       [](Json& j) {
         j["pre_tokenizer"] = nullptr;
         j["model"]["byte_fallback"] = true;
       }},
      {"t.json: pre_tokenizer.replacement: expected a string of one character",
       [](Json& j) {
         j["pre_tokenizer"] = {{"type", "Metaspace"}, {"replacement", "ab"}};
       }},
      {"t.json: pre_tokenizer.prepend_scheme: is \"last\"; known: always, "
       "first, never",
       [](Json& j) {
         j["pre_tokenizer"] = {{"type", "Metaspace"},
                               {"replacement", "_"},
                               {"prepend_scheme", "last"}};
       }},
      {"t.json: pre_tokenizer: add_prefix_space is false, but prepend_scheme "
       "is first",
       [](Json& j) {
         j["pre_tokenizer"] = {{"type", "Metaspace"},
                               {"replacement", "_"},
                               {"prepend_scheme", "first"},
                               {"add_prefix_space", false}};
       }},
      {"t.json: pre_tokenizer.pretokenizers[0].behavior: is \"removed\"; "
       "known: Isolated, Removed, MergedWithPrevious, MergedWithNext, "
       "Contiguous",
       [](Json& j) {
         const Json split = {{"type", "Split"},
                             {"pattern", {{"Regex", "a"}}},
                             {"behavior", "removed"},
                             {"invert", false}};
         j["pre_tokenizer"] = {{"type", "Sequence"},
                               {"pretokenizers", {split, j["pre_tokenizer"]}}};
       }},
      {"t.json: pre_tokenizer.pretokenizers[64]: more than 64 steps",
       [](Json& j) {
         const Json step = {{"type", "Digits"}, {"individual_digits", true}};
         Json steps = Json::array();
         for (int i = 0; i < 65; ++i) steps.push_back(step);
         j["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", steps}};
       }},
      {"t.json: pre_tokenizer: regular expression: missing closing parenthesis",
       [](Json& j) {
         const Json split = {{"type", "Split"},
                             {"pattern", {{"Regex", "("}}},
                             {"behavior", "Isolated"},
                             {"invert", false}};
         j["pre_tokenizer"] = {{"type", "Sequence"},
                               {"pretokenizers", {split, j["pre_tokenizer"]}}};
       }},
      {"t.json: decoder.decoders[1].start: expected an integer from 0 to 1024",
       [](Json& j) {
         const Json strip = {
             {"type", "Strip"}, {"content", " "}, {"start", -1}, {"stop", 0}};
         j["decoder"] = {{"type", "Sequence"},
                         {"decoders", {j["decoder"], strip}}};
       }},
      {"t.json: post_processor.cls[1]: is not the id of an added token",
       [](Json& j) {
         j["post_processor"] = {{"type", "BertProcessing"},
                                {"cls", {"x", 120}},
                                {"sep", {"<|end|>", 260}}};
       }},
      {"t.json: post_processor.sep: expected a token and its id",
       [](Json& j) {
         j["post_processor"] = {{"type", "RobertaProcessing"},
                                {"cls", {"<|end|>", 260}},
                                {"sep", "<|end|>"}};
       }},
      {"t.json: added_tokens: expected an array",
       [](Json& j) { j["added_tokens"] = 1; }},
      {"t.json: added_tokens[0].special: expected true or false",
       [](Json& j) { j["added_tokens"][0].erase("special"); }},
      {"t.json: added_tokens[0].content: must have 1 to 1024 bytes",
       [](Json& j) { j["added_tokens"][0]["content"] = ""; }},
      {"t.json: added_tokens[0].id: is 5, but its position implies 260",
       [](Json& j) { j["added_tokens"][0]["id"] = 5; }},
      {"t.json: added_tokens[1].id: is 262, but its position implies 261",
       [](Json& j) { j["added_tokens"][1]["id"] = 262; }},
      {"t.json: added_tokens[1].content: duplicate of an earlier token",
       [](Json& j) {
         j["added_tokens"][1] = TestAddedToken(260, "<|end|>", true);
       }},
      {"t.json: model.merges make token 256, an added token, and make others "
       "from it",
       [](Json& j) {
         j["added_tokens"] = Json::array({TestAddedToken(256, "ab", true)});
       }},
      {"t.json: added_tokens: token 257 is also made by model.merges or "
       "ignore_merges, and is not always found before them (it is single_word, "
       "or the normalizer can make it)",
       [](Json& j) {
         j["added_tokens"] = Json::array({TestAddedToken(257, "abc", true)});
         j["normalizer"] = {{"type", "NFKC"}};
       }},
      {"t.json: added_tokens: token 120 is a single byte or character of "
       "model.vocab",
       [](Json& j) {
         j["added_tokens"] = Json::array({TestAddedToken('x', "x", true)});
       }},
  };
  for (const Case& c : cases) {
    Json json = TestTokenizerJson();
    c.change(json);
    EXPECT_EQ(Message(json), c.message);
  }
}

TEST(TokenizerJsonTest, RefusesBrokenJson) {
  const std::string good = TestTokenizerJson().dump();
  // Every truncation is an error.
  for (std::size_t size = 0; size < good.size(); size += 7) {
    const auto spec = ParseTokenizerJson(good.substr(0, size), "t.json");
    ASSERT_FALSE(spec.ok()) << size;
    EXPECT_EQ(spec.status().message(), "t.json: malformed JSON");
  }
  EXPECT_EQ(ParseTokenizerJson(good + "x", "t.json").status().message(),
            "t.json: malformed JSON");
  EXPECT_FALSE(ParseTokenizerJson(R"(["model"])", "t.json").ok());
  EXPECT_FALSE(ParseTokenizerJson("7", "t.json").ok());
  EXPECT_FALSE(
      ParseTokenizerJson(R"({"model": {"vocab": {"a": 1, "a": 2}}})", "t")
          .ok());
}

TEST(TokenizerJsonTest, RefusesDeepJson) {
  for (const char* prefix :
       {"", R"({"model": {"vocab": )", R"({"model": {"merges": )",
        R"({"model": {"merges": [)", R"({"added_tokens": )"}) {
    const std::string deep = prefix + std::string(3'000'000, '[');
    EXPECT_FALSE(ParseTokenizerJson(deep, "t.json").ok());
  }
}

}  // namespace
}  // namespace apollo

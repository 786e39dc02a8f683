// Compares forms of tokenizer.json with Hugging Face `tokenizers`; see
// testdata/make_forms.py.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/json.h"
#include "common/mapped_file.h"
#include "model/tokenizer/stream_decoder.h"
#include "model/tokenizer/text_range.h"
#include "model/tokenizer/tokenizer.h"
#include "model/tokenizer/utf8.h"

namespace apollo {
namespace {

using Ids = std::vector<TokenId>;

const Json& Forms() {
  static const auto* const forms = [] {
    const auto text = ReadFile("model/tokenizer/testdata/forms.json", 1 << 20);
    EXPECT_TRUE(text.ok()) << text.status();
    auto json = ParseJson(text.value_or(""), "forms.json");
    EXPECT_TRUE(json.ok()) << json.status();
    return new Json(*std::move(json));
  }();
  return *forms;
}

std::string Name(const Json& form) {
  return form["base"].get<std::string>() + ": " +
         form["name"].get<std::string>();
}

std::string File(const Json& form) {
  Json content = Forms()["bases"][form["base"].get<std::string>()];
  content.merge_patch(form["patch"]);
  return content.dump();
}

std::string Utf8(std::string_view bytes) {
  std::string text;
  AppendAsUtf8(bytes, &text);
  return text;
}

std::string Streamed(StreamDecoder& decoder, const Ids& ids) {
  std::string text;
  for (const TokenId id : ids) text += decoder.Append(id);
  return text + decoder.Flush();
}

// Checks decoding at once and as a stream, and that a decoder can be used for a
// second stream.
void ExpectDecoded(const Tokenizer& tokenizer, const Ids& ids,
                   bool skip_special, const std::string& expected) {
  const auto decoded = tokenizer.Decode(ids, skip_special);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(Utf8(*decoded), expected);
  StreamDecoder decoder(tokenizer, skip_special);
  EXPECT_EQ(Streamed(decoder, ids), expected);
  EXPECT_EQ(Streamed(decoder, ids), expected);
}

class FormsTest : public testing::Test {
 protected:
  // Returns the expected value for a text.
  const Json& Expected(const Json& form, const char* key, std::size_t text) {
    const Json& value = form[key][text];
    if (!value.is_null()) return value;
    return (*first_.at(form["base"].get<std::string>()))[key][text];
  }

  void ExpectEqual(const Json& form, const Tokenizer& tokenizer) {
    const Json& texts = Forms()["texts"];
    for (std::size_t i = 0; i < texts.size(); ++i) {
      SCOPED_TRACE(texts[i].dump());
      const auto& text = texts[i].get_ref<const std::string&>();
      const auto plain = tokenizer.Encode(text, SpecialText::kPlain);
      const auto parse = tokenizer.Encode(text, SpecialText::kParse);
      ASSERT_TRUE(plain.ok() && parse.ok());
      EXPECT_EQ(*plain, Expected(form, "plain", i).get<Ids>());
      EXPECT_EQ(*parse, Expected(form, "parse", i).get<Ids>());
      for (const TokenId id : *plain) EXPECT_FALSE(tokenizer.IsControl(id));
      ExpectDecoded(tokenizer, *parse, false,
                    Expected(form, "decoded", i).get<std::string>());
      ExpectDecoded(tokenizer, *parse, true,
                    Expected(form, "answer", i).get<std::string>());
    }
    Ids around(tokenizer.prefix_ids().begin(), tokenizer.prefix_ids().end());
    around.insert(around.end(), tokenizer.suffix_ids().begin(),
                  tokenizer.suffix_ids().end());
    EXPECT_EQ(around, form["around"].get<Ids>());
  }

  std::map<std::string, const Json*> first_;  // The first case of each base.
};

TEST_F(FormsTest, EachIsLikeHuggingFaceOrRefusedByName) {
  int equal = 0;
  int refused = 0;
  for (const Json& form : Forms()["cases"]) {
    SCOPED_TRACE(Name(form));
    first_.try_emplace(form["base"].get<std::string>(), &form);
    const auto tokenizer = Tokenizer::Parse(File(form), "t.json");
    if (form.contains("error")) {
      ++refused;
      EXPECT_EQ(tokenizer.status().message(),
                "t.json: " + form["error"].get<std::string>());
      continue;
    }
    ++equal;
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    ExpectEqual(form, **tokenizer);
  }
  EXPECT_GE(equal, 70);
  EXPECT_GE(refused, 40);
}

// Control tokens are found in text that is not ordinary, and the pieces of the
// pre-tokenizer and of merging cross the borders.
TEST_F(FormsTest, MixedTextIsOneText) {
  const Json& texts = Forms()["texts"];
  for (const Json& form : Forms()["cases"]) {
    if (form.contains("error")) continue;
    SCOPED_TRACE(Name(form));
    const auto tokenizer = Tokenizer::Parse(File(form), "t.json");
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    for (const Json& one : texts) {
      const auto& text = one.get_ref<const std::string&>();
      // Each character is an ordinary range of its own.
      std::vector<TextRange> ordinary;
      for (std::size_t at = 0; at < text.size();) {
        const std::size_t size =
            FirstCharacterBytes(std::string_view(text).substr(at));
        ordinary.push_back({at, at + size});
        at += size;
      }
      EXPECT_EQ((*tokenizer)->EncodeMixed(text, ordinary).value(),
                (*tokenizer)->Encode(text, SpecialText::kPlain).value())
          << text;
      EXPECT_EQ((*tokenizer)->EncodeMixed(text, {}).value(),
                (*tokenizer)->Encode(text, SpecialText::kParse).value())
          << text;
    }
  }
}

}  // namespace
}  // namespace apollo

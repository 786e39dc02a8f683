// Compares the demo model's tokenizer with ids from Hugging Face `tokenizers`;
// see testdata/make_testdata.py.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "common/json.h"
#include "common/mapped_file.h"
#include "model/tokenizer/tokenizer.h"
#include "model/tokenizer/unicode_sums.h"

namespace apollo {
namespace {

using Ids = std::vector<TokenId>;

// Uses the directory in $APOLLO_DEMO_MODEL, or the default of
// deploy/local/demo_model.sh.
std::string DemoTokenizer() {
  const char* given = std::getenv("APOLLO_DEMO_MODEL");
  const char* home = std::getenv("HOME");
  const std::string folder = given != nullptr && *given != '\0'
                                 ? given
                                 : std::string(home != nullptr ? home : "") +
                                       "/.cache/apollo-moe/demo";
  return folder + "/tokenizer.json";
}

Json Read(const std::string& name) {
  const std::string path = "model/tokenizer/testdata/" + name;
  const auto text = ReadFile(path, 1 << 20);
  EXPECT_TRUE(text.ok()) << text.status();
  const auto json = ParseJson(text.value_or(""), path);
  EXPECT_TRUE(json.ok()) << json.status();
  return json.value_or(Json());
}

TEST(DemoGoldenTest, IdsAreThoseOfHuggingFace) {
  const auto tokenizer = Tokenizer::Load(DemoTokenizer());
  ASSERT_TRUE(tokenizer.ok())
      << tokenizer.status()
      << "; run deploy/local/demo_model.sh, or set APOLLO_DEMO_MODEL";
  const Json texts = Read("golden.json")["texts"];
  const Json golden = Read("golden_demo.json");
  ASSERT_GE(texts.size(), 75u);
  for (const auto& [name, special] :
       {std::pair("plain", SpecialText::kPlain),
        std::pair("parse", SpecialText::kParse)}) {
    ASSERT_EQ(golden[name].size(), texts.size());
    int came_back = 0;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const auto text = texts[i].get<std::string>();
      const auto ids = (*tokenizer)->Encode(text, special);
      ASSERT_TRUE(ids.ok()) << ids.status();
      EXPECT_EQ(*ids, golden[name][i].get<Ids>()) << name << " " << texts[i];
      const auto back = (*tokenizer)->Decode(*ids, /*skip_special=*/false);
      ASSERT_TRUE(back.ok()) << back.status();
      came_back += *back == text;
    }
    // SmolLM2 has no token for the first byte of characters beyond U+3FFFF,
    // which occur in one of the texts.
    EXPECT_EQ(came_back, static_cast<int>(texts.size()) - 1);
  }
}

TEST(DemoGoldenTest, AllOfUnicodeIsThatOfHuggingFace) {
  const auto tokenizer = Tokenizer::Load(DemoTokenizer());
  ASSERT_TRUE(tokenizer.ok())
      << tokenizer.status()
      << "; run deploy/local/demo_model.sh, or set APOLLO_DEMO_MODEL";
  const Json golden = Read("golden_demo.json");
  const auto sums = UnicodeSums(**tokenizer);
  ASSERT_EQ(sums.size(), 272u);
  ASSERT_EQ(golden["unicode"].size(), sums.size());
  for (std::size_t block = 0; block < sums.size(); ++block) {
    EXPECT_EQ(golden["unicode"][block].get<std::vector<std::uint64_t>>(),
              sums[block])
        << "from code point " << block * 4096;
  }
}

}  // namespace
}  // namespace apollo

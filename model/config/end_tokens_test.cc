#include "model/config/end_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "common/json.h"

namespace apollo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class EndTokensTest : public testing::Test {
 protected:
  absl::StatusOr<EndTokens> Read(const Json& config,
                                 const std::optional<Json>& generation) {
    const ConfigReader reader(config, "d/config.json");
    if (!generation) return ReadEndTokens(reader, nullptr, 10, warnings_);
    const ConfigReader more(*generation, "d/generation_config.json");
    return ReadEndTokens(reader, &more, 10, warnings_);
  }
  static Json Of(const Json& ids) { return {{"eos_token_id", ids}}; }

  std::vector<std::string> warnings_;
};

TEST_F(EndTokensTest, AreThoseOfBothFiles) {
  EXPECT_THAT(Read(Of(3), {})->all, ElementsAre(3));
  EXPECT_THAT(Read(Of({3, 1}), Json::object())->all, ElementsAre(3, 1));
  EXPECT_THAT(Read(Of(3), Of(nullptr))->all, ElementsAre(3));
  const auto ends = Read(Of({3, 1}), Of({5, 3, 0}));
  ASSERT_TRUE(ends.ok()) << ends.status();
  EXPECT_THAT(ends->all, ElementsAre(3, 1, 5, 0));
  EXPECT_THAT(ends->added, ElementsAre(5, 0));
  EXPECT_THAT(Read(Of(3), Of(3))->added, IsEmpty());
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(EndTokensTest, OneFileWithEndsIsEnough) {
  for (const Json& config : {Json::object(), Of(nullptr), Of(Json::array())}) {
    const auto ends = Read(config, Of({5}));
    ASSERT_TRUE(ends.ok()) << ends.status();
    EXPECT_THAT(ends->all, ElementsAre(5));
    EXPECT_THAT(ends->added, ElementsAre(5));
  }
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(EndTokensTest, WithoutOneTheModelIsRefused) {
  for (const auto& generation :
       std::vector<std::optional<Json>>{{}, Json::object(), Of(nullptr)}) {
    EXPECT_EQ(Read(Json::object(), generation).status().message(),
              "d/config.json: key \"eos_token_id\" is missing, so that no "
              "answer would end; it must be a token id below 10 or a list of "
              "them, here or in generation_config.json");
  }
}

TEST_F(EndTokensTest, NoEndCanBeSaid) {
  EXPECT_THAT(Read(Of(Json::array()), {})->all, IsEmpty());
  EXPECT_THAT(Read(Json::object(), Of(Json::array()))->all, IsEmpty());
  EXPECT_THAT(warnings_,
              ElementsAre(HasSubstr("d/config.json: \"eos_token_id\" is []"),
                          HasSubstr("d/generation_config.json: "
                                    "\"eos_token_id\" is []")));
}

TEST_F(EndTokensTest, NamesTheFileOfAWrongId) {
  for (const Json& wrong :
       {Json(10), Json(-1), Json("3"), Json(3.5), Json::array({1, 10}),
        Json::array({nullptr}), Json::array({Json::array({1})}),
        Json(18446744073709551615u), Json(true)}) {
    EXPECT_THAT(std::string(Read(Of(wrong), Of(1)).status().message()),
                HasSubstr("d/config.json: \"eos_token_id\" is " + wrong.dump() +
                          "; it must be a token id below 10"));
    EXPECT_THAT(std::string(Read(Of(1), Of(wrong)).status().message()),
                HasSubstr("d/generation_config.json: \"eos_token_id\" is " +
                          wrong.dump()));
  }
}

}  // namespace
}  // namespace apollo

#include "model/prompt/template_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace apollo {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class TemplateSourceTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name) << text;
  }
  TemplateSource Found() {
    const auto source = FindChatTemplate(folder_);
    EXPECT_TRUE(source.ok()) << source.status();
    EXPECT_TRUE(source->has_value());
    return source->value_or(TemplateSource());
  }
  std::string Error() {
    const auto source = FindChatTemplate(folder_);
    EXPECT_EQ(source.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(source.status().message());
  }
  std::string folder_;
};

TEST_F(TemplateSourceTest, MayBeAbsent) {
  EXPECT_FALSE(FindChatTemplate(folder_)->has_value());
  Write("tokenizer_config.json", R"({"chat_template": null})");
  EXPECT_FALSE(FindChatTemplate(folder_)->has_value());
}

TEST_F(TemplateSourceTest, TakesTheFirstOfThreeFiles) {
  Write("chat_template.json", R"({"chat_template": "old"})");
  EXPECT_EQ(Found().text, "old");
  EXPECT_EQ(Found().file, folder_ + "/chat_template.json");
  Write("tokenizer_config.json", R"({"chat_template": "config"})");
  EXPECT_EQ(Found().text, "config");
  EXPECT_EQ(Found().file, folder_ + "/tokenizer_config.json");
  Write("chat_template.jinja", "{{ own }}\n");
  EXPECT_EQ(Found().text, "{{ own }}\n");
  EXPECT_EQ(Found().file, folder_ + "/chat_template.jinja");
}

TEST_F(TemplateSourceTest, TakesTheDefaultOfNamedTemplates) {
  Write("tokenizer_config.json", R"({"chat_template": [
      {"name": "tool_use", "template": "a"},
      {"name": "default", "template": "b"}]})");
  EXPECT_EQ(Found().text, "b");
  Write("tokenizer_config.json",
        R"({"chat_template": [{"name": "rag", "template": "a"}]})");
  EXPECT_THAT(Error(), HasSubstr("\"default\""));
  Write("tokenizer_config.json", R"({"chat_template": [{"name": "default"}]})");
  EXPECT_THAT(Error(), HasSubstr("\"template\""));
}

TEST_F(TemplateSourceTest, ReadsSpecialTokens) {
  Write("tokenizer_config.json", R"({"chat_template": "a", "bos_token": "<s>",
      "eos_token": {"content": "</s>", "lstrip": false}, "pad_token": null,
      "add_bos_token": true})");
  EXPECT_THAT(Found().special_tokens,
              ElementsAre(Pair("bos_token", "<s>"), Pair("eos_token", "</s>")));
  Write("tokenizer_config.json", R"({"bos_token": 1})");
  EXPECT_THAT(Error(), HasSubstr("tokenizer_config.json: \"bos_token\""));
}

TEST_F(TemplateSourceTest, NamesTheFileThatIsWrong) {
  Write("tokenizer_config.json", R"({"chat_template": 1})");
  EXPECT_THAT(Error(), HasSubstr("tokenizer_config.json: \"chat_template\""));
  Write("tokenizer_config.json", "[]");
  EXPECT_THAT(Error(), HasSubstr("tokenizer_config.json: "));
  Write("tokenizer_config.json", "{}");
  Write("chat_template.jinja", "a\xFF");
  EXPECT_THAT(Error(), HasSubstr("chat_template.jinja: is not valid UTF-8"));
}

// A snapshot of a cache without its blobs, for example.
TEST_F(TemplateSourceTest, ALinkToNothingIsNotIgnored) {
  Write("tokenizer_config.json", R"({"chat_template": "a"})");
  std::filesystem::create_symlink("nothing", folder_ + "/chat_template.jinja");
  const absl::Status status = FindChatTemplate(folder_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("chat_template.jinja"));
}

TEST_F(TemplateSourceTest, ReadsAFileOfItsOwn) {
  Write("tokenizer_config.json", R"({"eos_token": "</s>"})");
  Write("mine.jinja", "mine");
  const auto source = ReadChatTemplate(folder_ + "/mine.jinja", folder_);
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ(source->text, "mine");
  EXPECT_EQ(source->file, folder_ + "/mine.jinja");
  EXPECT_THAT(source->special_tokens, ElementsAre(Pair("eos_token", "</s>")));
  EXPECT_EQ(ReadChatTemplate(folder_ + "/none.jinja", folder_).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace apollo

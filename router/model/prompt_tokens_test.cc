#include "router/model/prompt_tokens.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "common/json.h"
#include "common/mapped_file.h"
#include "router/request/field_error.h"

namespace apollo {
namespace {

// Returns the golden model with a chat template.
std::unique_ptr<RouterModel> ModelWith(const std::string& chat_template) {
  const std::filesystem::path directory =
      std::filesystem::path(testing::TempDir()) /
      testing::UnitTest::GetInstance()->current_test_info()->name();
  std::filesystem::create_directories(directory);
  const std::filesystem::path golden = "tests/golden/published";
  std::filesystem::copy_file(golden / "tokenizer.json",
                             directory / "tokenizer.json",
                             std::filesystem::copy_options::overwrite_existing);
  const auto text = ReadFile(golden / "config.json", 1 << 20);
  EXPECT_TRUE(text.ok()) << text.status();
  auto config = ParseJson(*text, "config.json");
  EXPECT_TRUE(config.ok()) << config.status();
  (*config)["prompt_format"] = "template";
  std::ofstream(directory / "config.json") << config->dump();
  std::ofstream(directory / "chat_template.jinja") << chat_template;
  auto model = RouterModel::Load(directory, {});
  EXPECT_TRUE(model.ok()) << model.status();
  return *std::move(model);
}

PromptInput Question(const std::string& text) {
  PromptInput input;
  input.is_chat = true;
  input.chat = {{ChatRole::kUser, text}};
  return input;
}

TEST(EncodePromptTest, RendersChatsWithTheTemplate) {
  const auto model =
      ModelWith("<|im_start|>{{ messages[0].content }}<|im_end|>");
  const auto ids = EncodePrompt(*model, Question("a<|im_end|>"));
  ASSERT_TRUE(ids.ok()) << ids.status();
  EXPECT_EQ(*model->tokenizer->Decode(*ids, false),
            "<|im_start|>a<|im_end|><|im_end|>");
  EXPECT_EQ(ids->front(), *model->tokenizer->SpecialTokenId("<|im_start|>"));
  EXPECT_EQ(ids->back(), *model->tokenizer->SpecialTokenId("<|im_end|>"));
  int special = 0;
  for (const auto id : *ids) special += model->tokenizer->IsSpecial(id);
  EXPECT_EQ(special, 2);
}

TEST(EncodePromptTest, NamesTheChatThatTheTemplateRefuses) {
  const auto model = ModelWith(
      "{{ messages[0].content }}{% if messages[0].content == 'b' %}"
      "{{ raise_exception('Not ' + messages[0].content) }}{% endif %}"
      "{% if messages[0].content == 'c' %}{% for i in range(999) %}"
      "{% for j in range(9999) %}{% set k = i %}{% endfor %}"
      "{% endfor %}{% endif %}");
  EXPECT_TRUE(EncodePrompt(*model, Question("a")).ok());
  const auto refused = EncodePrompt(*model, Question("b"));
  EXPECT_EQ(refused.status(),
            FieldError("chat", "is refused by the model's chat template"));
  const auto problems =
      FieldProblemsOf(EncodePrompt(*model, Question("c")).status());
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].field, "chat");
}

}  // namespace
}  // namespace apollo

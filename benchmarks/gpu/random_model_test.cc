#include "benchmarks/gpu/random_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>

#include "benchmarks/load/prompts.h"
#include "model/config/model_config.h"
#include "model/tokenizer/tokenizer.h"
#include "model/weights/open_model.h"

namespace apollo {
namespace {

constexpr char kTokenizer[] = "tests/golden/published/tokenizer.json";

std::string Folder(const std::string& name) {
  const std::string folder = testing::TempDir() + "/" + name;
  std::filesystem::create_directories(folder);
  return folder;
}

TEST(RandomModelTest, CanBeServed) {
  const std::string folder = Folder("served");
  ASSERT_EQ(WriteRandomModel("tiny", kTokenizer, folder), absl::OkStatus());
  const auto model = OpenModelDirectory(folder);
  ASSERT_TRUE(model.ok()) << model.status();
  const auto config = LoadModelConfig(folder);
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->hidden_size, 64);
  EXPECT_EQ(config->num_experts, 7);
  // Every call gives the same.
  const std::string again = Folder("again");
  ASSERT_EQ(WriteRandomModel("tiny", kTokenizer, again), absl::OkStatus());
  EXPECT_EQ(OpenModelDirectory(again)->hash, model->hash);
}

TEST(RandomModelTest, EachWordOfThePromptsIsOneToken) {
  const std::string folder = Folder("words");
  ASSERT_EQ(WriteRandomModel("tiny", kTokenizer, folder), absl::OkStatus());
  const auto tokenizer = Tokenizer::Load(folder + "/tokenizer.json");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  std::string text;
  for (const char* const word : load::Prompts::Words()) {
    text += std::string(" ") + word;
  }
  const auto ids = (*tokenizer)->Encode(text, SpecialText::kPlain);
  ASSERT_TRUE(ids.ok()) << ids.status();
  EXPECT_EQ(ids->size(), load::Prompts::Words().size());
  const auto end = (*tokenizer)->SpecialTokenId("<|endoftext|>");
  ASSERT_TRUE(end.has_value());
  EXPECT_GT(*end, 256);
}

TEST(RandomModelTest, WrongArgumentsAreNamed) {
  const std::string folder = Folder("wrong");
  const absl::Status shape = WriteRandomModel("8B", kTokenizer, folder);
  EXPECT_EQ(shape.code(), absl::StatusCode::kInvalidArgument);
  for (const char* const part : {"8B", "0.5B", "7B", "tiny"}) {
    EXPECT_NE(shape.message().find(part), std::string::npos) << shape;
  }
  EXPECT_EQ(WriteRandomModel("tiny", "not/there.json", folder).code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(
      WriteRandomModel("tiny", "tests/golden/published/config.json", folder)
          .code(),
      absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace apollo

#include "tools/upcycle/gguf_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "tools/upcycle/dense_base.h"
#include "tools/upcycle/gguf_test_files.h"

namespace apollo {
namespace {

using ::testing::HasSubstr;

std::vector<std::string> Write(const std::vector<std::string>& files,
                               const std::string& count) {
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < files.size(); ++i) {
    paths.push_back(WriteTestFile(
        "base-0000" + std::to_string(i + 1) + "-of-0000" + count + ".gguf",
        files[i]));
  }
  return paths;
}

std::vector<float> Rows(const DenseBase& base, const std::string& name) {
  const auto shape = base.Shape(name);
  if (!shape.ok()) {
    ADD_FAILURE() << shape.status();
    return {};
  }
  std::size_t count = 1;
  for (const auto size : *shape) count *= static_cast<std::size_t>(size);
  std::vector<float> values(count);
  EXPECT_TRUE(base.ReadRows(name, 0, (*shape)[0], values.data()).ok());
  return values;
}

TEST(GgufModelTest, AllPartsAreReadWhicheverIsGiven) {
  TinyModel model;
  model.architecture = "qwen2";
  model.biases = true;
  model.untied = true;
  const auto paths = Write(model.BuildParts(3), "3");
  for (const std::string& path : paths) {
    const auto base = OpenDenseBase(path);
    ASSERT_TRUE(base.ok()) << base.status();
    EXPECT_FALSE((*base)->config().tied_embeddings);
    EXPECT_EQ(Rows(**base, "lm_head.weight"), model.values["output.weight"]);
    EXPECT_EQ(Rows(**base, "model.layers.2.mlp.down_proj.weight"),
              model.values["blk.2.ffn_down.weight"]);
    EXPECT_EQ(Rows(**base, "model.layers.0.self_attn.k_proj.bias"),
              model.values["blk.0.attn_k.bias"]);
  }
}

TEST(GgufModelTest, TheHeadIsTiedOnlyInACompleteModel) {
  TinyModel model;
  model.untied = true;
  // The third tensor, output.weight, is in the part that is missing.
  const auto paths = Write(model.BuildParts(3), "3");
  std::filesystem::remove(paths[2]);
  EXPECT_EQ(ErrorOf(OpenDenseBase(paths[0]).status()),
            "base-00001-of-00003.gguf: is part 1 of 3; part 3 is missing: "
            "base-00003-of-00003.gguf");
  std::filesystem::remove(paths[0]);
  EXPECT_EQ(ErrorOf(OpenDenseBase(paths[1]).status()),
            "base-00002-of-00003.gguf: is part 2 of 3; part 1 is missing: "
            "base-00001-of-00003.gguf");
}

TEST(GgufModelTest, WhereNamesThePart) {
  TinyModel model;
  const auto paths = Write(model.BuildParts(2), "2");
  const auto opened = GgufModel::Open(paths[1]);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->Where("output_norm.weight"),
            paths[1] + ": tensor \"output_norm.weight\"");
  EXPECT_EQ(opened->Where("nothing"), paths[0] + ": tensor \"nothing\"");
  EXPECT_EQ(opened->keys().path(), paths[0]);
  EXPECT_EQ(opened->TensorNames().size(), model.values.size());
}

TEST(GgufModelTest, APartMustBeCalledByItsNumber) {
  TinyModel model;
  const auto files = model.BuildParts(2);
  const std::string renamed = WriteTestFile("base.gguf", files[1]);
  EXPECT_EQ(ErrorOf(OpenDenseBase(renamed).status()),
            "base.gguf: is part 2 of 2 (split.no, split.count), so its name "
            "must end in \"-00002-of-00002.gguf\" for the other parts to be "
            "found");
  // Both files hold the second part.
  const auto paths = Write({files[1], files[1]}, "2");
  EXPECT_THAT(ErrorOf(OpenDenseBase(paths[0]).status()),
              HasSubstr("is part 2 of 2"));
  EXPECT_EQ(ErrorOf(OpenDenseBase(paths[1]).status()),
            "base-00001-of-00002.gguf: says that it is part 2 of 2 (split.no, "
            "split.count); by its name and base-00002-of-00002.gguf it must be "
            "part 1 of 2");
}

TEST(GgufModelTest, AWholeFileMayNotBeCalledAPart) {
  const std::string whole = TinyModel().Build();
  EXPECT_THAT(
      ErrorOf(OpenDenseBase(WriteTestFile("base-00001-of-00002.gguf", whole))
                  .status()),
      HasSubstr("the key split.count is missing"));
  EXPECT_TRUE(
      OpenDenseBase(WriteTestFile("base-00001-of-00001.gguf", whole)).ok());
}

TEST(GgufModelTest, PartsOfDifferentModelsAreRefused) {
  TinyModel one;
  TinyModel other;
  other.untied = true;
  TinyModel qwen;
  qwen.architecture = "qwen2";
  const auto files = one.BuildParts(2);
  auto paths = Write({files[0], other.BuildParts(2)[1]}, "2");
  EXPECT_THAT(ErrorOf(OpenDenseBase(paths[0]).status()),
              HasSubstr("base-00002-of-00002.gguf: split.tensors.count is not "
                        "that of base-00001-of-00002.gguf"));
  paths = Write({qwen.BuildParts(2)[0], files[0]}, "2");
  EXPECT_THAT(ErrorOf(OpenDenseBase(paths[0]).status()),
              HasSubstr("says that it is part 1 of 2"));
  TinyModel mixed;
  mixed.more_parts.resize(1);
  mixed.more_parts[0].AddString("general.architecture", "qwen2");
  paths = Write(mixed.BuildParts(2), "2");
  EXPECT_EQ(ErrorOf(OpenDenseBase(paths[0]).status()),
            "base-00002-of-00002.gguf: general.architecture is \"qwen2\", but "
            "in base-00001-of-00002.gguf \"llama\"");
  // The first part of another model that holds a tensor of the second.
  TinyModel doubled;
  doubled.builder.AddTensor("output_norm.weight", {1}, kGgmlF32,
                            GgufBuilder::Floats({1}));
  doubled.left_out = "blk.2.ffn_down.weight";
  paths = Write({doubled.BuildParts(2)[0], files[1]}, "2");
  EXPECT_THAT(ErrorOf(OpenDenseBase(paths[0]).status()),
              HasSubstr("tensor \"output_norm.weight\" is also in"));
}

TEST(GgufModelTest, TheNumberOfTensorsMustBeThatOfTheKeys) {
  TinyModel model;
  model.builder.AddU32("split.tensors.count", 99);
  EXPECT_EQ(ErrorOf(OpenTiny(model).status()),
            "base.gguf: split.tensors.count is 99, but the 1 part(s) hold 29 "
            "tensors");
}

TEST(GgufModelTest, RefusesKeysThatContradictEachOther) {
  const auto error = [](int number, int count) {
    TinyModel model;
    model.builder.AddU16("split.no", static_cast<std::uint16_t>(number));
    model.builder.AddU16("split.count", static_cast<std::uint16_t>(count));
    return ErrorOf(OpenTiny(model).status());
  };
  EXPECT_EQ(error(0, 0), "");
  EXPECT_EQ(error(0, 1), "");
  EXPECT_THAT(error(2, 2), HasSubstr("key \"split.no\" is 2; it must be from 0 "
                                     "to 1, below split.count"));
  EXPECT_THAT(error(1, 65535), HasSubstr("is part 2 of 65535"));
  TinyModel many;
  many.builder.AddU32("split.count", 100000);
  EXPECT_THAT(ErrorOf(OpenTiny(many).status()),
              HasSubstr("key \"split.count\" is 100000; it must be from 1 to "
                        "99999"));
  TinyModel unnumbered;
  unnumbered.builder.AddU32("split.count", 2);
  EXPECT_THAT(ErrorOf(OpenTiny(unnumbered).status()),
              HasSubstr("key \"split.no\" is missing"));
}

}  // namespace
}  // namespace apollo

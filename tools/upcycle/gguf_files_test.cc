// Files that the Python package gguf wrote (testdata/make_gguf.py).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "common/mapped_file.h"
#include "tools/upcycle/dequantize.h"
#include "tools/upcycle/gguf_file.h"
#include "tools/upcycle/options.h"
#include "tools/upcycle/upcycler.h"

namespace apollo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kFolder[] = "tools/upcycle/testdata/";

TEST(GgufFilesTest, EveryTypeOfValueAndShape) {
  const auto mapping =
      MappedFile::Open(std::string(kFolder) + "every_type.gguf");
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  const auto parsed = GgufFile::Parse(mapping->bytes(), "e.gguf");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const GgufFile& file = *parsed;
  EXPECT_EQ(*file.GetInt("general.alignment"), 64);
  EXPECT_EQ(*file.GetInt("u8"), 255);
  EXPECT_EQ(*file.GetInt("i8"), -128);
  EXPECT_EQ(*file.GetInt("u16"), 65535);
  EXPECT_EQ(*file.GetInt("i16"), -32768);
  EXPECT_EQ(*file.GetInt("u32"), 4294967295);
  EXPECT_EQ(*file.GetInt("i32"), -2147483648);
  EXPECT_EQ(*file.GetNumber("f32"), double{1e-5f});
  EXPECT_TRUE(*file.GetBool("yes"));
  EXPECT_EQ(*file.GetString("text"), "na\u00efve \u6f22\u5b57");
  EXPECT_EQ(file.GetInt("u64").status().message(),
            "e.gguf: key \"u64\" is too large: 18446744073709551615");
  EXPECT_EQ(*file.GetInt("i64"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(*file.GetNumber("f64"), 1e-300);
  EXPECT_EQ((*file.GetStrings("strings"))[2].size(), 600u);
  EXPECT_THAT(*file.GetInts("ints"), ElementsAre(1, -2, 3));
  EXPECT_TRUE(file.Has("floats"));
  EXPECT_TRUE(file.Has("bools"));
  EXPECT_TRUE(file.Has("nested"));

  const std::vector<std::vector<std::int64_t>> shapes = {
      {4}, {1, 4}, {3, 1, 4}, {2, 3, 1, 4}};
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const GgufTensor* tensor = file.FindTensor("t" + std::to_string(i + 1));
    ASSERT_NE(tensor, nullptr);
    EXPECT_EQ(tensor->shape, shapes[i]);
    EXPECT_EQ(tensor->row_elements(), 4);
    std::vector<float> values(static_cast<std::size_t>(tensor->num_rows()) * 4);
    Dequantize(*tensor->type, tensor->data, values.data());
    for (std::size_t j = 0; j < values.size(); ++j) {
      EXPECT_EQ(values[j], static_cast<float>(j + i + 1));
    }
  }
  std::vector<float> half(2);
  const GgufTensor* tensor = file.FindTensor("half");
  Dequantize(*tensor->type, tensor->data, half.data());
  EXPECT_THAT(half, ElementsAre(0.5f, -2.0f));
}

TEST(GgufFilesTest, BigEndianIsRefusedByName) {
  const auto mapping =
      MappedFile::Open(std::string(kFolder) + "big_endian.gguf");
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  EXPECT_EQ(GgufFile::Parse(mapping->bytes(), "b.gguf").status().message(),
            "b.gguf: the file is big-endian (GGUF version 3); only "
            "little-endian files can be read");
}

std::string UpcycledFile(const std::string& input, const std::string& name) {
  UpcycleOptions options;
  options.input = kFolder + input;
  options.output = testing::TempDir() + "/gguf_files_test";
  options.sparse_layers = 1;
  options.overwrite = true;
  const absl::Status status = Upcycle(options, [](const std::string&) {});
  EXPECT_TRUE(status.ok()) << status;
  return ReadFile(options.output + "/" + name, 1 << 20).value_or("");
}

TEST(GgufFilesTest, ASplitModelEqualsTheWholeOne) {
  for (const char* name :
       {"model.safetensors", "config.json", "tokenizer.json"}) {
    const std::string whole = UpcycledFile("whole.gguf", name);
    ASSERT_FALSE(whole.empty());
    for (const char* part :
         {"parts-00001-of-00003.gguf", "parts-00003-of-00003.gguf"}) {
      EXPECT_EQ(UpcycledFile(part, name), whole) << part << " " << name;
    }
  }
  const std::string config = UpcycledFile("whole.gguf", "config.json");
  EXPECT_THAT(config, HasSubstr("\"tie_word_embeddings\": false"));
  EXPECT_THAT(config, HasSubstr("\"eos_token_id\": [\n    1,\n    0\n  ]"));
}

}  // namespace
}  // namespace apollo

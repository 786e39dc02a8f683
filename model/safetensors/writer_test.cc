#include "model/safetensors/writer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "model/safetensors/reader.h"

namespace apollo {
namespace {

std::string TempPath(const std::string& name) {
  const std::string path = testing::TempDir() + "/" + name;
  std::filesystem::remove_all(path);
  std::filesystem::remove_all(path + ".partial");
  return path;
}

bool Exists(const std::string& path) { return std::filesystem::exists(path); }

TEST(SafetensorsWriterTest, WritesWhatTheReaderReads) {
  const std::string path = TempPath("round_trip.safetensors");
  auto writer = SafetensorsWriter::Create(
      path, {{"z", DType::kF32, {2, 2}},
             {"empty", DType::kF16, {0, 5}},
             {"scalar \"q\" \xc3\xa9", DType::kBF16, {}},
             {"h", DType::kF16, {3}}});
  ASSERT_TRUE(writer.ok()) << writer.status();
  // In parts, some of them as bytes.
  ASSERT_TRUE(writer->AppendFloats("z", std::vector<float>{1, 2, 3}).ok());
  const std::vector<std::uint8_t> four = {0, 0, 0x80, 0x40};
  ASSERT_TRUE(writer->Append("z", four).ok());
  ASSERT_TRUE(writer->Append("empty", {}).ok());
  ASSERT_TRUE(
      writer->AppendFloats("scalar \"q\" \xc3\xa9", std::vector<float>{-1})
          .ok());
  ASSERT_TRUE(writer->AppendFloats("h", std::vector<float>{0.5f, 1, 2}).ok());
  EXPECT_FALSE(Exists(path));
  ASSERT_TRUE(writer->Finish().ok());
  EXPECT_FALSE(Exists(path + ".partial"));

  const auto file = SafetensorsFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->names(), (std::vector<std::string>{
                               "empty", "h", "scalar \"q\" \xc3\xa9", "z"}));
  const TensorView* z = file->Find("z");
  ASSERT_NE(z, nullptr);
  EXPECT_EQ(z->dtype, DType::kF32);
  EXPECT_EQ(z->shape, (std::vector<std::int64_t>{2, 2}));
  EXPECT_EQ(std::vector<std::uint8_t>(z->data.begin(), z->data.end()),
            (std::vector<std::uint8_t>{0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 0, 0,
                                       0x40, 0x40, 0, 0, 0x80, 0x40}));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(z->data.data()) % 8, 0u);
  const TensorView* h = file->Find("h");
  ASSERT_NE(h, nullptr);
  EXPECT_EQ(std::vector<std::uint8_t>(h->data.begin(), h->data.end()),
            (std::vector<std::uint8_t>{0, 0x38, 0, 0x3c, 0, 0x40}));
  EXPECT_EQ(file->Find("scalar \"q\" \xc3\xa9")->data.size(), 2u);
  EXPECT_EQ(file->Find("nothing"), nullptr);
}

TEST(SafetensorsWriterTest, RefusesDataThatIsNotDue) {
  const std::string path = TempPath("order.safetensors");
  auto writer = SafetensorsWriter::Create(
      path, {{"a", DType::kF32, {1}}, {"b", DType::kF32, {1}}});
  ASSERT_TRUE(writer.ok());
  const std::vector<float> one = {1};
  EXPECT_FALSE(writer->AppendFloats("b", one).ok());
  EXPECT_FALSE(writer->AppendFloats("a", std::vector<float>{1, 2}).ok());
  EXPECT_TRUE(writer->AppendFloats("a", one).ok());
  EXPECT_FALSE(writer->AppendFloats("a", one).ok());
  EXPECT_EQ(writer->Finish().message(),
            path + ": tensor \"b\": only 0 of 4 bytes were appended");
  EXPECT_TRUE(writer->AppendFloats("b", one).ok());
  EXPECT_FALSE(writer->AppendFloats("b", one).ok());
  EXPECT_TRUE(writer->Finish().ok());
  EXPECT_FALSE(writer->AppendFloats("b", one).ok());
  EXPECT_FALSE(writer->Finish().ok());
}

TEST(SafetensorsWriterTest, LeavesNothingBehindWhenAbandoned) {
  const std::string path = TempPath("abandoned.safetensors");
  std::ofstream(path) << "old";
  {
    auto writer = SafetensorsWriter::Create(path, {{"a", DType::kF32, {1}}});
    ASSERT_TRUE(writer.ok());
    EXPECT_TRUE(Exists(path + ".partial"));
  }
  EXPECT_FALSE(Exists(path + ".partial"));
  std::string kept;
  std::ifstream(path) >> kept;
  EXPECT_EQ(kept, "old");
}

TEST(SafetensorsWriterTest, RefusesDeclarationsThatCannotBeWritten) {
  const std::string path = TempPath("bad.safetensors");
  const std::int64_t huge = std::int64_t{1} << 62;
  const std::vector<std::vector<TensorSpec>> all = {
      {{"", DType::kF32, {1}}},
      {{"__metadata__", DType::kF32, {1}}},
      {{"a", DType::kF32, {1}}, {"a", DType::kF32, {1}}},
      {{"a", DType::kF32, {-1}}},
      {{"a", DType::kF32, {huge, 8}}},
      {{"a", DType::kOther, {1}}},
      {{"\xff", DType::kF32, {1}}}};
  for (const auto& tensors : all) {
    EXPECT_EQ(SafetensorsWriter::Create(path, tensors).status().code(),
              absl::StatusCode::kInvalidArgument);
    EXPECT_FALSE(Exists(path + ".partial"));
  }
}

TEST(SafetensorsWriterTest, NamesAFolderThatIsNotThere) {
  const std::string path = TempPath("no_such_folder") + "/x.safetensors";
  const auto writer = SafetensorsWriter::Create(path, {});
  EXPECT_EQ(writer.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(writer.status().message().find(path), std::string::npos);
}

}  // namespace
}  // namespace apollo

#include "model/safetensors/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "model/safetensors/writer.h"

namespace apollo {
namespace {

using ::testing::HasSubstr;

class CheckpointTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = testing::TempDir() + "/checkpoint_" +
                 testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
  }

  // Writes one-element float32 tensors with these names and consecutive values
  // from `first`.
  void WriteTensors(const std::string& file,
                    const std::vector<std::string>& names, float first) {
    std::vector<TensorSpec> specs;
    for (const std::string& name : names)
      specs.push_back({name, DType::kF32, {1}});
    auto writer = SafetensorsWriter::Create(directory_ + "/" + file, specs);
    ASSERT_TRUE(writer.ok()) << writer.status();
    for (const std::string& name : names) {
      ASSERT_TRUE(writer->AppendFloats(name, std::vector<float>{first++}).ok());
    }
    ASSERT_TRUE(writer->Finish().ok());
  }

  void WriteText(const std::string& file, const std::string& text) {
    std::ofstream(directory_ + "/" + file) << text;
  }

  void WriteIndex(const std::string& weight_map) {
    WriteText("model.safetensors.index.json",
              "{\"metadata\": {}, \"weight_map\": " + weight_map + "}");
  }

  std::string directory_;
};

float Value(const TensorView& view) {
  float value;
  std::memcpy(&value, view.data.data(), sizeof(value));
  return value;
}

TEST_F(CheckpointTest, OpensASingleFile) {
  WriteTensors("model.safetensors", {"a", "b"}, 1);
  WriteIndex("3");  // Ignored.
  auto opened = Checkpoint::Open(directory_);
  ASSERT_TRUE(opened.ok()) << opened.status();
  const Checkpoint checkpoint = std::move(*opened);  // Views survive a move.
  EXPECT_EQ(checkpoint.names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(Value(*checkpoint.Find("b")), 2);
  EXPECT_EQ(checkpoint.Find("c"), nullptr);
  EXPECT_EQ(checkpoint.Get("c").status().message(),
            directory_ + ": tensor \"c\" is missing");
}

TEST_F(CheckpointTest, OpensShards) {
  WriteTensors("one.safetensors", {"a", "unlisted"}, 1);
  WriteTensors("two.safetensors", {"b", "c"}, 3);
  WriteIndex(R"({"a": "one.safetensors", "b": "two.safetensors",
                 "c": "two.safetensors"})");
  const auto checkpoint = Checkpoint::Open(directory_);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(checkpoint->names(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(Value(**checkpoint->Get("a")), 1);
  EXPECT_EQ(Value(**checkpoint->Get("c")), 4);
  EXPECT_EQ(checkpoint->Find("unlisted"), nullptr);
}

TEST_F(CheckpointTest, AListedTensorThatIsNotThereIsNoObstacle) {
  WriteTensors("one.safetensors", {"a"}, 1);
  WriteIndex(R"({"a": "one.safetensors", "b": "one.safetensors",
                 "c": "two.safetensors"})");
  const auto checkpoint = Checkpoint::Open(directory_);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(checkpoint->names(), std::vector<std::string>{"a"});
  EXPECT_EQ(checkpoint->absent().size(), 2u);
  const std::string index = directory_ + "/model.safetensors.index.json";
  EXPECT_EQ(checkpoint->Get("b").status().message(),
            index +
                ": tensor \"b\" is listed as part of one.safetensors, which "
                "does not have it");
  EXPECT_EQ(checkpoint->Get("c").status().message(),
            index +
                ": tensor \"c\" is listed as part of two.safetensors, which "
                "does not exist");
  EXPECT_EQ(checkpoint->Get("d").status().message(),
            directory_ + ": tensor \"d\" is missing");
}

TEST_F(CheckpointTest, NamesABrokenShard) {
  WriteText("one.safetensors", "garbage");
  WriteIndex(R"({"a": "one.safetensors"})");
  EXPECT_THAT(Checkpoint::Open(directory_).status().message(),
              HasSubstr(directory_ + "/one.safetensors: has 7 bytes"));
}

TEST_F(CheckpointTest, FileNamesMayBeginWithADot) {
  WriteTensors("one.safetensors", {"a", "b", "c"}, 1);
  WriteIndex(R"({"a": "./one.safetensors", "b": "././one.safetensors",
                 "c": "one.safetensors"})");
  const auto checkpoint = Checkpoint::Open(directory_);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(Value(**checkpoint->Get("b")), 2);
  EXPECT_EQ(checkpoint->files().size(), 1u);
}

TEST_F(CheckpointTest, PartsTakeThePlaceOfATensor) {
  WriteTensors("model.safetensors", {"a", "b"}, 1);
  auto opened = Checkpoint::Open(directory_);
  ASSERT_TRUE(opened.ok()) << opened.status();
  const TensorView whole = *opened->Find("a");
  opened->Replace("a", {{"c", whole}, {"d", whole}});
  const Checkpoint checkpoint = std::move(*opened);  // Parts survive a move.
  EXPECT_EQ(checkpoint.names(), (std::vector<std::string>{"b", "c", "d"}));
  EXPECT_EQ(checkpoint.Find("c")->data.data(), whole.data.data());
  EXPECT_EQ(checkpoint.Find("a"), nullptr);
  EXPECT_TRUE(checkpoint.WasReplaced("a"));
  EXPECT_FALSE(checkpoint.WasReplaced("b"));
}

TEST_F(CheckpointTest, RefusesShardsOutsideTheDirectory) {
  WriteTensors("one.safetensors", {"a"}, 1);
  for (const char* name :
       {"../one.safetensors", "/one.safetensors", "./../one.safetensors",
        ".//one.safetensors", "./x/one.safetensors", "x/one.safetensors", "..",
        "", "..safetensors", "one\\u0000.safetensors", "x\\\\one.safetensors",
        "one.bin"}) {
    WriteIndex(std::string("{\"a\": \"") + name + "\"}");
    EXPECT_THAT(Checkpoint::Open(directory_).status().message(),
                HasSubstr("tensor \"a\": the file must be a plain name"))
        << name;
  }
}

TEST_F(CheckpointTest, RefusesABrokenIndex) {
  for (const char* map :
       {"3", "[]", "{}", "null", "{\"a\": 3}", "{\"a\": null}",
        "{\"a\": \"x.safetensors\", \"a\": \"x.safetensors\"}"}) {
    WriteIndex(map);
    EXPECT_THAT(Checkpoint::Open(directory_).status().message(),
                HasSubstr(directory_ + "/model.safetensors.index.json"))
        << map;
  }
  for (const char* text : {"", "{", "[]", "{}", "\"weight_map\""}) {
    WriteText("model.safetensors.index.json", text);
    EXPECT_FALSE(Checkpoint::Open(directory_).ok()) << text;
  }
}

TEST_F(CheckpointTest, NamesABrokenFile) {
  WriteText("model.safetensors", "garbage");
  EXPECT_THAT(Checkpoint::Open(directory_).status().message(),
              HasSubstr(directory_ + "/model.safetensors: has 7 bytes"));
}

TEST_F(CheckpointTest, SaysWhatIsMissing) {
  EXPECT_EQ(Checkpoint::Open(directory_).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(Checkpoint::Open(directory_ + "/nowhere").status().message(),
            directory_ +
                "/nowhere is not a directory; a model directory holds "
                "model.safetensors or model.safetensors.index.json");
  std::filesystem::create_directory(directory_ + "/model.safetensors");
  EXPECT_FALSE(Checkpoint::Open(directory_).ok());
}

}  // namespace
}  // namespace apollo

#include "model/weights/packed_weights.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "common/sha256.h"
#include "common/thread_pool.h"
#include "kernels/cpu_level.h"
#include "model/safetensors/reader.h"
#include "model/safetensors/writer.h"
#include "model/weights/open_model.h"
#include "model/weights/packed_writer.h"
#include "model/weights/test_weights.h"
#include "model/weights/weight_names.h"

namespace apollo {
namespace {

namespace fs = std::filesystem;

const std::string kGolden = "tests/golden/";

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void WriteAll(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// Creates a directory with the case's config.json and its packed weights.
std::string Packed(const std::string& name,
                   std::optional<WeightFormat> format) {
  const std::string directory =
      testing::TempDir() + "/packed_" + name + "_" + WeightsName(format);
  fs::remove_all(directory);
  fs::create_directories(directory);
  fs::copy_file(kGolden + name + "/config.json", directory + "/config.json");
  ThreadPool pool(2);
  std::int64_t done = 0, total = -1;
  const absl::Status status =
      PackModel(kGolden + name, format, directory + "/" + kPackedFile, pool,
                [&](std::int64_t d, std::int64_t t) { done = d, total = t; });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(done, total);
  return directory;
}

TEST(PackedWeightsTest, ServesWhatTheCheckpointServesToTheLastBit) {
  for (const char* name : {"published", "shared_expert_f16", "sharded_f32",
                           "all_sparse", "every_expert"}) {
    for (const std::optional<WeightFormat> format : AllFormats()) {
      SCOPED_TRACE(std::string(name) + " " + WeightsName(format));
      const auto packed = OpenModelDirectory(Packed(name, format));
      ASSERT_TRUE(packed.ok()) << packed.status();
      const auto plain = OpenModelDirectory(kGolden + name, format);
      ASSERT_TRUE(plain.ok()) << plain.status();
      // So that they may serve together.
      EXPECT_EQ(packed->hash, plain->hash);
      const auto packed_bytes = ReadWeights(*packed);
      const auto plain_bytes = ReadWeights(*plain);
      ASSERT_TRUE(packed_bytes.ok()) << packed_bytes.status();
      ASSERT_TRUE(plain_bytes.ok()) << plain_bytes.status();
      EXPECT_TRUE(*packed_bytes == *plain_bytes);
    }
  }
}

// Returns the content of a safetensors file after the header.
std::string DataOf(const std::string& file) {
  std::size_t header = 0;
  for (int i = 7; i >= 0; --i) {
    header = header << 8 | static_cast<std::uint8_t>(file[i]);
  }
  return file.substr(8 + header);
}

// Packed files outlive the program that made them. If the bytes changed without
// a new version, old files would be served with wrong numbers.
TEST(PackedWeightsTest, TheBytesOfAVersionStayWhatTheyAre) {
  struct Sums {
    WeightFormat format;
    const char* file;
    const char* data;  // Also those of version 1.
  };
  const Sums all_sums[] = {
      {WeightFormat::kInt8,
       "f06e54354e76458815f72d01042bcc9773fd8ecbe51a25d26a67fa7584e84187",
       "9a26d49383a8a9a08948172d446904c30e57d1b365d4cf5bff650a83c2e12577"},
      {WeightFormat::kInt4,
       "5fcd0aab22d37872833b3793aaded9730dc280165d76e6ea94bc0a76b07eda04",
       "c6caa987d9245b6100a1afedc1cab6b932a3edddb81914da611621377ed60702"}};
  const CpuLevel before = CurrentCpuLevel();
  for (const CpuLevel level : kCpuLevels) {
    if (level > BestCpuLevel()) break;
    UseCpuLevel(level);
    for (const Sums& sums : all_sums) {
      SCOPED_TRACE(std::string(WeightsName(sums.format)) + " packed with " +
                   CpuLevelName(level));
      const std::string file =
          ReadAll(Packed("published", sums.format) + "/" + kPackedFile);
      EXPECT_EQ(Sha256Hex(DataOf(file)), sums.data)
          << "The bytes of the format have changed: increment kPackedVersion "
             "(model/weights/packed_format.h), so that older files are "
             "rejected, and update the sums here.";
      EXPECT_EQ(Sha256Hex(file), sums.file)
          << "Only the header has changed if the data sum matches.";
    }
  }
  UseCpuLevel(before);
}

TEST(PackedWeightsTest, TheFormatIsTheFiles) {
  const std::string directory = Packed("published", WeightFormat::kInt8);
  EXPECT_TRUE(OpenModelDirectory(directory, WeightFormat::kInt8).ok());
  const absl::Status status =
      OpenModelDirectory(directory, WeightFormat::kInt4).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  const std::string message(status.message());
  EXPECT_NE(message.find("int4"), std::string::npos) << message;
  EXPECT_NE(message.find("holds int8"), std::string::npos) << message;
  ThreadPool pool(1);
  EXPECT_EQ(PackModel(directory, WeightFormat::kInt8, directory + "/again",
                      pool, nullptr)
                .code(),
            absl::StatusCode::kInvalidArgument);
}

// Opens the directory and expects an error that names the file and contains
// `words`.
void ExpectRefused(const std::string& directory, const std::string& words) {
  const absl::Status status = OpenModelDirectory(directory).status();
  ASSERT_FALSE(status.ok()) << words;
  const std::string message(status.message());
  EXPECT_NE(message.find(directory), std::string::npos) << message;
  EXPECT_NE(message.find(words), std::string::npos) << message;
}

TEST(PackedWeightsTest, TruncatedAndForeignFilesAreRefused) {
  const std::string directory = Packed("published", WeightFormat::kInt8);
  const std::string path = directory + "/" + kPackedFile;
  const std::string good = ReadAll(path);
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{5}, std::size_t{100}, good.size() / 2,
        good.size() - 1}) {
    WriteAll(path, good.substr(0, size));
    ExpectRefused(directory, "");
  }
  WriteAll(path, ReadAll(kGolden + "published/model.safetensors"));
  ExpectRefused(directory, "not a file of packed weights");
  WriteAll(path, good);
  EXPECT_TRUE(OpenModelDirectory(directory).ok());
  // The config has changed.
  std::string config = ReadAll(directory + "/config.json");
  WriteAll(directory + "/config.json", config + "\n");
  ExpectRefused(directory, "pack again");
}

// config.json is the same.
TEST(PackedWeightsTest, OtherEndsAreAnotherModel) {
  const std::string directory = Packed("published", WeightFormat::kInt8);
  const std::string file = directory + "/generation_config.json";
  WriteAll(file, R"({"eos_token_id": [256], "temperature": 0.5})");
  EXPECT_TRUE(OpenModelDirectory(directory).ok());
  WriteAll(file, R"({"eos_token_id": [256, 257]})");
  ExpectRefused(directory, "the ends of generation_config.json");
  const std::string resaved = Packed("resaved", WeightFormat::kInt8);
  ExpectRefused(resaved, "the ends of generation_config.json");
  fs::copy_file(kGolden + std::string("resaved/generation_config.json"),
                resaved + "/generation_config.json");
  const auto packed = OpenModelDirectory(resaved);
  ASSERT_TRUE(packed.ok()) << packed.status();
  EXPECT_EQ(packed->hash, OpenModelDirectory(kGolden + std::string("resaved"),
                                             WeightFormat::kInt8)
                              ->hash);
}

// A packed directory has the config.json of the checkpoint.
TEST(PackedWeightsTest, KeysOfTheConfigAreChecked) {
  const std::string from = testing::TempDir() + "/doubtful";
  fs::remove_all(from);
  fs::create_directories(from);
  fs::copy_file(kGolden + std::string("published/model.safetensors"),
                from + "/model.safetensors");
  std::string config = ReadAll(kGolden + std::string("published/config.json"));
  config.insert(1, "\"new_gate\": 1, ");
  WriteAll(from + "/config.json", config);
  const std::string directory = testing::TempDir() + "/doubtful_packed";
  fs::remove_all(directory);
  fs::create_directories(directory);
  fs::copy_file(from + "/config.json", directory + "/config.json");
  ThreadPool pool(1);
  ASSERT_TRUE(PackModel(from, WeightFormat::kInt8,
                        directory + "/" + kPackedFile, pool, nullptr)
                  .ok());
  const auto packed = OpenModelDirectory(directory);
  ASSERT_TRUE(packed.ok()) << packed.status();
  ASSERT_EQ(packed->warnings.size(), 1u);
  EXPECT_NE(packed->warnings[0].find("unknown keys \"new_gate\""),
            std::string::npos);
}

// Replaces text in the header by other text of the same length.
void Replace(std::string& bytes, const std::string& from,
             const std::string& to) {
  ASSERT_EQ(from.size(), to.size());
  const std::size_t at = bytes.find(from);
  ASSERT_NE(at, std::string::npos) << from;
  bytes.replace(at, from.size(), to);
}

TEST(PackedWeightsTest, LyingHeadersAreRefused) {
  const std::string directory = Packed("published", WeightFormat::kInt8);
  const std::string path = directory + "/" + kPackedFile;
  const std::string good = ReadAll(path);
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string bytes = good;
    Replace(bytes, from, to);
    WriteAll(path, bytes);
  };
  with("apollo-packed 2", "apollo-packed 9");
  ExpectRefused(directory, "(\"apollo-packed 9\"); this one reads");
  with("apollo-packed 2", "apollo-packed 1");
  ExpectRefused(directory,
                "pack again (the hash of that version does not cover every "
                "weight)");
  with("matrix|int8|", "matrix|int4|");
  ExpectRefused(directory, "bytes instead of");
  with("matrix|int8|", "matrix|int9|");
  ExpectRefused(directory, "an unknown format");
  with("+int8|int8|", "+int8|int4|");
  ExpectRefused(directory, "its hash does not end in \"+int4\"");
  with("+int8|int8|", "+int4|int4|");
  ExpectRefused(directory, "a format that cannot occur in a file of int4");
  with("matrix|int8|", "metrix|int8|");
  ExpectRefused(directory, "an unknown kind");
  with("vector|", "vector,");
  ExpectRefused(directory, "an unknown kind");
  with("model.norm.weight", "model.nurm.weight");
  ExpectRefused(directory, "model.norm.weight");
  with("layers.1.self_attn.q_proj", "layers.0.self_attn.q_proj");
  ExpectRefused(directory, "");
}

TEST(PackedWeightsTest, SizesThatAreNotTheConfigsAreRefused) {
  // A file that is consistent in itself, but does not match the config.
  const std::string directory = Packed("published", WeightFormat::kF32);
  const std::string path = directory + "/" + kPackedFile;
  auto file = SafetensorsFile::Open(path);
  ASSERT_TRUE(file.ok());
  std::vector<TensorSpec> specs;
  for (const auto& [name, tensor] : file->tensors()) {
    std::string changed = name;
    if (name.rfind("vector|", 0) == 0 &&
        name.find("|model.norm.weight") != std::string::npos) {
      changed = "vector|1|model.norm.weight";
      specs.push_back({changed, DType::kF32, {16}});
      continue;
    }
    specs.push_back({changed, DType::kF32, tensor.shape});
  }
  const std::string other = path + ".new";
  auto writer = SafetensorsWriter::Create(other, specs);
  ASSERT_TRUE(writer.ok()) << writer.status();
  for (const TensorSpec& spec : specs) {
    const std::vector<std::uint8_t> zeros(spec.shape[0] * sizeof(float));
    ASSERT_TRUE(writer->Append(spec.name, zeros).ok());
  }
  ASSERT_TRUE(writer->Finish().ok());
  fs::rename(other, path);
  ExpectRefused(directory, "a number of rows that differs");
}

}  // namespace
}  // namespace apollo

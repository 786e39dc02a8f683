// Truncated or inconsistent files of packed weights: each is rejected with an
// error that names the file.

#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/sha256.h"
#include "common/thread_pool.h"
#include "model/safetensors/reader.h"
#include "model/safetensors/writer.h"
#include "model/weights/open_model.h"
#include "model/weights/packed_weights.h"
#include "model/weights/packed_writer.h"

namespace apollo {
namespace {

namespace fs = std::filesystem;

const std::string kGolden = "tests/golden/published";

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void WriteAll(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// A tensor of a packed file.
struct Part {
  std::string name;
  std::vector<std::uint8_t> data;
};

class PackedReaderTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = testing::TempDir() + "/packed_reader_" +
                 testing::UnitTest::GetInstance()->current_test_info()->name();
    path_ = directory_ + "/" + kPackedFile;
    fs::remove_all(directory_);
    fs::create_directories(directory_);
    fs::copy_file(kGolden + "/config.json", directory_ + "/config.json");
    fs::permissions(directory_ + "/config.json", fs::perms::owner_all);
    ThreadPool pool(1);
    ASSERT_TRUE(
        PackModel(kGolden, WeightFormat::kInt8, path_, pool, nullptr).ok());
    good_ = ReadAll(path_);
    const auto file = SafetensorsFile::Open(path_);
    ASSERT_TRUE(file.ok()) << file.status();
    for (const auto& [name, tensor] : file->tensors()) {
      parts_.push_back({name, {tensor.data.begin(), tensor.data.end()}});
    }
    data_at_ = 8;
    for (int i = 7; i >= 0; --i) {
      header_size_ = header_size_ << 8 | static_cast<std::uint8_t>(good_[i]);
    }
    data_at_ += header_size_;
  }

  // Writes the good file after applying `change` to its parts.
  void Write(const std::function<void(std::vector<Part>&)>& change) {
    std::vector<Part> parts = parts_;
    change(parts);
    std::vector<TensorSpec> specs;
    for (const Part& part : parts) {
      const auto size = static_cast<std::int64_t>(part.data.size() / 4);
      specs.push_back({part.name, DType::kF32, {size}});
    }
    fs::remove(path_);
    auto writer = SafetensorsWriter::Create(path_, specs);
    ASSERT_TRUE(writer.ok()) << writer.status();
    for (const Part& part : parts) {
      ASSERT_TRUE(writer->Append(part.name, part.data).ok());
    }
    ASSERT_TRUE(writer->Finish().ok());
  }

  // Renames the only part whose name has this prefix and suffix.
  void Rename(const std::string& begin, const std::string& end,
              const std::string& name) {
    Write(
        [&](std::vector<Part>& parts) { Find(parts, begin, end).name = name; });
  }
  static Part& Find(std::vector<Part>& parts, const std::string& begin,
                    const std::string& end) {
    Part* found = nullptr;
    for (Part& part : parts) {
      if (part.name.rfind(begin, 0) == 0 && part.name.size() >= end.size() &&
          part.name.compare(part.name.size() - end.size(), end.size(), end) ==
              0) {
        EXPECT_EQ(found, nullptr) << begin << "..." << end;
        found = &part;
      }
    }
    EXPECT_NE(found, nullptr) << begin << "..." << end;
    return *found;
  }

  void ExpectRefused(const std::string& words) {
    const absl::Status status = OpenModelDirectory(directory_).status();
    ASSERT_FALSE(status.ok()) << words;
    const std::string message(status.message());
    EXPECT_NE(message.find(path_), std::string::npos) << message;
    EXPECT_NE(message.find(words), std::string::npos) << message;
  }

  std::string directory_, path_, good_;
  std::vector<Part> parts_;
  std::size_t header_size_ = 0, data_at_ = 0;
};

TEST_F(PackedReaderTest, WhatTheTestWritesIsReadAsItStands) {
  Write([](std::vector<Part>&) {});
  EXPECT_TRUE(OpenModelDirectory(directory_).ok());
}

TEST_F(PackedReaderTest, AFileThatIsCutOffAnywhereIsRefused) {
  std::set<std::size_t> sizes = {0, 1, 7, 8, 9, 8 + header_size_ / 2};
  // The ends of all sections: the header and each tensor.
  std::size_t end = data_at_;
  const auto around = [&](std::size_t at) {
    for (const std::size_t size : {at - 1, at, at + 1}) sizes.insert(size);
  };
  around(end);
  const auto file = SafetensorsFile::Open(path_);
  ASSERT_TRUE(file.ok());
  for (const auto& [name, tensor] : file->tensors()) {
    end = data_at_ + (tensor.data.data() + tensor.data.size() -
                      file->Find(parts_[0].name)->data.data());
    around(end);
  }
  int cut = 0;
  for (const std::size_t size : sizes) {
    if (size >= good_.size()) continue;
    SCOPED_TRACE(size);
    fs::remove(path_);
    WriteAll(path_, good_.substr(0, size));
    ExpectRefused("");
    ++cut;
  }
  EXPECT_GT(cut, 2 * static_cast<int>(parts_.size()));
  fs::remove(path_);
  WriteAll(path_, good_ + std::string(64, '\0'));
  ExpectRefused("the tensors end at byte");
}

TEST_F(PackedReaderTest, MoreBytesThanThereAreAreRefused) {
  // The last tensor of the data: its end gets one more digit.
  const std::string header = good_.substr(8, header_size_);
  const std::string end = absl::StrCat(good_.size() - data_at_, "]");
  const std::size_t at = header.find(end);
  ASSERT_NE(at, std::string::npos);
  std::string bytes = good_;
  bytes[8 + at] = '9';
  fs::remove(path_);
  WriteAll(path_, bytes);
  ExpectRefused("reach beyond");
  // A header of almost 2^64 bytes, and one larger than the file.
  bytes = good_;
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(0xff);
  WriteAll(path_, bytes);
  ExpectRefused("the header claims 18446744073709551615 bytes");
  bytes = good_;
  bytes[3] = 1;
  WriteAll(path_, bytes);
  ExpectRefused("is the file truncated?");
}

TEST_F(PackedReaderTest, ImpossibleSizesAreRefused) {
  const std::string norm = "model.norm.weight";
  // The largest valid size is 2^30.
  Rename("vector|", norm, "vector|1073741824|" + norm);
  ExpectRefused("128 bytes instead of 4294967296");
  for (const char* size :
       {"1073741825", "2147483648", "4294967328", "18446744073709551648",
        "99999999999999999999999", "0", "-32", "32.0", "3e1", "0x20", ""}) {
    SCOPED_TRACE(size);
    Rename("vector|", norm, absl::StrCat("vector|", size, "|", norm));
    ExpectRefused("an impossible size");
  }
  const std::string head = "model.embed_tokens.weight";
  const std::string begin = "matrix|int8|";
  for (const char* size :
       {"1073741824|1073741824", "1073741825|1", "1|1073741825", "0|32",
        "260|0", "-260|-32", "|32", "260|"}) {
    SCOPED_TRACE(size);
    Rename(begin, head, absl::StrCat(begin, size, "|", head));
    ExpectRefused("an impossible size");
  }
  // 2^40 numbers, the maximum: sizes must not overflow before the error is
  // found.
  Rename(begin, head, absl::StrCat(begin, "1073741824|1024|", head));
  ExpectRefused("bytes instead of 1168231104512");
  Rename(begin, head, absl::StrCat(begin, "1|1073741824|", head));
  ExpectRefused("bytes instead of 36507222016");
  // Missing fields.
  Rename(begin, head, begin + "260|32");
  ExpectRefused("an unknown kind of data");
  Rename("vector|", norm, "vector|32");
  ExpectRefused("an unknown kind of data");
}

TEST_F(PackedReaderTest, DataOfAnotherSizeIsRefused) {
  for (const bool longer : {false, true}) {
    Write([&](std::vector<Part>& parts) {
      Part& part = Find(parts, "matrix|", "model.embed_tokens.weight");
      part.data.resize(part.data.size() + (longer ? 64 : -64));
    });
    ExpectRefused("bytes instead of");
  }
  // Data that is not aligned to 64 bytes.
  std::string bytes = good_;
  bytes.insert(data_at_, 8, ' ');
  bytes[0] = static_cast<char>(bytes[0] + 8);
  ASSERT_LT(static_cast<std::uint8_t>(good_[0]), 248);
  fs::remove(path_);
  WriteAll(path_, bytes);
  ExpectRefused("unaligned data");
}

TEST_F(PackedReaderTest, ATensorThatIsMissingIsNamed) {
  for (const char* tensor : {"model.norm.weight", "layers.2.mlp.gate.weight",
                             "layers.3.mlp.experts.6.down_proj.weight"}) {
    Write([&](std::vector<Part>& parts) {
      const Part* part = &Find(parts, "", tensor);
      parts.erase(parts.begin() + (part - parts.data()));
    });
    ExpectRefused(tensor);
  }
}

TEST_F(PackedReaderTest, AConfigThatAsksForMoreIsRefused) {
  // The config matches the description in the file, but not its tensors: one
  // layer, or about 10^9 experts, too many.
  const std::string config = ReadAll(directory_ + "/config.json");
  for (const auto& [from, to] :
       std::vector<std::pair<std::string, std::string>>{
           {"\"num_hidden_layers\": 4", "\"num_hidden_layers\": 5"},
           {"\"num_experts\": 7", "\"num_experts\": 1000000000"}}) {
    SCOPED_TRACE(to);
    const std::string more = absl::StrReplaceAll(config, {{from, to}});
    ASSERT_NE(more, config);
    WriteAll(directory_ + "/config.json", more);
    Write([&](std::vector<Part>& parts) {
      Part& info = Find(parts, "apollo-packed ", "");
      info.name = absl::StrReplaceAll(info.name,
                                      {{Sha256Hex(config), Sha256Hex(more)}});
    });
    const absl::Status status = OpenModelDirectory(directory_).status();
    ASSERT_FALSE(status.ok());
    EXPECT_NE(std::string(status.message()).find(directory_), std::string::npos)
        << status;
  }
}

TEST_F(PackedReaderTest, TheEmbeddingStandsAlone) {
  // If stacked behind another tensor, its rows would be looked up in that one.
  Write([](std::vector<Part>& parts) {
    Part& part = Find(parts, "matrix|", "model.embed_tokens.weight");
    part.name = absl::StrReplaceAll(
        part.name, {{"model.embed_tokens.weight",
                     "something.else|model.embed_tokens.weight"}});
  });
  ExpectRefused("an embedding stacked with other tensors");
}

TEST_F(PackedReaderTest, ChangedBytesOfTheHeaderAreRefusedOrHarmless) {
  std::mt19937 random(1);
  int refused = 0;
  for (int round = 0; round < 300; ++round) {
    std::string bytes = good_;
    for (int i = 0; i < 1 + round % 3; ++i) {
      bytes[random() % data_at_] = static_cast<char>(random());
    }
    fs::remove(path_);
    WriteAll(path_, bytes);
    refused += !OpenModelDirectory(directory_).ok();
  }
  EXPECT_GT(refused, 200);
}

TEST_F(PackedReaderTest, APipeInPlaceOfTheFileIsRefusedAtOnce) {
  fs::remove(path_);
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  ExpectRefused("is not a regular file");
}

}  // namespace
}  // namespace apollo

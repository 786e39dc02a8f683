#include "model/weights/hash_file.h"

#include <absl/strings/str_replace.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "common/mapped_file.h"
#include "common/thread_pool.h"
#include "model/weights/model_hash.h"
#include "model/weights/test_models.h"

namespace apollo {
namespace {

namespace fs = std::filesystem;

class HashFileTest : public WrittenTest {
 protected:
  std::string path() const { return directory_ + "/" + kHashFile; }

  // Caches the digest for checkpoints of any size.
  static std::string Kept(const Checkpoint& checkpoint) {
    return WeightsDigestOf(checkpoint, 0);
  }
  static std::string Computed(const Checkpoint& checkpoint) {
    ThreadPool pool(1);
    return WeightsDigest(checkpoint, pool);
  }

  // Puts a different digest into the file, to detect its use.
  std::string Forge() {
    const std::string text = *ReadFile(path(), 1 << 20);
    const std::string digest = text.substr(text.size() - 65, 64);
    const std::string other(64, 'a');
    std::ofstream(path()) << absl::StrReplaceAll(text, {{digest, other}});
    return other;
  }
};

TEST_F(HashFileTest, ADigestIsComputedOnceAndKept) {
  const Checkpoint checkpoint = Write();
  const std::string digest = Computed(checkpoint);
  EXPECT_EQ(Kept(checkpoint), digest);
  ASSERT_TRUE(fs::exists(path()));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), {}), 2);
  EXPECT_EQ(Kept(checkpoint), digest);
  const std::string forged = Forge();
  EXPECT_EQ(Kept(*Checkpoint::Open(directory_)), forged);
  fs::remove(path());
  EXPECT_EQ(Kept(checkpoint), digest);
}

TEST_F(HashFileTest, OtherWeightsAreHashedAgain) {
  const std::string before = Kept(Write());
  Forge();
  const Checkpoint checkpoint = Write("model.norm.weight", 3);
  EXPECT_EQ(Kept(checkpoint), Computed(checkpoint));
  EXPECT_NE(Kept(checkpoint), before);
}

TEST_F(HashFileTest, AFileThatWasTouchedIsHashedAgain) {
  const std::string digest = Kept(Write());
  Forge();
  const std::string file = directory_ + "/model.safetensors";
  fs::last_write_time(file, fs::last_write_time(file) + std::chrono::hours(1));
  EXPECT_EQ(Kept(*Checkpoint::Open(directory_)), digest);
}

TEST_F(HashFileTest, ACopyOfTheDirectoryIsHashedAgain) {
  const std::string digest = Kept(Write());
  Forge();
  const std::string copy = directory_ + "_copy";
  fs::remove_all(copy);
  fs::copy(directory_, copy, fs::copy_options::recursive);
  EXPECT_EQ(Kept(*Checkpoint::Open(copy)), digest);
}

TEST_F(HashFileTest, WhatDoesNotReadAsADigestIsComputedAgain) {
  const Checkpoint checkpoint = Write();
  const std::string digest = Kept(checkpoint);
  const std::string good = *ReadFile(path(), 1 << 20);
  for (const std::string& bad :
       {std::string(), good.substr(0, good.size() - 1),
        good.substr(0, good.size() - 10), good + "a\n",
        good.substr(0, good.size() - 2) + "X\n", "2" + good}) {
    std::ofstream(path()) << bad;
    EXPECT_EQ(Kept(checkpoint), digest);
    EXPECT_EQ(*ReadFile(path(), 1 << 20), good);
  }
}

TEST_F(HashFileTest, WhereNoFileCanBeWrittenTheDigestIsTheSame) {
  const Checkpoint checkpoint = Write();
  fs::create_directories(path() + "/in the way");
  EXPECT_EQ(Kept(checkpoint), Computed(checkpoint));
  EXPECT_TRUE(fs::is_directory(path()));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), {}), 2);
}

TEST_F(HashFileTest, WhatChangedSinceItWasOpenedIsNotKept) {
  const Checkpoint checkpoint = Write();
  fs::rename(directory_ + "/model.safetensors", directory_ + "/away");
  EXPECT_EQ(Kept(checkpoint), Computed(checkpoint));
  EXPECT_FALSE(fs::exists(path()));
}

TEST_F(HashFileTest, SmallCheckpointsLeaveNoFile) {
  EXPECT_EQ(WeightsDigestOf(Write()), Computed(Write()));
  EXPECT_FALSE(fs::exists(path()));
}

}  // namespace
}  // namespace apollo

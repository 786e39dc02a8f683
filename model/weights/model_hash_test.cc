#include "model/weights/model_hash.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "common/stop_request.h"
#include "common/thread_pool.h"
#include "model/weights/test_models.h"

namespace apollo {
namespace {

std::string Digest(const Checkpoint& checkpoint, int threads = 1) {
  ThreadPool pool(threads);
  return WeightsDigest(checkpoint, pool);
}

class ModelHashTest : public WrittenTest {};

TEST_F(ModelHashTest, IsSixteenDigitsAndRepeatable) {
  const std::string hash = ModelHash(Tiny(), Digest(Write()));
  EXPECT_THAT(hash, testing::MatchesRegex("[0-9a-f]{16}"));
  EXPECT_EQ(ModelHash(Tiny(), Digest(Write())), hash);
}

TEST_F(ModelHashTest, DoesNotDependOnTheOrderInTheFile) {
  const std::string digest = Digest(Write());
  std::reverse(specs_.begin(), specs_.end());
  EXPECT_EQ(Digest(Write()), digest);
}

TEST_F(ModelHashTest, DependsOnEveryTensorsNameShapeTypeAndData) {
  std::set<std::string> digests = {Digest(Write())};
  std::size_t count = 1;
  const auto expect_another = [&](const Checkpoint& checkpoint,
                                  const std::string& tensor) {
    digests.insert(Digest(checkpoint));
    EXPECT_EQ(digests.size(), ++count) << tensor;
  };
  for (TensorSpec& spec : specs_) {
    const TensorSpec old = spec;
    // The last number of the tensor.
    expect_another(Write(spec.name, 0.5f), old.name);
    spec.name += "s";
    expect_another(Write(), old.name);
    spec = old;
    spec.shape.insert(spec.shape.begin(), 1);
    expect_another(Write(), old.name);
    spec = old;
    spec.dtype = DType::kBF16;
    expect_another(Write(), old.name);
    spec = old;
  }
  digests.insert(Digest(Write()));
  EXPECT_EQ(digests.size(), count);
}

TEST_F(ModelHashTest, EveryPieceOfALargeTensorCounts) {
  // Two whole pieces, and a part of one.
  const auto numbers = static_cast<std::int64_t>(kHashPiece / 4);
  specs_ = {{"small", DType::kF32, {2}},
            {"large", DType::kF32, {2 * numbers + 3}}};
  const std::string digest = Digest(Write());
  const std::string path = directory_ + "/model.safetensors";
  const auto end =
      static_cast<std::streamoff>(std::filesystem::file_size(path));
  const auto large = end - 4 * (2 * numbers + 3);
  std::set<std::string> digests = {digest};
  std::size_t count = 1;
  for (const std::int64_t at :
       {std::int64_t{0}, std::int64_t(kHashPiece) - 1, std::int64_t(kHashPiece),
        2 * std::int64_t(kHashPiece) - 1, 2 * std::int64_t(kHashPiece),
        4 * (2 * numbers + 3) - 1}) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(large + at);
    file.put(0x55);
    file.close();
    ASSERT_TRUE(file.good());
    const auto checkpoint = Checkpoint::Open(directory_);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    digests.insert(Digest(*checkpoint));
    EXPECT_EQ(digests.size(), ++count) << "byte " << at;
    EXPECT_EQ(Digest(*checkpoint, 3), Digest(*checkpoint));
  }
}

TEST_F(ModelHashTest, DependsOnTheConfig) {
  const std::string digest = Digest(Write());
  ModelConfig config = Tiny();
  const std::string hash = ModelHash(config, digest);
  config.rope_theta *= 2;  // config_facts_test covers all fields.
  EXPECT_NE(ModelHash(config, digest), hash);
}

TEST_F(ModelHashTest, ARequestToStopEndsTheHashing) {
  BlockStopSignals();
  const Checkpoint checkpoint = Write();
  EXPECT_NE(Digest(checkpoint), "");
  pthread_kill(pthread_self(), SIGTERM);
  EXPECT_EQ(Digest(checkpoint), "");
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  int got = 0;
  sigwait(&signals, &got);  // It is still there for others.
  EXPECT_EQ(got, SIGTERM);
}

}  // namespace
}  // namespace apollo

// Messages of a link that arrive twice, in another order, cut short or not at
// all. Whatever the damage, a worker must get the frames that were sent, each
// once, whole and in order, up to a point from which it gets none: there the
// link ends, and cut_links_test shows that no token is wrong after that.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "common/rows_testing.h"
#include "link/frame_codec.h"

namespace apollo {
namespace {

using Message = internal::v1::LinkMessage;

enum class Damage { kNone, kRepeat, kSwap, kDrop, kTruncate, kCut };
constexpr Damage kDamages[] = {Damage::kNone, Damage::kRepeat,   Damage::kSwap,
                               Damage::kDrop, Damage::kTruncate, Damage::kCut};

Rows SomeRows(std::mt19937& random) {
  // Some are sent in several pieces.
  std::size_t floats = random() % 200;
  if (random() % 8 == 0) {
    floats = (random() % 2 + 2) * kMaxPieceBytes / sizeof(float) + random() % 2;
  }
  std::vector<float> numbers(floats);
  // Each piece differs from every other one.
  std::iota(numbers.begin(), numbers.end(),
            static_cast<float>(random() % 1000));
  return Rows::FromVector(std::move(numbers), static_cast<int>(floats));
}

// Frames of a dense worker's link and of a peer's, with the rows of several
// sequences by turns.
Frame SomeFrame(std::mt19937& random, int number) {
  if (random() % 3 == 0) {
    StageResult result;
    result.step = static_cast<std::uint64_t>(number);
    result.outputs.emplace_back();
    result.outputs[0].sequence = random() % 4;
    result.outputs[0].sampled =
        TokenLogprob{static_cast<std::int32_t>(random() % 250), -0.5f};
    return {std::move(result), {}};
  }
  ExpertRows rows;
  rows.ticket = static_cast<std::uint64_t>(number);
  return {rows, SomeRows(random)};
}

bool Same(const Frame& a, const Frame& b) {
  return a.body == b.body && Numbers(a.payload) == Numbers(b.payload);
}

// Returns a place at most two messages behind `at`.
std::vector<Message>::iterator Near(std::vector<Message>& messages,
                                    std::size_t at, std::mt19937& random) {
  const std::size_t place = std::min(at + random() % 3, messages.size() - 1);
  return messages.begin() + static_cast<std::ptrdiff_t>(place);
}

// Damages the messages at a random place.
void Harm(std::vector<Message>& messages, Damage damage, std::mt19937& random) {
  const std::size_t at = random() % messages.size();
  const auto place = messages.begin() + static_cast<std::ptrdiff_t>(at);
  switch (damage) {
    case Damage::kNone:
      break;
    case Damage::kRepeat: {
      const Message again = *place;
      messages.insert(Near(messages, at, random), again);
      break;
    }
    case Damage::kSwap:
      std::swap(*place, *Near(messages, at, random));
      break;
    case Damage::kDrop:
      messages.erase(place);
      break;
    case Damage::kTruncate: {
      std::string& bytes = *place->mutable_payload();
      bytes.resize(bytes.size() / 2);
      break;
    }
    case Damage::kCut:
      messages.resize(at);
      break;
  }
}

TEST(DamagedFramesTest, NothingWrongIsDelivered) {
  std::map<Damage, int> whole, refused;
  for (unsigned seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    std::vector<Frame> sent;
    std::vector<Message> messages;
    for (int i = 0; i < 12; ++i) {
      sent.push_back(SomeFrame(random, i));
      for (Message& message :
           EncodeFrame(sent.back(), static_cast<std::uint64_t>(i))) {
        messages.push_back(std::move(message));
      }
    }
    const Damage damage = kDamages[seed % std::size(kDamages)];
    Harm(messages, damage, random);
    FrameDecoder decoder;
    std::size_t received = 0;
    bool ended = false;
    for (const Message& message : messages) {
      absl::StatusOr<std::optional<Frame>> frame = decoder.Add(message);
      ended = !frame.ok();
      if (ended) break;  // The link ends here.
      if (!frame->has_value()) continue;
      ASSERT_LT(received, sent.size());
      ASSERT_TRUE(Same(**frame, sent[received])) << received;
      ++received;
    }
    if (received == sent.size()) ++whole[damage];
    if (ended) ++refused[damage];
  }
  EXPECT_EQ(whole[Damage::kNone], 50);
  EXPECT_EQ(refused[Damage::kNone], 0);
  EXPECT_GT(whole[Damage::kRepeat], 35);  // Most are dropped unseen.
  for (const Damage damage : {Damage::kSwap, Damage::kDrop}) {
    EXPECT_GT(refused[damage], 20) << static_cast<int>(damage);
  }
  EXPECT_GT(refused[Damage::kTruncate], 10);
  EXPECT_EQ(refused[Damage::kCut], 0);
  EXPECT_LT(whole[Damage::kCut], 8);
}

}  // namespace
}  // namespace apollo

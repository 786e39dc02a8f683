#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <thread>
#include <vector>

#include "link/link_pair.h"

namespace apollo {

// Tests of the contract of Link (link.h), for every implementation:
// INSTANTIATE_TYPED_TEST_SUITE_P(Name, LinkContract, testing::Types<...>) with
// kinds of Pair.

inline Frame Numbered(std::uint64_t number, std::vector<float> payload = {}) {
  return {ExpertRows{number, 1, 2}, Rows::FromVector(std::move(payload), 1)};
}
inline std::uint64_t NumberOf(const Frame& frame) {
  return std::get<ExpertRows>(frame.body).ticket;
}

template <typename T>
class LinkContract : public testing::Test {
 protected:
  T pair_;
};
TYPED_TEST_SUITE_P(LinkContract);

TYPED_TEST_P(LinkContract, FramesArriveInOrderBothWays) {
  Pair& pair = this->pair_;
  for (std::uint64_t i = 0; i < 50; ++i) {
    for (int end : {0, 1}) pair.link[end]->Send(Numbered(2 * i + end));
  }
  for (int end : {0, 1}) {
    const auto frames = pair.at[1 - end]->WaitForFrames(50);
    ASSERT_EQ(frames.size(), 50u);
    for (std::uint64_t i = 0; i < 50; ++i) {
      EXPECT_EQ(NumberOf(frames[i]), 2 * i + end);
    }
  }
}

TYPED_TEST_P(LinkContract, PayloadsArriveBitForBit) {
  Pair& pair = this->pair_;
  const std::vector<std::size_t> sizes = {0, 1, 262144, 700001, 262145};
  std::vector<std::vector<float>> payloads;
  for (const std::size_t size : sizes) {
    std::vector<float> payload(size);
    for (std::size_t i = 0; i < size; ++i) {
      // All kinds of numbers, including NaN and denormals.
      const std::uint32_t bits = static_cast<std::uint32_t>(i) * 2654435761u;
      std::memcpy(&payload[i], &bits, sizeof(bits));
    }
    payloads.push_back(payload);
    pair.link[0]->Send(Numbered(size, std::move(payload)));
  }
  const auto frames = pair.at[1]->WaitForFrames(sizes.size());
  ASSERT_EQ(frames.size(), sizes.size());
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    EXPECT_EQ(NumberOf(frames[i]), sizes[i]);
    ASSERT_EQ(frames[i].payload.numbers(), sizes[i]);
    EXPECT_TRUE(std::equal(
        payloads[i].begin(), payloads[i].end(),
        frames[i].payload.host().begin(),
        [](float a, float b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }));
  }
}

TYPED_TEST_P(LinkContract, CloseTellsBothSidesOnceAndDropsLaterFrames) {
  for (int closer : {0, 1}) {
    TypeParam pair;
    pair.link[0]->Send(Numbered(1));  // Makes sure that the link is open.
    pair.at[1]->WaitForFrames(1);
    pair.link[closer]->Close();
    EXPECT_TRUE(pair.at[closer]->WaitForClosed().ok());
    EXPECT_FALSE(pair.at[1 - closer]->WaitForClosed().ok());
    for (int end : {0, 1}) {
      pair.link[end]->Send(Numbered(2, {1, 2, 3}));
      pair.link[end]->Close();
      EXPECT_EQ(pair.at[end]->times_closed(), 1u);
    }
    EXPECT_EQ(pair.at[1]->WaitForFrames(1).size(), 1u);
    EXPECT_TRUE(pair.at[0]->WaitForFrames(0).empty());
  }
}

TYPED_TEST_P(LinkContract, ManySendersLoseNothingAndKeepTheirOrder) {
  constexpr int kThreads = 4, kFrames = 200;
  Pair& pair = this->pair_;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&pair, t] {
      for (int i = 0; i < kFrames; ++i) {
        pair.link[t % 2]->Send(Numbered(t * 1000 + i, {static_cast<float>(i)}));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (int end : {0, 1}) {
    const auto frames = pair.at[1 - end]->WaitForFrames(kThreads / 2 * kFrames);
    ASSERT_EQ(frames.size(), std::size_t{kThreads / 2 * kFrames});
    std::map<std::uint64_t, std::uint64_t> next;  // By thread.
    for (const Frame& frame : frames) {
      const std::uint64_t thread = NumberOf(frame) / 1000;
      EXPECT_EQ(static_cast<int>(thread % 2), end);
      EXPECT_EQ(NumberOf(frame) % 1000, next[thread]++);
    }
  }
}

REGISTER_TYPED_TEST_SUITE_P(LinkContract, FramesArriveInOrderBothWays,
                            PayloadsArriveBitForBit,
                            CloseTellsBothSidesOnceAndDropsLaterFrames,
                            ManySendersLoseNothingAndKeepTheirOrder);

}  // namespace apollo

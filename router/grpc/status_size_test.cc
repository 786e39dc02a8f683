#include "router/grpc/status_size.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <string>

namespace apollo {
namespace {

constexpr int kLayers = 48;
constexpr int kExperts = 128;
constexpr int kWorkers = 20;
// Between the sizes of the status as a whole, with sums, and with counts.
constexpr std::size_t kNotWhole = 1'000'000;
constexpr std::size_t kNotLists = 100'000;
constexpr std::size_t kNotAll = 10'000;

// Returns the status of a router and expert workers that hold and use every
// expert of every layer.
v1::GetStatusResponse WholeStatus() {
  v1::GetStatusResponse response;
  response.add_processes()->set_name("router");
  for (int i = 0; i < kWorkers; ++i) {
    v1::ProcessStatus& process = *response.add_processes();
    process.set_name("expert-worker-" + std::to_string(i));
    for (int layer = 0; layer < kLayers; ++layer) {
      v1::LayerExpertList& list = *process.add_layer_experts();
      list.set_layer(layer);
      for (int expert = 0; expert < kExperts; ++expert) {
        list.add_experts(expert);
        v1::PlacedExpert& placed = *process.mutable_placement()->add_experts();
        placed.set_layer(layer);
        placed.set_expert(expert);
        placed.set_hold(expert == 0   ? v1::EXPERT_HOLD_STANDBY
                        : expert == 1 ? v1::EXPERT_HOLD_ABSENT
                                      : v1::EXPERT_HOLD_AUTO);
        placed.set_since(1'700'000'000);
        placed.set_own_rows(100);
        placed.set_absent_rows(10);
        placed.set_guest_rows(1000);
      }
    }
    process.mutable_placement()->set_last_move("why");
  }
  response.add_callers()->set_name("a caller");
  return response;
}

TEST(StatusSizeTest, ASmallStatusStaysAsItIs) {
  const v1::GetStatusResponse whole = WholeStatus();
  v1::GetStatusResponse response = whole;
  ShortenStatus(kMostStatusBytes, response);
  EXPECT_TRUE(
      google::protobuf::util::MessageDifferencer::Equals(response, whole));
}

TEST(StatusSizeTest, PlacementIsSummedByLayerFirst) {
  v1::GetStatusResponse response = WholeStatus();
  ASSERT_GT(response.ByteSizeLong(), kNotWhole);
  ShortenStatus(kNotWhole, response);
  EXPECT_LE(response.ByteSizeLong(), kNotWhole);
  ASSERT_EQ(response.processes_size(), 1 + kWorkers);
  EXPECT_EQ(response.processes_left_out(), 0u);
  const v1::ProcessStatus& last = response.processes(kWorkers);
  EXPECT_EQ(last.layer_experts(1).experts_size(), kExperts);
  EXPECT_EQ(last.layer_experts(1).count(), 0u);
  EXPECT_EQ(last.placement().experts_size(), 0);
  EXPECT_EQ(last.placement().last_move(), "why");
  ASSERT_EQ(last.placement().layers_size(), kLayers);
  const v1::LayerPlacement& layer = last.placement().layers(47);
  EXPECT_EQ(layer.layer(), 47u);
  EXPECT_EQ(layer.kept(), 126u);
  EXPECT_EQ(layer.standby(), 1u);
  EXPECT_EQ(layer.own_rows(), 12'800u);
  EXPECT_EQ(layer.absent_rows(), 1280u);
  EXPECT_EQ(layer.guest_rows(), 128'000u);
}

TEST(StatusSizeTest, ThenExpertsOfALayerAreOnlyCounted) {
  v1::GetStatusResponse response = WholeStatus();
  ShortenStatus(kNotLists, response);
  EXPECT_LE(response.ByteSizeLong(), kNotLists);
  ASSERT_EQ(response.processes_size(), 1 + kWorkers);
  EXPECT_EQ(response.processes_left_out(), 0u);
  const v1::ProcessStatus& last = response.processes(kWorkers);
  ASSERT_EQ(last.layer_experts_size(), kLayers);
  EXPECT_EQ(last.layer_experts(0).experts_size(), 0);
  EXPECT_EQ(last.layer_experts(0).count(), 128u);
}

TEST(StatusSizeTest, ThenTheLastProcessesAreLeftOut) {
  v1::GetStatusResponse response = WholeStatus();
  ShortenStatus(kNotAll, response);
  EXPECT_LE(response.ByteSizeLong(), kNotAll);
  EXPECT_GT(response.ByteSizeLong(), kNotAll * 7 / 10);
  EXPECT_EQ(response.processes(0).name(), "router");
  EXPECT_GT(response.processes_left_out(), 0u);
  EXPECT_EQ(response.processes_size() +
                static_cast<int>(response.processes_left_out()),
            1 + kWorkers);
  EXPECT_EQ(response.callers_size(), 1);
}

TEST(StatusSizeTest, TheBoundIsThatOfTheClient) {
  v1::GetStatusRequest request;
  EXPECT_EQ(MostBytesOf(request), kMostStatusBytes);
  request.set_max_response_bytes(64 << 20);
  EXPECT_EQ(MostBytesOf(request), std::size_t{64 << 20});
  request.set_max_response_bytes(1);
  EXPECT_EQ(MostBytesOf(request), kLeastStatusBytes);
}

}  // namespace
}  // namespace apollo

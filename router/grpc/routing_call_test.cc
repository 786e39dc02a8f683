#include "router/grpc/routing_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proto/apollo/rpc/details.pb.h"
#include "proto/apollo/rpc/packing.h"
#include "router/grpc/scripted_cluster.h"

namespace apollo {
namespace {

class RoutingCallTest : public ScriptedClusterTest {
 protected:
  grpc::Status GetRouting(std::int64_t window_seconds) {
    grpc::ClientContext context;
    v1::GetRoutingRequest request;
    request.set_window_seconds(window_seconds);
    response_.Clear();
    return stub_->GetRouting(&context, request, &response_);
  }
  v1::GetRoutingResponse response_;
};

TEST_F(RoutingCallTest, SumsOverTheWorkersThatAnswer) {
  backend_->SetRouting(
      {{"dense-0",
        RoutingCounts{absl::Seconds(90),
                      {{"de", 3, 2, {{2, {1, 5}, 1}, {3, {4, 2}, 0}}}}}},
       {"10.0.0.2:7001", absl::UnavailableError("gone")},
       {"dense-3", absl::DeadlineExceededError("")},
       {"dense-2",
        RoutingCounts{absl::Seconds(30),
                      {{"de", 1, 1, {{2, {1, 1}, 1}, {3, {0, 2}, 1}}},
                       {"und", 1, 0, {{2, {0, 2}, 0}, {3, {0, 2}, 0}}}}}}});
  ASSERT_TRUE(GetRouting(60).ok());
  EXPECT_EQ(backend_->routing_window(), absl::Minutes(1));
  EXPECT_EQ(response_.experts_per_token(), 2u);
  ASSERT_EQ(response_.sources_size(), 4);
  EXPECT_EQ(response_.sources(0).dense_worker(), "dense-0");
  EXPECT_TRUE(response_.sources(0).answered());
  EXPECT_EQ(response_.sources(0).covered_seconds(), 90);
  EXPECT_EQ(response_.sources(1).dense_worker(), "10.0.0.2:7001");
  EXPECT_FALSE(response_.sources(1).answered());
  EXPECT_EQ(response_.sources(0).reason(), "");
  EXPECT_EQ(response_.sources(1).reason(), "gone");
  EXPECT_EQ(response_.sources(2).reason(), "DEADLINE_EXCEEDED");
  EXPECT_EQ(response_.sources(3).covered_seconds(), 30);
  ASSERT_EQ(response_.languages_size(), 2);
  const v1::LanguageRouting& de = response_.languages(0);
  EXPECT_EQ(de.language(), "de");
  EXPECT_EQ(de.family(), 4);
  EXPECT_EQ(de.tokens(), 4u);
  EXPECT_EQ(de.family_tokens(), 3u);
  ASSERT_EQ(de.layers_size(), 2);
  EXPECT_EQ(de.layers(0).layer(), 2u);
  EXPECT_THAT(de.layers(0).tokens_by_expert(), testing::ElementsAre(2, 6));
  EXPECT_EQ(de.layers(0).off_family_tokens(), 2u);
  EXPECT_THAT(de.layers(1).tokens_by_expert(), testing::ElementsAre(4, 4));
  EXPECT_EQ(de.layers(1).off_family_tokens(), 1u);
  EXPECT_EQ(response_.languages(1).language(), "und");
  EXPECT_EQ(response_.languages(1).family(), -1);
}

TEST_F(RoutingCallTest, AWorkerThatCountedNothingHasAnswered) {
  backend_->SetRouting({{"dense-0", RoutingCounts{absl::Seconds(1), {}}}});
  ASSERT_TRUE(GetRouting(0).ok());
  EXPECT_EQ(backend_->routing_window(), absl::ZeroDuration());
  EXPECT_EQ(response_.languages_size(), 0);
  EXPECT_TRUE(response_.sources(0).answered());
}

TEST_F(RoutingCallTest, NoAnswerAtAllIsAnError) {
  EXPECT_EQ(GetRouting(0).error_code(), grpc::StatusCode::UNAVAILABLE);
  backend_->SetRouting({{"dense-0", absl::UnavailableError("gone")},
                        {"dense-1", absl::UnavailableError("gone too")}});
  const grpc::Status status = GetRouting(0);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(status.error_message(),
            "none of 2 dense workers answered; dense-0: gone; try again");
}

TEST_F(RoutingCallTest, ABadWindowIsRefusedByName) {
  for (const std::int64_t seconds : {-1, 3601}) {
    const grpc::Status status = GetRouting(seconds);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    rpc::Status details;
    ASSERT_TRUE(details.ParseFromString(status.error_details()));
    rpc::BadRequest bad;
    ASSERT_EQ(details.details_size(), 1);
    ASSERT_TRUE(rpc::Unpack(details.details(0), &bad));
    EXPECT_EQ(bad.field_violations(0).field(), "window_seconds");
  }
}

}  // namespace
}  // namespace apollo

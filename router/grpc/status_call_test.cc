#include "router/grpc/status_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "router/grpc/scripted_cluster.h"

namespace apollo {
namespace {

class StatusCallTest : public ScriptedClusterTest {};

TEST_F(StatusCallTest, ShowsTheRouterFirst) {
  const ProcessStatus lost{.role = ProcessRole::kDenseWorker,
                           .address = "10.0.0.3:7",
                           .state = ProcessState::kUnreachable,
                           .reason = "gone"};
  const ProcessStatus dense{.role = ProcessRole::kDenseWorker,
                            .name = "dense-0",
                            .address = "10.0.0.1:7",
                            .cache_use = 0.5};
  const ProcessStatus expert{
      .role = ProcessRole::kExpertWorker,
      .name = "expert-0",
      .address = "10.0.0.2:7",
      .state = ProcessState::kDraining,
      .experts = {0, 3},
      .layer_experts = {{2, {5}}},
      .cache_tokens = 64,
      .placement = {{{2, 5, ExpertHold::kStandby, 100, 4, 3, 2}}, "why", 50}};
  backend_->SetStatus({lost, dense, expert});
  grpc::ClientContext context;
  v1::GetStatusResponse response;
  ASSERT_TRUE(stub_->GetStatus(&context, {}, &response).ok());
  ASSERT_EQ(response.processes_size(), 4);
  EXPECT_EQ(response.processes(0).role(), v1::PROCESS_ROLE_ROUTER);
  EXPECT_EQ(response.processes(0).state(), v1::PROCESS_STATE_READY);
  EXPECT_EQ(response.processes(0).model_hash(), "scripted");
  EXPECT_EQ(response.processes(1).address(), "10.0.0.3:7");
  EXPECT_EQ(response.processes(1).state(), v1::PROCESS_STATE_UNREACHABLE);
  EXPECT_EQ(response.processes(1).reason(), "gone");
  EXPECT_EQ(response.processes(2).role(), v1::PROCESS_ROLE_DENSE_WORKER);
  EXPECT_EQ(response.processes(2).name(), "dense-0");
  EXPECT_EQ(response.processes(2).cache_use(), 0.5);
  const v1::ProcessStatus& last = response.processes(3);
  EXPECT_EQ(last.role(), v1::PROCESS_ROLE_EXPERT_WORKER);
  EXPECT_EQ(last.state(), v1::PROCESS_STATE_DRAINING);
  EXPECT_FALSE(last.has_cache_use());
  EXPECT_THAT(last.experts(), testing::ElementsAre(0, 3));
  ASSERT_EQ(last.layer_experts_size(), 1);
  EXPECT_EQ(last.layer_experts(0).layer(), 2u);
  EXPECT_THAT(last.layer_experts(0).experts(), testing::ElementsAre(5));
  EXPECT_EQ(last.cache_tokens(), 64u);
  EXPECT_FALSE(response.processes(2).has_placement());
  ASSERT_EQ(last.placement().experts_size(), 1);
  EXPECT_EQ(last.placement().experts(0).layer(), 2u);
  EXPECT_EQ(last.placement().experts(0).expert(), 5u);
  EXPECT_EQ(last.placement().experts(0).hold(), v1::EXPERT_HOLD_STANDBY);
  EXPECT_EQ(last.placement().experts(0).since(), 100u);
  EXPECT_EQ(last.placement().experts(0).own_rows(), 4u);
  EXPECT_EQ(last.placement().experts(0).absent_rows(), 3u);
  EXPECT_EQ(last.placement().experts(0).guest_rows(), 2u);
  EXPECT_EQ(last.placement().last_move(), "why");
  EXPECT_EQ(last.placement().last_move_at(), 50u);
  EXPECT_THAT(Metrics(), testing::HasSubstr("method=\"GetStatus\""));
}

TEST_F(StatusCallTest, ShowsTheUseOfEachProcess) {
  backend_->SetStatus({{.role = ProcessRole::kDenseWorker,
                        .name = "dense-0",
                        .queued_rows = 7,
                        .waiting_sequences = 3,
                        .rows_computed = 5'000'000'000,
                        .certificate_expires = 1'900'000'000}});
  grpc::ClientContext context;
  v1::GetStatusResponse response;
  ASSERT_TRUE(stub_->GetStatus(&context, {}, &response).ok());
  ASSERT_EQ(response.processes_size(), 2);
  const v1::ProcessStatus& dense = response.processes(1);
  EXPECT_EQ(dense.queued_rows(), 7u);
  EXPECT_EQ(dense.waiting_sequences(), 3u);
  EXPECT_EQ(dense.rows_computed(), 5'000'000'000u);
  EXPECT_EQ(dense.certificate_expires(), 1'900'000'000u);
  // Without a policy there are no callers.
  EXPECT_EQ(response.callers_size(), 0);
  EXPECT_EQ(response.families_size() > 0, model_->config.num_experts > 0);
}

TEST_F(StatusCallTest, AClientGetsAtMostTheBytesThatItAccepts) {
  PlacementReport large;
  for (int expert = 0; expert < 400'000; ++expert) {
    large.experts.push_back({0, expert, ExpertHold::kAuto, 1'700'000'000, 1});
  }
  backend_->SetStatus(
      {{.role = ProcessRole::kExpertWorker, .placement = large}});
  v1::GetStatusResponse response;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(stub_->GetStatus(&context, {}, &response).ok());
  }
  ASSERT_EQ(response.processes_size(), 2);
  EXPECT_EQ(response.processes(1).placement().experts_size(), 0);
  ASSERT_EQ(response.processes(1).placement().layers_size(), 1);
  EXPECT_EQ(response.processes(1).placement().layers(0).own_rows(), 400'000u);
  // A client that accepts more gets all of it.
  constexpr int kBytes = 64 << 20;
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kBytes);
  const auto stub = v1::InferenceService::NewStub(grpc::CreateCustomChannel(
      address_, grpc::InsecureChannelCredentials(), arguments));
  v1::GetStatusRequest request;
  request.set_max_response_bytes(kBytes);
  grpc::ClientContext context;
  ASSERT_TRUE(stub->GetStatus(&context, request, &response).ok());
  EXPECT_EQ(response.processes(1).placement().experts_size(), 400'000);
}

TEST_F(StatusCallTest, ARouterThatTurnsCallsAwayIsDraining) {
  calls_->TurnAway();
  grpc::ClientContext context;
  v1::GetStatusResponse response;
  ASSERT_TRUE(stub_->GetStatus(&context, {}, &response).ok());
  EXPECT_EQ(response.processes(0).state(), v1::PROCESS_STATE_DRAINING);
  // As a client of the API sees it.
  const Answer answer = Generate(Prompt("x"));
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(StatusCallTest, AClusterWithoutWorkersHasAStatus) {
  grpc::ClientContext context;
  v1::GetStatusResponse response;
  ASSERT_TRUE(stub_->GetStatus(&context, {}, &response).ok());
  EXPECT_EQ(response.processes_size(), 1);
}

}  // namespace
}  // namespace apollo

#include <absl/status/status.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <variant>

#include "link/grpc_link.h"
#include "link/insecure_channel.h"
#include "link/link_pair.h"

namespace apollo {
namespace {

Frame Hello(const std::string& name) {
  WorkerInfo info;
  info.name = name;
  return {info, {}};
}

// Accepts only the worker of that name.
WorkerProof Only(const std::string& name) {
  return [name](const grpc::AuthContext&, const WorkerInfo& worker) {
    if (worker.name == name) return absl::OkStatus();
    return absl::PermissionDeniedError("it is not " + name);
  };
}

class GrpcLinkProofTest : public testing::Test {
 protected:
  void Open(WorkerProof of_server, WorkerProof of_client) {
    server_ =
        std::make_unique<LinkServer>(far_, LinkLimits(), std::move(of_server));
    link_ = MakeGrpcDialer(Insecure, {}, std::move(of_client))(
        server_->address(), near_);
    link_->Send(Hello("near"));
    server_->WaitForLink()->Send(Hello("far"));
  }
  void TearDown() override {
    link_->Close();
    near_->WaitForClosed().IgnoreError();
    far_->WaitForClosed().IgnoreError();
  }

  const std::shared_ptr<Recorder> near_ = std::make_shared<Recorder>();
  const std::shared_ptr<Recorder> far_ = std::make_shared<Recorder>();
  std::unique_ptr<LinkServer> server_;
  std::shared_ptr<Link> link_;
};

TEST_F(GrpcLinkProofTest, PeersThatAreWhoTheySayAreLinked) {
  Open(Only("near"), Only("far"));
  EXPECT_EQ(near_->WaitForFrames(1).size(), 1U);
  EXPECT_EQ(far_->WaitForFrames(1).size(), 1U);
}

TEST_F(GrpcLinkProofTest, AnAcceptedPeerThatIsSomebodyElseIsNotHeard) {
  Open(Only("another"), nullptr);
  link_->Send(Hello("near"));
  EXPECT_EQ(far_->WaitForClosed(),
            absl::PermissionDeniedError("it is not another"));
  EXPECT_TRUE(far_->WaitForFrames(1).empty());
  EXPECT_FALSE(near_->WaitForClosed().ok());
}

TEST_F(GrpcLinkProofTest, ADialledPeerThatIsSomebodyElseIsNotHeard) {
  Open(nullptr, Only("another"));
  EXPECT_EQ(near_->WaitForClosed(),
            absl::PermissionDeniedError("it is not another"));
  EXPECT_TRUE(near_->WaitForFrames(1).empty());
}

}  // namespace
}  // namespace apollo

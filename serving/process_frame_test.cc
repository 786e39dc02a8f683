#include "serving/process_frame.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/service_type.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "common/stop_request.h"
#include "common/temp_folder.h"
#include "proto/apollo/v1/admin.grpc.pb.h"
#include "serving/fake_service_manager.h"

namespace apollo {
namespace {

// A service whose methods are never called.
class Nothing final : public grpc::Service {};

class ProcessFrameTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Server>> Listen(
      const ProcessFrame& frame, const std::string& address = "127.0.0.1:0") {
    ServerOptions options;
    options.listen = address;
    return Server::Start(options, {{&service_, "test.v1.Nothing"}},
                         {frame.registry()});
  }

  Nothing service_;
};

TEST_F(ProcessFrameTest, ReportsWorkersAndDrainsBeforeStopping) {
  BlockStopSignals();
  FakeServiceManager systemd("@apollo-frame-" + std::to_string(getpid()));
  auto frame = ProcessFrame::Make("workers", "h:1,h:2");
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_TRUE((*frame)->CheckNamesWorkers().ok());
  std::vector<std::string> told;
  const absl::Status begun = (*frame)->Begin(
      Listen(**frame),
      [&](const Membership::Addresses& addresses) { told = addresses; },
      {{"threads", 1}});
  ASSERT_TRUE(begun.ok()) << begun;
  EXPECT_EQ(told, (std::vector<std::string>{"h:1", "h:2"}));
  EXPECT_EQ(systemd.Receive(), "READY=1");
  bool asked = false, alive_asked = false, drained = false;
  kill(getpid(), SIGTERM);
  const absl::Status stopped =
      (*frame)->RunUntilStopped({.ready =
                                     [&] {
                                       EXPECT_FALSE(drained);
                                       return asked = true;
                                     },
                                 .alive = [&] { return alive_asked = true; }},
                                {.grace = absl::ZeroDuration()}, [&] {
                                  EXPECT_EQ(systemd.Receive(), "STOPPING=1");
                                  drained = true;
                                });
  EXPECT_TRUE(stopped.ok()) << stopped;
  EXPECT_TRUE(asked);
  EXPECT_TRUE(alive_asked);
  EXPECT_TRUE(drained);
}

// What every process can reload without its role.
TEST_F(ProcessFrameTest, AReloadReadsTheListOfWorkers) {
  const TempFolder folder;
  const std::string list = folder.path() + "/list";
  const std::string socket = folder.path() + "/admin.sock";
  std::ofstream(list) << "h:1\n";
  auto frame = ProcessFrame::Make("workers", "file:" + list);
  ASSERT_TRUE(frame.ok()) << frame.status();
  ASSERT_TRUE((*frame)->Begin(Listen(**frame), [](const auto&) {}, {}).ok());
  ProcessFlags flags;
  flags.admin_listen = "unix:" + socket;
  bool taken_out = false;
  const absl::Status served = (*frame)->ServeAdmin(
      flags, DrainOptions(),
      [&](const auto&, const auto&) { return taken_out = true; },
      {{"own", [] { return absl::InvalidArgumentError("own is wrong"); }}});
  ASSERT_TRUE(served.ok()) << served;
  const auto stub = v1::AdminService::NewStub(grpc::CreateChannel(
      flags.admin_listen, grpc::InsecureChannelCredentials()));
  const auto reload = [&stub] {
    grpc::ClientContext context;
    v1::ReloadResponse response;
    EXPECT_TRUE(stub->Reload(&context, {}, &response).ok());
    return response;
  };
  v1::ReloadResponse response = reload();
  EXPECT_THAT(response.files(), testing::ElementsAre("workers"));
  ASSERT_EQ(response.refused_size(), 1);
  EXPECT_EQ(response.refused(0).flag(), "own");
  std::ofstream(list) << "nowhere\n";
  response = reload();
  EXPECT_TRUE(response.files().empty());
  ASSERT_EQ(response.refused_size(), 2);
  EXPECT_EQ(response.refused(1).flag(), "workers");
  EXPECT_THAT(response.refused(1).reason(), testing::HasSubstr("nowhere"));
  grpc::ClientContext context;
  v1::DrainResponse drained;
  EXPECT_TRUE(stub->Drain(&context, {}, &drained).ok());
  EXPECT_TRUE(drained.drained());
  EXPECT_TRUE(taken_out);
  (*frame)->Close();
}

TEST_F(ProcessFrameTest, AnInvalidListOrAddressIsAnError) {
  const auto invalid = ProcessFrame::Make("workers", "nowhere");
  EXPECT_EQ(invalid.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(invalid.status().message())
                .rfind("--workers: \"nowhere\" is not an address", 0),
            0u)
      << invalid.status();
  auto frame = ProcessFrame::Make("workers", "");
  ASSERT_TRUE(frame.ok()) << frame.status();
  const absl::Status empty = (*frame)->CheckNamesWorkers();
  EXPECT_EQ(empty.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(empty.message()).rfind("--workers names no worker", 0),
            0u)
      << empty;
  const absl::Status begun = (*frame)->Begin(Listen(**frame, "999.1.1.1:0"),
                                             /*workers=*/nullptr, {});
  EXPECT_EQ(begun.code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace apollo

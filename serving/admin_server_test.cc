#include "serving/admin_server.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/temp_folder.h"
#include "serving/drain_flags.h"

namespace apollo {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class AdminServerTest : public testing::Test {
 protected:
  AdminServerTest() {
    actions_.process = "router-1";
    actions_.drain = {.move = true, .timeout = absl::Seconds(30)};
    actions_.take_out = [this](const DrainOptions& options, const auto&) {
      drains_.push_back(options);
      return drained_;
    };
  }

  void Start(const std::string& listen = "127.0.0.1:0") {
    auto server = AdminServer::Start(listen, actions_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    stub_ = v1::AdminService::NewStub(grpc::CreateChannel(
        server_->address(), grpc::InsecureChannelCredentials()));
  }

  template <typename Request, typename Response>
  grpc::Status Call(grpc::Status (v1::AdminService::Stub::*method)(
                        grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response& response) {
    grpc::ClientContext context;
    return (stub_.get()->*method)(&context, request, &response);
  }
  grpc::Status Drain(const v1::DrainRequest& request) {
    return Call(&v1::AdminService::Stub::Drain, request, drain_);
  }

  AdminActions actions_;
  std::vector<DrainOptions> drains_;
  bool drained_ = true;
  v1::DrainResponse drain_;
  std::unique_ptr<AdminServer> server_;
  std::unique_ptr<v1::AdminService::Stub> stub_;
};

TEST_F(AdminServerTest, DrainsAsTheFlagsOrTheRequestSay) {
  Start();
  EXPECT_TRUE(Drain({}).ok());
  EXPECT_TRUE(drain_.drained());
  ASSERT_EQ(drains_.size(), 1u);
  EXPECT_TRUE(drains_[0].move);
  EXPECT_EQ(drains_[0].timeout, absl::Seconds(30));
  v1::DrainRequest request;
  request.set_mode(v1::DRAIN_MODE_FINISH);
  request.set_timeout_seconds(0.5);
  drained_ = false;
  EXPECT_TRUE(Drain(request).ok());
  EXPECT_FALSE(drain_.drained());
  ASSERT_EQ(drains_.size(), 2u);
  EXPECT_FALSE(drains_[1].move);
  EXPECT_EQ(drains_[1].timeout, absl::Milliseconds(500));
}

// A drain that takes until the caller gives up.
class LongDrainTest : public AdminServerTest {
 protected:
  LongDrainTest() {
    actions_.take_out = [this](const DrainOptions&, const auto& gave_up) {
      begun_.set_value();
      while (!gave_up()) std::this_thread::yield();
      ended_.set_value();
      return false;
    };
    Start();
    call_ = std::async(std::launch::async, [this] {
      v1::DrainResponse response;
      return stub_->Drain(&context_, {}, &response).error_code();
    });
    begun_.get_future().wait();
  }
  ~LongDrainTest() override { server_.reset(); }  // It uses the members.

  std::promise<void> begun_, ended_;
  grpc::ClientContext context_;
  std::future<grpc::StatusCode> call_;
};

TEST_F(LongDrainTest, EndsWithTheCall) {
  context_.TryCancel();
  EXPECT_EQ(call_.get(), grpc::StatusCode::CANCELLED);
  ended_.get_future().wait();
}

TEST_F(LongDrainTest, EndsWithTheServer) {
  server_.reset();
  ended_.get_future().wait();
  EXPECT_NE(call_.get(), grpc::StatusCode::OK);
}

TEST_F(AdminServerTest, RefusesADrainOutOfRangeAndDoesNothing) {
  Start();
  for (const double seconds : {-1.0, 1e9, std::nan("")}) {
    v1::DrainRequest request;
    request.set_timeout_seconds(seconds);
    const grpc::Status status = Drain(request);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr("timeout_seconds is "));
  }
  v1::DrainRequest request;
  request.set_mode(static_cast<v1::DrainMode>(7));
  EXPECT_EQ(Drain(request).error_message(),
            "mode is 7; it must be from 0 to 2");
  EXPECT_TRUE(drains_.empty());
}

TEST_F(AdminServerTest, ReloadsAllFilesAndSaysWhichAreRefused) {
  int reloads = 0;
  absl::Status policy;
  actions_.files = {{"policy",
                     [&] {
                       ++reloads;
                       return policy;
                     }},
                    {"jwt_keys", [&] {
                       ++reloads;
                       return absl::OkStatus();
                     }}};
  Start();
  v1::ReloadResponse response;
  const auto reload = [&] {
    return Call(&v1::AdminService::Stub::Reload, v1::ReloadRequest(), response);
  };
  EXPECT_TRUE(reload().ok());
  EXPECT_THAT(response.files(), ElementsAre("policy", "jwt_keys"));
  EXPECT_TRUE(response.refused().empty());
  policy = absl::InvalidArgumentError("policy.json: line 3 is no JSON");
  EXPECT_TRUE(reload().ok());
  EXPECT_THAT(response.files(), ElementsAre("jwt_keys"));
  ASSERT_EQ(response.refused_size(), 1);
  EXPECT_EQ(response.refused(0).flag(), "policy");
  EXPECT_EQ(response.refused(0).reason(), "policy.json: line 3 is no JSON");
  EXPECT_EQ(reloads, 5);  // A file that is refused gets a second chance.
}

TEST_F(AdminServerTest, AFileThatNeedsALaterOneIsAskedAgain) {
  bool read = false;
  int last = 0;
  actions_.files = {
      {"jwt_keys",
       [&] {
         return read ? absl::OkStatus()
                     : absl::InvalidArgumentError("they do not fit the policy");
       }},
      {"policy",
       [&] {
         read = true;
         return absl::OkStatus();
       }},
      {"tls_cert", [&] {
         ++last;
         return absl::NotFoundError("cert.pem does not exist");
       }}};
  Start();
  v1::ReloadResponse response;
  EXPECT_TRUE(
      Call(&v1::AdminService::Stub::Reload, v1::ReloadRequest(), response)
          .ok());
  EXPECT_THAT(response.files(), ElementsAre("jwt_keys", "policy"));
  ASSERT_EQ(response.refused_size(), 1);
  EXPECT_EQ(response.refused(0).flag(), "tls_cert");
  EXPECT_EQ(last, 1);  // No file came after it.
}

TEST_F(AdminServerTest, AProcessWithoutFilesReloadsNothing) {
  Start();
  v1::ReloadResponse response;
  EXPECT_TRUE(
      Call(&v1::AdminService::Stub::Reload, v1::ReloadRequest(), response)
          .ok());
  EXPECT_TRUE(response.files().empty());
  EXPECT_TRUE(response.refused().empty());
}

TEST_F(AdminServerTest, TellsTheProgramsFlagsOnly) {
  Start();
  v1::GetConfigResponse response;
  ASSERT_TRUE(
      Call(&v1::AdminService::Stub::GetConfig, v1::GetConfigRequest(), response)
          .ok());
  EXPECT_EQ(response.process(), "router-1");
  ASSERT_TRUE(ReadDrainFlags().ok());  // Links the flags.
  EXPECT_EQ(response.flags().at("drain"), "move");
  EXPECT_FALSE(response.flags().contains("flagfile"));
}

TEST_F(AdminServerTest, SetsTheLevelOfTheLog) {
  Start();
  v1::SetLogLevelResponse response;
  v1::SetLogLevelRequest request;
  EXPECT_EQ(Call(&v1::AdminService::Stub::SetLogLevel, request, response)
                .error_message(),
            "level is 0; it must be from 1 to 3");
  for (const auto level :
       {v1::LOG_LEVEL_ERROR, v1::LOG_LEVEL_WARNING, v1::LOG_LEVEL_INFO}) {
    request.set_level(level);
    EXPECT_TRUE(
        Call(&v1::AdminService::Stub::SetLogLevel, request, response).ok());
  }
}

TEST_F(AdminServerTest, EveryMethodAsksWhoMayCall) {
  actions_.authorize = [](const grpc::ServerContextBase&) {
    return absl::PermissionDeniedError("no");
  };
  Start();
  v1::ReloadResponse reload;
  v1::GetConfigResponse config;
  v1::SetLogLevelRequest level;
  level.set_level(v1::LOG_LEVEL_ERROR);
  v1::SetLogLevelResponse set;
  for (const grpc::Status& status :
       {Drain({}),
        Call(&v1::AdminService::Stub::Reload, v1::ReloadRequest(), reload),
        Call(&v1::AdminService::Stub::GetConfig, v1::GetConfigRequest(),
             config),
        Call(&v1::AdminService::Stub::SetLogLevel, level, set)}) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  }
  EXPECT_TRUE(drains_.empty());
}

TEST_F(AdminServerTest, ASocketIsOnlyForTheUserOfTheProcess) {
  const TempFolder folder;
  const std::string path = folder.path() + "/admin.sock";
  Start("unix:" + path);
  struct stat facts;
  ASSERT_EQ(stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
  EXPECT_TRUE(Drain({}).ok());
  const auto other = AdminServer::Start("unix:" + path, actions_);
  EXPECT_THAT(std::string(other.status().message()),
              HasSubstr("--admin_listen: cannot listen on unix:" + path));
  EXPECT_TRUE(Drain({}).ok());
  server_.reset();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(AdminServerTest, AnAddressInUseIsAnError) {
  Start();
  const auto other = AdminServer::Start(server_->address(), actions_);
  EXPECT_EQ(other.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(other.status().message(),
            "--admin_listen: cannot listen on " + server_->address());
}

TEST(AdminListenTest, IsOnThisMachine) {
  for (const char* good :
       {"", "unix:/run/a.sock", "127.0.0.1:0", "[::1]:7", "localhost:7"}) {
    EXPECT_TRUE(CheckAdminListen(good).ok()) << good;
  }
  for (const char* bad : {"0.0.0.0:7", "[::]:7", "10.0.0.1:7", ":7",
                          "127.0.0.1", "unix:relative", "localhost:70000"}) {
    EXPECT_THAT(CheckAdminListen(bad).message(), HasSubstr("--admin_listen"))
        << bad;
  }
}

}  // namespace
}  // namespace apollo

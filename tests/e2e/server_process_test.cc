// A router as a process: what its clients and its supervisor rely on. It has no
// dense worker, so it never serves, but answers.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/temp_folder.h"
#include "proto/grpc/health/v1/health.grpc.pb.h"
#include "proto/grpc/reflection/v1/reflection.grpc.pb.h"
#include "serving/tcp_client.h"
#include "tests/e2e/child_process.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/http.h"

namespace apollo {
namespace {

// Polls done() until it returns true, for at most a minute.
template <typename Done>
bool Eventually(Done done) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (std::chrono::steady_clock::now() < end) {
    if (done()) return true;
    std::this_thread::yield();
  }
  return false;
}

class ServerProcessTest : public testing::Test {
 protected:
  // Starts a router that may open that many files.
  void Start(int files) {
    router_ = std::make_unique<ChildProcess>(
        std::vector<std::string>{
            "/bin/bash", "-c",
            "ulimit -n " + std::to_string(files) + " && exec \"$@\"", "bash",
            Runfile("router/router"),
            "--model=" + Runfile("tests/golden/published"),
            "--listen=127.0.0.1:0", "--dense-workers=127.0.0.1:1",
            "--address_file=" + folder_.path() + "/addresses"},
        folder_.path() + "/log");
    ASSERT_TRUE(Eventually([this] {
      std::ifstream file(folder_.path() + "/addresses");
      std::string word;
      return file >> word >> grpc_ >> word >> metrics_ && true;
    }));
  }

  // Returns the code and the answer of a new connection's health check.
  grpc::StatusCode Check(const std::string& service) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto stub =
        grpc::health::v1::Health::NewStub(grpc::CreateCustomChannel(
            grpc_, grpc::InsecureChannelCredentials(), arguments));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(20));
    grpc::health::v1::HealthCheckRequest request;
    grpc::health::v1::HealthCheckResponse response;
    request.set_service(service);
    return stub->Check(&context, request, &response).error_code();
  }
  bool ServesMetrics() {
    return HttpGet(metrics_, "/metrics").find("apollo_connections") !=
           std::string::npos;
  }

  const TempFolder folder_;
  std::unique_ptr<ChildProcess> router_;
  std::string grpc_, metrics_;
};

TEST_F(ServerProcessTest, BothPortsComeBackAfterAFloodThatTookAllFiles) {
  constexpr int kFiles = 40;
  Start(kFiles);
  EXPECT_EQ(Check(""), grpc::StatusCode::OK);
  {
    std::vector<TcpClient> flood;
    for (int i = 0; i < 2 * kFiles; ++i) {
      flood.emplace_back(metrics_);
      flood.emplace_back(grpc_);
    }
    // The router has taken what it can, and refuses more.
    TcpClient more(grpc_);
    while (more.ReadByte()) more = TcpClient(grpc_);
  }
  EXPECT_TRUE(Eventually([this] { return Check("") == grpc::StatusCode::OK; }));
  EXPECT_TRUE(Eventually([this] { return ServesMetrics(); }));
  EXPECT_TRUE(router_->Running());
  EXPECT_EQ(router_->Stop(), 0);
}

TEST_F(ServerProcessTest, HealthAndReflectionKnowThePublicService) {
  namespace reflection = grpc::reflection::v1;
  Start(1000);
  EXPECT_EQ(Check("apollo.v1.InferenceService"), grpc::StatusCode::OK);
  EXPECT_EQ(Check("apollo.v1.Unknown"), grpc::StatusCode::NOT_FOUND);
  const auto stub = reflection::ServerReflection::NewStub(
      grpc::CreateChannel(grpc_, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  const auto stream = stub->ServerReflectionInfo(&context);
  reflection::ServerReflectionRequest request;
  reflection::ServerReflectionResponse response;
  request.set_file_containing_symbol("apollo.v1.InferenceService");
  ASSERT_TRUE(stream->Write(request) && stream->Read(&response));
  EXPECT_GE(response.file_descriptor_response().file_descriptor_proto_size(),
            2);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ServerProcessTest, HelpAndVersionSucceedAndMistakesAreOneLine) {
  const struct {
    const char* flag;
    int code;
    const char* out;  // Standard output or standard error.
  } kCases[] = {
      {"--help", 0, "--max_connections  (default: 1000)"},
      {"--version", 0, " (commit "},
      {"--modle=x", 1,
       "router: \"--modle\" is not a flag; did you mean --model"},
      {"--max_calls=many", 1, "router: --max_calls is \"many\"; it must be"},
  };
  for (const auto& c : kCases) {
    const std::string path = folder_.path() + "/output";
    std::ofstream(path).close();
    const FileDescriptor out(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    const std::string log = c.code == 0 ? folder_.path() + "/log" : path;
    ChildProcess process({Runfile("router/router"), c.flag}, log,
                         {-1, out.get()});
    EXPECT_EQ(process.Wait(), c.code) << c.flag;
    std::ifstream file(path);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    EXPECT_NE(text.find(c.out), std::string::npos) << c.flag << ": " << text;
    if (c.code != 0) {
      EXPECT_EQ(text.find('\n'), text.size() - 1) << text;
    }
  }
}

}  // namespace
}  // namespace apollo

#include "serving/server.h"

#include <absl/time/clock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/temp_folder.h"
#include "proto/grpc/health/v1/health.grpc.pb.h"
#include "proto/grpc/reflection/v1/reflection.grpc.pb.h"
#include "serving/single_metrics.h"
#include "serving/tcp_client.h"

namespace apollo {
namespace {

// A service whose methods are never called.
class Nothing final : public grpc::Service {};

std::unique_ptr<Server> StartServer(
    grpc::Service* service, std::shared_ptr<prometheus::Registry> registry) {
  auto server =
      Server::Start({}, {{service, "test.v1.Nothing"}}, {std::move(registry)});
  EXPECT_TRUE(server.ok()) << server.status();
  return *std::move(server);
}

// Calls the health service over a connection of its own.
class HealthClient {
 public:
  explicit HealthClient(const std::string& address) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stub_ = grpc::health::v1::Health::NewStub(grpc::CreateCustomChannel(
        address, grpc::InsecureChannelCredentials(), arguments));
  }
  grpc::Status Check() {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckRequest request;
    grpc::health::v1::HealthCheckResponse response;
    return stub_->Check(&context, request, &response);
  }

 private:
  std::unique_ptr<grpc::health::v1::Health::Stub> stub_;
};

// Returns the answer of the server of metrics. It closes a connection whose
// request does not come within 2 s, as may happen on a busy machine: then this
// asks again.
std::string Scrape(const std::string& address) {
  std::string answer;
  for (int i = 0; i < 20 && answer.empty(); ++i) {
    const TcpClient client(address);
    client.Write(
        "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    answer = client.ReadAll();
  }
  return answer;
}

TEST(ServerTest, AConnectionHasALimitOfCalls) {
  using grpc::health::v1::Health;
  Nothing service;
  ServerOptions options;
  options.max_streams_per_connection = 1;
  auto server = Server::Start(options, {{&service, "test.v1.Nothing"}}, {});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto channel = grpc::CreateChannel((*server)->address(),
                                           grpc::InsecureChannelCredentials());
  const auto stub = Health::NewStub(channel);
  grpc::ClientContext context;
  const auto watch = stub->Watch(&context, {});
  grpc::health::v1::HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  const auto check = [&](std::chrono::milliseconds patience) {
    grpc::ClientContext one;
    one.set_deadline(std::chrono::system_clock::now() + patience);
    return stub->Check(&one, {}, &response).error_code();
  };
  EXPECT_EQ(check(std::chrono::milliseconds(200)),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  context.TryCancel();
  watch->Finish();
  EXPECT_EQ(check(std::chrono::minutes(1)), grpc::StatusCode::OK);
}

TEST(ServerTest, AnOldConnectionIsClosed) {
  Nothing service;
  ServerOptions options;
  options.max_connection_age = absl::Milliseconds(100);
  auto server = Server::Start(options, {{&service, "test.v1.Nothing"}}, {});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto channel = grpc::CreateChannel((*server)->address(),
                                           grpc::InsecureChannelCredentials());
  const auto end = std::chrono::system_clock::now() + std::chrono::minutes(1);
  ASSERT_TRUE(channel->WaitForConnected(end));
  EXPECT_TRUE(channel->WaitForStateChange(GRPC_CHANNEL_READY, end));
  // Its client does not notice, unless the machine is so busy that a call takes
  // longer than such a connection lives.
  const auto stub = grpc::health::v1::Health::NewStub(channel);
  bool answered = false;
  while (!answered && std::chrono::system_clock::now() < end) {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckResponse response;
    answered = stub->Check(&context, {}, &response).ok();
  }
  EXPECT_TRUE(answered);
}

TEST(ServerTest, HealthAnswersByServiceName) {
  Nothing service;
  const auto server =
      StartServer(&service, std::make_shared<prometheus::Registry>());
  const auto stub = grpc::health::v1::Health::NewStub(grpc::CreateChannel(
      server->address(), grpc::InsecureChannelCredentials()));
  const auto check = [&stub](const std::string& name, grpc::Status& status) {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckRequest request;
    grpc::health::v1::HealthCheckResponse response;
    request.set_service(name);
    status = stub->Check(&context, request, &response);
    return response.status();
  };
  grpc::Status status;
  for (const char* name : {"", "test.v1.Nothing"}) {
    EXPECT_EQ(check(name, status),
              grpc::health::v1::HealthCheckResponse::NOT_SERVING)
        << name;
    EXPECT_TRUE(status.ok()) << name << ": " << status.error_message();
  }
  server->SetServing(true);
  for (const char* name : {"", "test.v1.Nothing"}) {
    EXPECT_EQ(check(name, status),
              grpc::health::v1::HealthCheckResponse::SERVING)
        << name;
  }
  check("test.v1.Unknown", status);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST(ServerTest, ServesOnAUnixSocket) {
  const TempFolder temp;
  const std::string& folder = temp.path();
  ServerOptions options;
  options.listen = "unix:" + folder + "/grpc.sock";
  options.address_file = folder + "/addresses";
  options.max_connections = 2;
  Nothing service;
  auto server = Server::Start(options, {{&service, "test.v1.Nothing"}}, {});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ((*server)->address(), options.listen);
  std::string name, address;
  std::ifstream(options.address_file) >> name >> address;
  EXPECT_EQ(address, options.listen);
  {
    HealthClient first(options.listen), second(options.listen);
    EXPECT_TRUE(first.Check().ok());
    EXPECT_TRUE(second.Check().ok());
    HealthClient third(options.listen);
    EXPECT_EQ(third.Check().error_code(), grpc::StatusCode::UNAVAILABLE);
  }
  // The places of connections that have ended are given to others.
  grpc::Status status;
  const auto end = absl::Now() + absl::Minutes(1);
  do {
    status = HealthClient(options.listen).Check();
  } while (!status.ok() && absl::Now() < end);
  EXPECT_TRUE(status.ok()) << status.error_message();
  server->reset();
  EXPECT_FALSE(std::filesystem::exists(folder + "/grpc.sock"));
}

TEST(ServerTest, LivenessIsNotReadiness) {
  using grpc::health::v1::HealthCheckResponse;
  Nothing service;
  const auto server =
      StartServer(&service, std::make_shared<prometheus::Registry>());
  const auto stub = grpc::health::v1::Health::NewStub(grpc::CreateChannel(
      server->address(), grpc::InsecureChannelCredentials()));
  const auto serves = [&stub](const std::string& name) {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckRequest request;
    grpc::health::v1::HealthCheckResponse response;
    request.set_service(name);
    EXPECT_TRUE(stub->Check(&context, request, &response).ok()) << name;
    return response.status() == HealthCheckResponse::SERVING;
  };
  // A process that loads or waits for others is alive.
  EXPECT_TRUE(serves(kLiveness));
  EXPECT_FALSE(serves(""));
  server->SetServing(true);
  for (const bool ready : {false, true}) {
    server->SetServing(ready);
    EXPECT_TRUE(serves(kLiveness)) << ready;
  }
  server->SetAlive(false);
  EXPECT_FALSE(serves(kLiveness));
  EXPECT_TRUE(serves(""));
  EXPECT_TRUE(serves("test.v1.Nothing"));
  server->SetServing(false);
  server->SetAlive(true);
  EXPECT_TRUE(serves(kLiveness));
  EXPECT_FALSE(serves(""));
}

TEST(ServerTest, HealthIsWatchedByServiceName) {
  using grpc::health::v1::HealthCheckResponse;
  Nothing service;
  const auto server =
      StartServer(&service, std::make_shared<prometheus::Registry>());
  const auto stub = grpc::health::v1::Health::NewStub(grpc::CreateChannel(
      server->address(), grpc::InsecureChannelCredentials()));
  for (const std::string name : {"", "test.v1.Nothing"}) {
    server->SetServing(false);
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(name);
    const auto watch = stub->Watch(&context, request);
    HealthCheckResponse response;
    ASSERT_TRUE(watch->Read(&response));
    EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING) << name;
    server->SetServing(true);
    ASSERT_TRUE(watch->Read(&response));
    EXPECT_EQ(response.status(), HealthCheckResponse::SERVING) << name;
    context.TryCancel();
    watch->Finish();
  }
  grpc::ClientContext context;
  grpc::health::v1::HealthCheckRequest request;
  request.set_service("test.v1.Unknown");
  const auto watch = stub->Watch(&context, request);
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVICE_UNKNOWN);
  context.TryCancel();
  watch->Finish();
}

// A client that watches the health of a process never ends its call.
TEST(ServerTest, AWatcherDoesNotHoldUpTheEnd) {
  Nothing service;
  const auto server =
      StartServer(&service, std::make_shared<prometheus::Registry>());
  const auto stub = grpc::health::v1::Health::NewStub(grpc::CreateChannel(
      server->address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  const auto watch =
      stub->Watch(&context, grpc::health::v1::HealthCheckRequest());
  grpc::health::v1::HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  bool busy = true;
  int asked = 0, ended = 0;
  server->Shutdown({.grace = absl::InfiniteDuration(),
                    .none_left =
                        [&] {
                          busy = busy && ++asked < 3;
                          return !busy;
                        },
                    .end = [&] { ++ended; }});
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(ended, 0);
  while (watch->Read(&response)) {
  }
  EXPECT_FALSE(watch->Finish().ok());
}

TEST(ServerTest, CallsThatAreLeftAreEndedBeforeTheyAreCancelled) {
  Nothing service;
  const auto server =
      StartServer(&service, std::make_shared<prometheus::Registry>());
  const auto stub = grpc::health::v1::Health::NewStub(grpc::CreateChannel(
      server->address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  const auto watch =
      stub->Watch(&context, grpc::health::v1::HealthCheckRequest());
  grpc::health::v1::HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  bool left = true;
  int ended = 0;
  server->Shutdown({.grace = absl::ZeroDuration(),
                    .none_left = [&] { return !left; },
                    .end =
                        [&] {
                          ++ended;
                          left = false;
                        }});
  EXPECT_EQ(ended, 1);
  EXPECT_FALSE(watch->Finish().ok());
}

TEST(ServerTest, ReflectionListsAndDescribesAllServices) {
  namespace reflection = grpc::reflection::v1;
  Nothing service;
  ServerOptions options;
  options.reflection = true;
  const auto server =
      Server::Start(options, {{&service, "test.v1.Nothing"}}, {});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto stub = reflection::ServerReflection::NewStub(grpc::CreateChannel(
      (*server)->address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  const auto stream = stub->ServerReflectionInfo(&context);
  reflection::ServerReflectionRequest request;
  reflection::ServerReflectionResponse response;
  request.set_list_services("");
  ASSERT_TRUE(stream->Write(request) && stream->Read(&response));
  std::set<std::string> names;
  for (const auto& listed : response.list_services_response().service()) {
    names.insert(listed.name());
  }
  EXPECT_EQ(names, (std::set<std::string>{
                       "test.v1.Nothing", "grpc.health.v1.Health",
                       "grpc.reflection.v1.ServerReflection",
                       "grpc.reflection.v1alpha.ServerReflection"}));
  for (const std::string& name : names) {
    if (name == "test.v1.Nothing") continue;  // Has no descriptor.
    request.set_file_containing_symbol(name);
    ASSERT_TRUE(stream->Write(request) && stream->Read(&response));
    EXPECT_EQ(response.file_descriptor_response().file_descriptor_proto_size(),
              1)
        << name;
  }
  stream->WritesDone();
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST(ServerTest, IdleConnectionsDoNotBlindMetrics) {
  Nothing service;
  auto registry = std::make_shared<prometheus::Registry>();
  AddCounter(*registry, "apollo_test_total", "Counts nothing.");
  const auto server = StartServer(&service, registry);
  std::vector<TcpClient> idle;
  for (int i = 0; i < 8; ++i) {
    idle.emplace_back(server->metrics_address());
    ASSERT_TRUE(idle.back().ok());
  }
  // Without a free thread the answer would come only after all idle connections
  // have timed out, which exceeds the timeout of this test.
  EXPECT_NE(Scrape(server->metrics_address()).find("apollo_test_total"),
            std::string::npos);
}

TEST(ServerTest, ConnectionsAreBoundedEvenIfTheyDoNothing) {
  Nothing service;
  auto registry = std::make_shared<prometheus::Registry>();
  ServerOptions options;
  options.max_connections = 3;
  const auto server =
      Server::Start(options, {{&service, "test.v1.Nothing"}}, {registry});
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string& address = (*server)->address();
  HealthClient health(address);
  EXPECT_TRUE(health.Check().ok());
  // gRPC sends first.
  const TcpClient idle(address);
  EXPECT_TRUE(idle.ReadByte());
  TcpClient gone(address);
  EXPECT_TRUE(gone.ReadByte());
  EXPECT_FALSE(TcpClient(address).ReadByte());
  // Destroyed at once: it would reconnect and take the place of others.
  EXPECT_EQ(HealthClient(address).Check().error_code(),
            grpc::StatusCode::UNAVAILABLE);
  // Accepted connections are not affected.
  EXPECT_TRUE(health.Check().ok());
  // The place of each connection that ends, in any way, is reused.
  gone.Close();
  const auto until_accepted = [&address] {
    for (;;) {
      TcpClient client(address);
      if (client.ReadByte()) return client;
    }
  };
  until_accepted().Abort();
  TcpClient wrong = until_accepted();
  wrong.Write("this is no HTTP/2\r\n\r\n");
  wrong.ReadAll();  // Until gRPC closes it.
  const TcpClient last = until_accepted();
  EXPECT_FALSE(TcpClient(address).ReadByte());
  EXPECT_TRUE(health.Check().ok());
}

// The frames that open a connection: the preface and empty settings.
const std::string kPreface(
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    "\0\0\0\x4\0\0\0\0\0",
    33);

TEST(ServerTest, APeerThatAnswersNoPingIsDroppedAfterTheGivenTime) {
  Nothing service;
  ServerOptions options;
  options.keepalive_time = absl::Milliseconds(100);
  options.keepalive_timeout = absl::Milliseconds(100);
  const auto server =
      Server::Start(options, {{&service, "test.v1.Nothing"}}, {});
  ASSERT_TRUE(server.ok()) << server.status();
  const TcpClient silent((*server)->address());
  ASSERT_TRUE(silent.Write(kPreface));
  silent.ReadAll();  // Ends.
}

TEST(ServerTest, ManyConnectionsComeAndGo) {
  Nothing service;
  ServerOptions options;
  options.max_connections = 4;
  const auto server =
      Server::Start(options, {{&service, "test.v1.Nothing"}}, {});
  ASSERT_TRUE(server.ok()) << server.status();
  for (int i = 0; i < 200; ++i) {
    HealthClient client((*server)->address());
    // Earlier connections may still be open.
    while (!client.Check().ok()) client = HealthClient((*server)->address());
  }
}

TEST(ServerTest, ServesAllMetrics) {
  Nothing service;
  const auto first = std::make_shared<prometheus::Registry>();
  const auto second = std::make_shared<prometheus::Registry>();
  AddCounter(*first, "apollo_first_total", "First.");
  AddCounter(*second, "apollo_second_total", "Second.");
  const auto server =
      Server::Start({}, {{&service, "test.v1.Nothing"}}, {first, second});
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string answer = Scrape((*server)->metrics_address());
  EXPECT_NE(answer.find("\napollo_first_total 0\n"), std::string::npos);
  EXPECT_NE(answer.find("\napollo_second_total 0\n"), std::string::npos);
  // Also those of the server.
  EXPECT_NE(answer.find("\napollo_connections_refused_total 0\n"),
            std::string::npos);
}

TEST(ServerTest, MetricsOfAllAddressesOfTheMachine) {
  for (const char* all : {":0", "[::]:0", "0.0.0.0:0"}) {
    Nothing service;
    ServerOptions options;
    options.metrics_listen = all;
    const auto server =
        Server::Start(options, {{&service, "test.v1.Nothing"}}, {});
    ASSERT_TRUE(server.ok()) << server.status();
    const std::string& address = (*server)->metrics_address();
    const std::string answer =
        Scrape("127.0.0.1" + address.substr(address.rfind(':')));
    EXPECT_NE(answer.find("\napollo_"), std::string::npos) << all;
  }
}

TEST(ServerTest, AnAddressInUseIsNamed) {
  Nothing service;
  const auto first =
      StartServer(&service, std::make_shared<prometheus::Registry>());
  Nothing other;
  ServerOptions options;
  options.listen = first->address();
  const auto second = Server::Start(options, {{&other, "test.v1.Nothing"}}, {});
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.status().message().find(first->address()),
            std::string::npos);
}

TEST(ServerTest, AMetricsAddressInUseIsNamedWithItsFlag) {
  Nothing service;
  const auto first =
      StartServer(&service, std::make_shared<prometheus::Registry>());
  Nothing other;
  ServerOptions options;
  options.metrics_listen = first->metrics_address();
  const auto second = Server::Start(options, {{&other, "test.v1.Nothing"}}, {});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  const std::string start =
      "--metrics_listen: cannot listen on " + first->metrics_address() + ": ";
  const std::string message(second.status().message());
  EXPECT_EQ(message.rfind(start, 0), 0u) << message;
  EXPECT_GT(message.size(), start.size());  // The reason.
}

TEST(ServerTest, AnAddressFileThatCannotBeWrittenIsNamedWithItsFlag) {
  Nothing service;
  ServerOptions options;
  options.address_file = "/nonexistent/addresses";
  const auto server =
      Server::Start(options, {{&service, "test.v1.Nothing"}}, {});
  ASSERT_FALSE(server.ok());
  const std::string message(server.status().message());
  EXPECT_EQ(message.rfind("--address_file: cannot write /nonexistent/", 0), 0u)
      << message;
}

}  // namespace
}  // namespace apollo

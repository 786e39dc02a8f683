#include "serving/server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <prometheus/registry.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "proto/grpc/health/v1/health.grpc.pb.h"
#include "serving/single_metrics.h"

namespace apollo {
namespace {

// A service without methods that are ever called.
class Nothing final : public grpc::Service {};

std::unique_ptr<Server> StartServer(
    grpc::Service* service, std::shared_ptr<prometheus::Registry> registry) {
  auto server =
      Server::Start({}, {{service, "test.v1.Nothing"}}, {std::move(registry)});
  EXPECT_TRUE(server.ok()) << server.status();
  return *std::move(server);
}

// A connection to "127.0.0.1:port", or -1.
int Connect(const std::string& address) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to = {};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(static_cast<std::uint16_t>(
      std::atoi(address.c_str() + address.rfind(':') + 1)));
  if (connect(socket, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) !=
      0) {
    close(socket);
    return -1;
  }
  return socket;
}

std::string ReadAll(int socket) {
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = read(socket, buffer, sizeof(buffer))) > 0;) {
    text.append(buffer, static_cast<std::size_t>(n));
  }
  return text;
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

TEST(ServerTest, IdleConnectionsDoNotBlindMetrics) {
  Nothing service;
  auto registry = std::make_shared<prometheus::Registry>();
  AddCounter(*registry, "apollo_test_total", "Counts nothing.");
  const auto server = StartServer(&service, registry);
  std::vector<int> idle;
  for (int i = 0; i < 8; ++i) {
    idle.push_back(Connect(server->metrics_address()));
    ASSERT_GE(idle.back(), 0);
  }
  const int scrape = Connect(server->metrics_address());
  ASSERT_GE(scrape, 0);
  const std::string request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
  ASSERT_EQ(write(scrape, request.data(), request.size()),
            static_cast<ssize_t>(request.size()));
  // Without a free thread the answer comes only when civetweb has lost its
  // patience with all of the idle connections, after this test's time.
  EXPECT_NE(ReadAll(scrape).find("apollo_test_total"), std::string::npos);
  for (const int socket : idle) close(socket);
  close(scrape);
}

TEST(ServerTest, ServesTheMetricsOfAll) {
  Nothing service;
  const auto first = std::make_shared<prometheus::Registry>();
  const auto second = std::make_shared<prometheus::Registry>();
  AddCounter(*first, "apollo_first_total", "First.");
  AddCounter(*second, "apollo_second_total", "Second.");
  const auto server =
      Server::Start({}, {{&service, "test.v1.Nothing"}}, {first, second});
  ASSERT_TRUE(server.ok()) << server.status();
  const int scrape = Connect((*server)->metrics_address());
  ASSERT_GE(scrape, 0);
  const std::string request =
      "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  ASSERT_EQ(write(scrape, request.data(), request.size()),
            static_cast<ssize_t>(request.size()));
  const std::string answer = ReadAll(scrape);
  EXPECT_NE(answer.find("\napollo_first_total 0\n"), std::string::npos);
  EXPECT_NE(answer.find("\napollo_second_total 0\n"), std::string::npos);
  close(scrape);
}

TEST(ServerTest, AnAddressThatIsTakenIsNamed) {
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

}  // namespace
}  // namespace apollo

#include "serving/tls.h"

#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <stdio.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/mutex.h"
#include "proto/apollo/internal/v1/generation.grpc.pb.h"
#include "proto/grpc/health/v1/health.grpc.pb.h"
#include "serving/peer_identity_grpc.h"
#include "serving/server.h"
#include "serving/tcp_client.h"
#include "serving/test_certificates.h"
#include "serving/tls_greeting.h"

namespace apollo {
namespace {

using grpc::health::v1::Health;
using internal::v1::DenseWorkerService;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

// Tells who has called.
class IdentityService final : public DenseWorkerService::Service {
 public:
  grpc::Status Describe(grpc::ServerContext* context,
                        const internal::v1::DescribeRequest*,
                        internal::v1::DescribeResponse*) override {
    MutexLock lock(mutex_);
    caller_ = PeerIdentityOf(*context);
    return grpc::Status::OK;
  }

  PeerIdentity caller() {
    MutexLock lock(mutex_);
    return caller_;
  }

 private:
  Mutex mutex_;
  PeerIdentity caller_ ABSL_GUARDED_BY(mutex_);
};

template <typename Call>
grpc::Status WithDeadline(grpc::ClientContext& context, Call call) {
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(20));
  return call();
}

grpc::Status CallHealth(const std::shared_ptr<grpc::Channel>& channel,
                        std::string* certificate = nullptr) {
  grpc::ClientContext context;
  grpc::health::v1::HealthCheckResponse response;
  const grpc::Status status = WithDeadline(context, [&] {
    return Health::NewStub(channel)->Check(&context, {}, &response);
  });
  if (status.ok() && certificate != nullptr) {
    *certificate = PeerIdentityOf(*context.auth_context()).certificate_sha256;
  }
  return status;
}

grpc::Status CallDescribe(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  internal::v1::DescribeResponse response;
  return WithDeadline(context, [&] {
    return DenseWorkerService::NewStub(channel)->Describe(&context, {},
                                                          &response);
  });
}

// Tries for at most a minute. No pause is needed: each try is a call over a
// connection of its own.
template <typename Done>
bool Eventually(Done done) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (std::chrono::steady_clock::now() < end) {
    if (done()) return true;
  }
  return false;
}

class TlsTest : public testing::Test {
 protected:
  TlsTest() : server_files_(worker_, authority_.certificate()) {}

  static std::shared_ptr<Tls> Open(const TlsFiles& files, PeerRole role,
                                   const std::string& server_name = "") {
    auto tls = Tls::Open({.files = files, .server_name = server_name}, role,
                         absl::Now());
    EXPECT_TRUE(tls.ok()) << tls.status();
    return tls.ok() ? *tls : nullptr;
  }

  void StartServer(Callers callers = {.only = {PeerRole::kRouter}}) {
    options_.tls = Open(server_files_.files(), PeerRole::kDenseWorker);
    auto server = Server::Start(
        options_,
        {{&service_, DenseWorkerService::service_full_name(), callers}}, {});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  // A channel of a process with that certificate, to a dense worker.
  std::shared_ptr<grpc::Channel> ChannelOf(
      const TestFiles& files, PeerRole role = PeerRole::kRouter,
      const std::string& server_name = "") {
    return ChannelsTo(
        PeerRole::kDenseWorker,
        Open(files.files(), role, server_name))(server_->address());
  }

  // A channel of a client that is none of our programs. Empty texts: no
  // certificate.
  std::shared_ptr<grpc::Channel> Foreign(const TestIdentity& identity) {
    return grpc::CreateChannel(
        server_->address(),
        grpc::SslCredentials(
            {authority_.certificate(), identity.key, identity.certificate}));
  }

  TestAuthority authority_;
  const TestIdentity worker_ = authority_.SignFor("dense-worker/d0");
  TestFiles server_files_;
  TestFiles router_files_{authority_.SignFor("router/r0"),
                          authority_.certificate()};
  ServerOptions options_;
  IdentityService service_;
  std::unique_ptr<Server> server_;
};

TEST_F(TlsTest, BothSidesProveThemselves) {
  StartServer();
  const auto channel = ChannelOf(router_files_);
  const grpc::Status status = CallDescribe(channel);
  ASSERT_TRUE(status.ok()) << status.error_message();
  const PeerIdentity caller = service_.caller();
  EXPECT_TRUE(caller.proven);
  EXPECT_THAT(caller.uris, Contains("spiffe://apollo/router/r0"));
  EXPECT_THAT(caller.dns_names, Contains("localhost"));
  EXPECT_EQ(caller.certificate_sha256.size(), 64U);
  std::string certificate;
  EXPECT_TRUE(CallHealth(channel, &certificate).ok());
  EXPECT_EQ(certificate, ParseCertificate(worker_.certificate).value().sha256);
}

TEST_F(TlsTest, ClientsWithoutAGoodCertificateAreRefused) {
  StartServer();
  TestCertificate expired, early;
  expired.not_after = absl::Now() - absl::Hours(1);
  early.not_before = absl::Now() + absl::Hours(1);
  const TestIdentity refused[] = {{"", ""},
                                  authority_.Sign(expired),
                                  authority_.Sign(early),
                                  TestAuthority().SignFor("router/r0")};
  for (const TestIdentity& identity : refused) {
    EXPECT_EQ(CallHealth(Foreign(identity)).error_code(),
              grpc::StatusCode::UNAVAILABLE)
        << identity.certificate;
  }
  EXPECT_EQ(CallHealth(MakeClusterChannel(server_->address())).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(CallHealth(Foreign(authority_.SignFor("client/c"))).ok());
}

TEST_F(TlsTest, AClientNeedsNoCertificateIfTheServerOnlyAsksForIt) {
  options_.clients_need_certificate = false;
  StartServer({.never = {PeerRole::kExpertWorker}});
  EXPECT_TRUE(CallDescribe(Foreign({"", ""})).ok());
  EXPECT_FALSE(service_.caller().proven);
  // One that it shows must be good.
  EXPECT_EQ(
      CallDescribe(Foreign(TestAuthority().SignFor("client/c"))).error_code(),
      grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsTest, AServiceForOneRoleRefusesOthersAndTheNameless) {
  options_.clients_need_certificate = false;
  StartServer();
  const TestIdentity refused[] = {authority_.SignFor("client/c"),
                                  authority_.SignFor("dense-worker/d1"),
                                  authority_.Sign({}),
                                  {"", ""}};
  for (const TestIdentity& identity : refused) {
    const auto channel = Foreign(identity);
    const grpc::Status status = CallDescribe(channel);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
    EXPECT_THAT(status.error_message(), HasSubstr("it must be router"));
    EXPECT_TRUE(CallHealth(channel).ok());
  }
  EXPECT_FALSE(service_.caller().proven);  // It has seen none of them.
}

TEST_F(TlsTest, APublicServiceRefusesOnlyWorkers) {
  StartServer({.never = {PeerRole::kDenseWorker, PeerRole::kExpertWorker}});
  EXPECT_TRUE(CallDescribe(Foreign(authority_.SignFor("client/c"))).ok());
  EXPECT_TRUE(CallDescribe(Foreign(authority_.Sign({}))).ok());
  EXPECT_EQ(
      CallDescribe(Foreign(authority_.SignFor("expert-worker/e"))).error_code(),
      grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(TlsTest, AServerOfAnotherRoleIsNotCalled) {
  // A client's certificate on a worker's port.
  server_files_.Write(authority_.SignFor("client/c"));
  options_.tls = Open(server_files_.files(), PeerRole::kClient);
  auto server = Server::Start(
      options_, {{&service_, DenseWorkerService::service_full_name(), {}}}, {});
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  const grpc::Status status = CallDescribe(ChannelOf(router_files_));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(),
              HasSubstr("it must have the role dense-worker"));
}

TEST_F(TlsTest, AServerOfAnotherAuthorityIsNotCalled) {
  TestAuthority other;
  StartServer();
  const TestFiles files(other.SignFor("router/r0"), other.certificate());
  EXPECT_EQ(CallHealth(ChannelOf(files)).error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsTest, AServerMustBeNamedAsItsAddressOrAsTheFlagSays) {
  server_files_.Write(
      authority_.Sign({.names = {"DNS:workers.example",
                                 "URI:spiffe://apollo/dense-worker/d0"}}));
  StartServer();
  const grpc::Status status = CallHealth(ChannelOf(router_files_));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("does not name 127.0.0.1"));
  EXPECT_TRUE(
      CallHealth(ChannelOf(router_files_, PeerRole::kRouter, "workers.example"))
          .ok());
}

TEST_F(TlsTest, CallsGoOnWhileCertificatesAreRenewed) {
  StartServer();
  const auto router = Open(router_files_.files(), PeerRole::kRouter);
  const auto channels = ChannelsTo(PeerRole::kDenseWorker, router);
  const auto kept = channels(server_->address());
  const TestIdentity renewed = authority_.SignFor("dense-worker/d0");
  const TestIdentity router_renewed = authority_.SignFor("router/r0");
  const std::string wanted =
      ParseCertificate(renewed.certificate).value().sha256;
  const std::string router_wanted =
      ParseCertificate(router_renewed.certificate).value().sha256;

  std::atomic<bool> stop{false};
  std::atomic<int> failures{0}, calls{0};
  std::thread load([&] {
    while (!stop) {
      if (!CallDescribe(kept).ok()) ++failures;
      ++calls;
    }
  });
  // First only half of the pair, which must not disturb new connections.
  server_files_.WriteCertificate(renewed.certificate);
  options_.tls->Look(absl::Now());
  options_.tls->Look(absl::Now());
  EXPECT_TRUE(CallDescribe(channels(server_->address())).ok());
  server_files_.WriteKey(renewed.key);
  router_files_.Write(router_renewed);
  EXPECT_TRUE(Eventually([&] {
    std::string certificate;
    const auto channel = channels(server_->address());
    if (!CallDescribe(channel).ok()) ++failures;
    if (!CallHealth(channel, &certificate).ok()) ++failures;
    return certificate == wanted &&
           service_.caller().certificate_sha256 == router_wanted;
  }));
  stop = true;
  load.join();
  EXPECT_EQ(failures, 0);
  EXPECT_GT(calls, 0);
}

TEST_F(TlsTest, ACertificateOfAnotherNameIsNotTaken) {
  StartServer();
  // Before the files change: the process looks at them by itself, too.
  testing::internal::CaptureStderr();
  server_files_.Write(authority_.SignFor("dense-worker/d1"));
  options_.tls->Look(absl::Now());
  options_.tls->Look(absl::Now());
  options_.tls->Look(absl::Now());
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("certificate_refused"));
  std::string certificate;
  EXPECT_TRUE(CallHealth(ChannelOf(router_files_), &certificate).ok());
  EXPECT_EQ(certificate, ParseCertificate(worker_.certificate).value().sha256);
}

TEST_F(TlsTest, ConnectionsAreLimited) {
  options_.max_connections = 1;
  StartServer();
  auto first = ChannelOf(router_files_);
  EXPECT_TRUE(CallHealth(first).ok());
  EXPECT_EQ(CallHealth(Foreign(authority_.SignFor("client/c"))).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  first = nullptr;
  EXPECT_TRUE(Eventually([&] {
    return CallHealth(Foreign(authority_.SignFor("client/c"))).ok();
  }));
}

TEST_F(TlsTest, AGreetingGetsAnAnswerAndLeavesNoError) {
  StartServer();
  testing::internal::CaptureStderr();
  {
    const TcpClient client(server_->address());
    EXPECT_TRUE(client.Write(TlsGreeting()));
    EXPECT_TRUE(client.ReadByte());
  }
  EXPECT_TRUE(CallHealth(ChannelOf(router_files_)).ok());
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

// Returns what `openssl s_client` says about a version of TLS.
std::string TryVersion(const std::string& address, const std::string& version,
                       const TlsFiles& files) {
  const std::string command =
      "openssl s_client -connect " + address + " -" + version +
      " -cipher 'DEFAULT@SECLEVEL=0' -alpn h2 -CAfile " + files.authorities +
      " -cert " + files.certificate + " -key " + files.key + " </dev/null 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  std::string output;
  char buffer[4096];
  while (const std::size_t size = fread(buffer, 1, sizeof(buffer), pipe)) {
    output.append(buffer, size);
  }
  pclose(pipe);
  return output;
}

TEST_F(TlsTest, OnlyVersionsFrom12OnAreSpoken) {
  StartServer();
  const std::string none = "Cipher is (NONE)";
  for (const char* version : {"tls1_2", "tls1_3"}) {
    const std::string output =
        TryVersion(server_->address(), version, router_files_.files());
    EXPECT_THAT(output, AllOf(HasSubstr("Cipher is "), Not(HasSubstr(none))))
        << version;
  }
  for (const char* version : {"tls1", "tls1_1"}) {
    EXPECT_THAT(TryVersion(server_->address(), version, router_files_.files()),
                HasSubstr(none))
        << version;
  }
}

TEST_F(TlsTest, PublishesTheExpiry) {
  const auto tls = Open(server_files_.files(), PeerRole::kDenseWorker);
  const auto families = tls->metrics()->Collect();
  ASSERT_EQ(families.size(), 1U);
  EXPECT_EQ(families[0].name, "apollo_tls_certificate_expiry_seconds");
  EXPECT_EQ(families[0].metric[0].gauge.value,
            static_cast<double>(absl::ToUnixSeconds(
                ParseCertificate(worker_.certificate).value().not_after)));
}

TEST_F(TlsTest, ACertificateOfAnotherRoleDoesNotOpen) {
  for (const char* role : {"client/c", "king/k"}) {
    const TestFiles files(authority_.SignFor(role), authority_.certificate());
    const auto tls =
        Tls::Open({.files = files.files()}, PeerRole::kRouter, absl::Now());
    EXPECT_EQ(tls.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(tls.status().message()),
                HasSubstr("URI:spiffe://apollo/router/NAME"));
  }
}

}  // namespace
}  // namespace apollo

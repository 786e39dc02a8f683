// A cluster of real processes that talk TLS, each with its own certificate.

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "proto/apollo/internal/v1/generation.grpc.pb.h"
#include "proto/apollo/v1/inference.grpc.pb.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/generate.h"

namespace apollo {
namespace {

Answer Ask(Cluster& cluster) {
  return Generate(*cluster.NewStub(), GreedyRequest("What is asthma?", 12));
}

TEST(TlsTest, AnswersAreTheSameAsInPlaintext) {
  Cluster::Layout layout{.expert_workers = 2};
  Cluster plain(Runfile("tests/golden/published"), layout);
  plain.Start();
  plain.WaitForHealth(true);
  const Answer expected = Ask(plain);
  ASSERT_TRUE(expected.status.ok()) << expected.status.error_message();
  ASSERT_FALSE(expected.ids.empty());
  plain.StopAll();

  layout.tls = true;
  Cluster encrypted(Runfile("tests/golden/published"), layout);
  encrypted.Start();
  encrypted.WaitForHealth(true);
  const Answer answer = Ask(encrypted);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_EQ(answer.ids, expected.ids);
  EXPECT_EQ(answer.logprobs, expected.logprobs);
  EXPECT_EQ(answer.text, expected.text);
  for (const char* name : {"router", "dense-worker-0", "expert-worker-1"}) {
    EXPECT_GT(encrypted.Metric(name, "apollo_tls_certificate_expiry_seconds"),
              0)
        << name;
  }
  grpc::ClientContext context;
  v1::GetStatusResponse status;
  ASSERT_TRUE(encrypted.NewStub()->GetStatus(&context, {}, &status).ok());
  EXPECT_EQ(status.processes_size(), 4);
  for (const v1::ProcessStatus& process : status.processes()) {
    EXPECT_GT(process.certificate_expires(), 0u) << process.name();
  }
  encrypted.StopAll();
}

TEST(TlsTest, ClientsReachNoWorkerAndNobodyWithoutACertificate) {
  Cluster cluster(Runfile("tests/golden/published"), {.tls = true});
  cluster.Start();
  const auto describe =
      [&](const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
        grpc::ClientContext context;
        context.set_deadline(std::chrono::system_clock::now() +
                             std::chrono::seconds(20));
        internal::v1::DescribeResponse response;
        return internal::v1::DenseWorkerService::NewStub(
                   grpc::CreateChannel(cluster.dense_address(), credentials))
            ->Describe(&context, {}, &response)
            .error_code();
      };
  EXPECT_EQ(describe(cluster.Credentials()),
            grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_GT(cluster.Metric("dense-worker-0", "apollo_tls_refused_calls_total"),
            0);
  EXPECT_EQ(describe(grpc::InsecureChannelCredentials()),
            grpc::StatusCode::UNAVAILABLE);
  cluster.StopAll();
}

}  // namespace
}  // namespace apollo

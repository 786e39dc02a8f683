#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "proto/apollo/v1/inference.grpc.pb.h"
#include "router/grpc/inference_service.h"
#include "router/model/router_model.h"
#include "router/session/call_table.h"
#include "router/session/scripted_backend.h"
#include "serving/metrics.h"

namespace apollo {

// A request with seed 5.
v1::GenerateRequest Prompt(const std::string& prompt);

// Returns the text of one answer; the test fails if its events are out of
// order.
std::string TextOf(const std::vector<v1::GenerateResponse>& events,
                   unsigned choice = 0);

// A clock that a test moves. Thread-safe.
class MovedClock final : public Clock {
 public:
  absl::Duration Now() const override {
    return absl::Nanoseconds(nanoseconds_.load());
  }
  void Advance(absl::Duration time) {
    nanoseconds_ += absl::ToInt64Nanoseconds(time);
  }

 private:
  std::atomic<std::int64_t> nanoseconds_ = 1'000'000'000'000;
};

// The router's service on a port of this process, before a scripted cluster. It
// takes the metadata "test-tenant" for the caller's tenant.
class ScriptedClusterTest : public testing::Test {
 protected:
  explicit ScriptedClusterTest(const CallLimits& limits = {});
  ~ScriptedClusterTest() override;

  struct Answer {
    std::vector<v1::GenerateResponse> events;
    grpc::Status status;
  };
  Answer Generate(const v1::GenerateRequest& request,
                  const std::string& tenant = "");

  // As /metrics serves them.
  std::string Metrics();

  // Calls that run, by the metric; AwaitRunning waits until they are `wanted`,
  // or half a minute.
  int Running();
  int AwaitRunning(int wanted);

  // Sessions outlive their calls where a sequence of the backend holds them, so
  // it is destroyed before what they use.
  MovedClock clock_;
  std::shared_ptr<prometheus::Registry> registry_;
  std::unique_ptr<RequestMetrics> metrics_;
  std::unique_ptr<CallTable> calls_;
  std::unique_ptr<RouterModel> model_;
  std::unique_ptr<ScriptedBackend> backend_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::InferenceService::Stub> stub_;

 private:
  std::unique_ptr<InferenceService> service_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace apollo

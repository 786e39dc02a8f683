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

// Returns a request with seed 5.
v1::GenerateRequest Prompt(const std::string& prompt);

// Returns the text of one answer; the test fails if its events are out of
// order.
std::string TextOf(const std::vector<v1::GenerateResponse>& events,
                   unsigned choice = 0);

// A clock that a test advances. Thread-safe.
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

// The router's service on a port of this process, in front of a scripted
// cluster. The metadata "test-tenant" names the caller and its tenant, unless a
// test sets `admit_` before its first call.
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

  // Returns the metrics in the format of /metrics.
  std::string Metrics();

  // Returns the number of running calls according to the metric. AwaitRunning
  // first waits until it is `wanted`, for at most half a minute.
  int Running();
  int AwaitRunning(int wanted);

  // A session that is held by a sequence of the backend outlives its call, so
  // the backend is destroyed before the members that sessions use.
  MovedClock clock_;
  std::shared_ptr<prometheus::Registry> registry_;
  std::unique_ptr<RequestMetrics> metrics_;
  AdmitCall admit_;
  std::unique_ptr<CallTable> calls_;
  std::unique_ptr<RouterModel> model_;
  std::unique_ptr<ScriptedBackend> backend_;
  std::string address_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::InferenceService::Stub> stub_;

 private:
  std::unique_ptr<InferenceService> service_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace apollo

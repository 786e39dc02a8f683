#pragma once

#include <absl/status/status.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "common/mutex.h"
#include "proto/apollo/v1/inference.grpc.pb.h"

namespace apollo::load {

// The observations of one request. Times are in seconds since the epoch of the
// stream.
struct StreamTimes {
  double start = 0;
  std::vector<double> tokens;  // Arrival times.
  int prompt_tokens = 0;
  int cached_tokens = 0;
  // OK once the answer has finished, as in the clients (docs/clients.md), and
  // only then: DATA_LOSS if the call ended with OK before. CANCELLED after
  // Cancel().
  absl::Status status;
};

// A Generate call that records the arrival time of each token. Unlike a client,
// it repeats and continues nothing, which would hide a failure in the times.
// For requests of one choice. Must not be copied or moved, and must be
// destroyed after Wait(). Thread-safe.
class Stream : private grpc::ClientReadReactor<v1::GenerateResponse> {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // If `on_token` is not null, a gRPC thread calls it after each arrival.
  Stream(v1::GenerateRequest request, TimePoint epoch,
         std::function<void()> on_token = nullptr);

  // Starts the call. Call once. The service must outlive the stream.
  void Start(v1::InferenceService::StubInterface& service);
  void Cancel() { context_.TryCancel(); }
  // Waits for the end of the call. Call once.
  StreamTimes Wait();

 private:
  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;
  double Now() const;

  const v1::GenerateRequest request_;
  const TimePoint epoch_;
  const std::function<void()> on_token_;
  grpc::ClientContext context_;
  v1::GenerateResponse response_;  // Of the read in progress.
  Mutex mutex_;
  CondVar changed_;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;  // The answer.
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  StreamTimes times_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo::load

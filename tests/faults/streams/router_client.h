#pragma once

#include <memory>
#include <string>
#include <vector>

#include "proto/apollo/v1/inference.grpc.pb.h"
#include "tests/faults/streams/stream_client.h"

namespace apollo {

// A client of one or more routers. Stream `slot` begins at router `slot` modulo
// their number. With `resume`, a stream that breaks with UNAVAILABLE goes on at
// the next router, by GenerateRequest.resume if it has begun; otherwise it ends
// with the error. Has a channel for each router.
class RouterClient final : public StreamClient {
 public:
  struct Options {
    bool resume = false;
    // A channel of its own for each stream instead, so that the end of a
    // connection ends one stream.
    bool own_channels = false;
  };

  // `routers`: their addresses; at least one.
  RouterClient(std::vector<std::string> routers, Options options);
  explicit RouterClient(std::vector<std::string> routers);

  void Run(const StreamPlan& plan, absl::Duration deadline,
           Cancellation& cancellation, const Observer& observer,
           Transcript& transcript) override;

 private:
  using Stub = v1::InferenceService::Stub;

  std::shared_ptr<Stub> StubOf(std::size_t router) const;
  // Runs one stream and returns its status.
  grpc::Status RunOnce(Stub& stub, const v1::GenerateRequest& request,
                       absl::Duration deadline, Cancellation& cancellation,
                       const Observer& observer, Transcript& transcript);

  const std::vector<std::string> routers_;
  const Options options_;
  std::vector<std::shared_ptr<Stub>> stubs_;
};

// Returns the request that continues a broken stream.
v1::GenerateRequest ResumedRequest(const v1::GenerateRequest& request,
                                   const Transcript& transcript);

}  // namespace apollo

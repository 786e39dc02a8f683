#pragma once

#include <memory>
#include <string>
#include <vector>

#include "clients/cpp/answer_record.h"
#include "proto/apollo/v1/inference.grpc.pb.h"
#include "tests/faults/streams/stream_client.h"

namespace apollo {

// A client of one or more routers. Stream `slot` begins at router `slot` modulo
// their number. With `resume`, a stream that breaks with UNAVAILABLE goes on at
// the next router, by GenerateRequest.resume if it has begun; otherwise it ends
// with the error. The AnswerRecord of clients/cpp makes that request; routers
// and pauses are chosen here, so that each router always has streams to break.
// Has a channel for each router.
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
  grpc::Status RunOnce(Stub& stub, clients::AnswerRecord& record,
                       absl::Duration deadline, Cancellation& cancellation,
                       const Observer& observer, Transcript& transcript);

  const std::vector<std::string> routers_;
  const Options options_;
  std::vector<std::shared_ptr<Stub>> stubs_;
};

}  // namespace apollo

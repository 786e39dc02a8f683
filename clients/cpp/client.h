#pragma once

#include <absl/time/time.h>
#include <grpcpp/channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/status.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "clients/cpp/attempts.h"
#include "clients/cpp/cancellation.h"
#include "proto/apollo/v1/inference.grpc.pb.h"

// A client of a cluster with several routers. Neither a router nor a worker
// that dies costs a token of an answer: the client continues it on another
// router. docs/clients.md describes it; clients/python has the same for Python.
namespace apollo::clients {

struct ClientOptions {
  // At least one "host:port" or other gRPC target, such as "dns:///name:port".
  // The addresses of one target are used in turn. A client begins with a random
  // router, and stays with the one that served it last.
  std::vector<std::string> routers;

  // Attempts in a row that bring nothing new, after which a call fails.
  int max_attempts = kMaxAttempts;
  // The pause after all routers have failed once; it doubles each time. Pauses
  // are random, from half of this to this. One that the server asks for is kept
  // instead.
  absl::Duration first_pause = kFirstPause;
  absl::Duration longest_pause = kLongestPause;

  // Generate takes a router that sends no event for this time for lost. It must
  // exceed the time that requests wait in queues. The connection's pings notice
  // a lost machine without it, but not a router that hangs.
  absl::Duration idle_limit = absl::InfiniteDuration();
  // Pings while there are calls.
  absl::Duration keepalive_time = absl::Seconds(20);
  absl::Duration keepalive_timeout = absl::Seconds(10);

  // Null: no encryption.
  std::shared_ptr<grpc::ChannelCredentials> credentials;

  // For tests. `pause` returns after the time; null: it sleeps. `random`
  // returns a number in [0, 1); null: from the system.
  std::function<void(absl::Duration)> pause;
  std::function<double()> random;
};

// Of one call.
struct CallOptions {
  // Of the whole call, with all its attempts and pauses.
  absl::Time deadline = absl::InfiniteFuture();
  Cancellation* cancellation = nullptr;  // Not owned.
};

// Thread-safe: any number of calls may run at once, each in its thread. Calls
// block. No error contains text of a request or an answer besides what the
// server wrote.
class Client {
 public:
  // Connects when needed.
  explicit Client(ClientOptions options);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Receives an event. Returns false to cancel the call.
  using OnEvent = std::function<bool(const v1::GenerateResponse& event)>;

  // Passes the events of the answer to `on_event`, in the calling thread, as if
  // one stream had brought them: `started` once, no token or text twice, each
  // choice's tokens without a gap. A stream that breaks is continued from where
  // it broke, on the next router. A request without an id or a seed keeps those
  // of its first `started`.
  //
  // Returns OK if each choice has finished, whatever the last stream ended with
  // after that. CANCELLED: on_event or
  // `cancellation` wished it. DATA_LOSS: streams ended with OK, but were
  // incomplete or wrong, max_attempts times. Otherwise the status of the last
  // attempt: one that is not to be repeated, that of the last one allowed, or
  // one whose repetition would come after the deadline.
  grpc::Status Generate(const v1::GenerateRequest& request,
                        const OnEvent& on_event,
                        const CallOptions& options = {});

  // Unary calls, repeated as a whole. The same statuses.
  grpc::Status Complete(const v1::GenerateRequest& request,
                        v1::CompleteResponse* response,
                        const CallOptions& options = {});
  grpc::Status Score(const v1::ScoreRequest& request,
                     v1::ScoreResponse* response,
                     const CallOptions& options = {});

 private:
  using Stub = v1::InferenceService::Stub;
  class Call;

  // How a stream ended.
  struct End;
  End ReadStream(Stub& stub, class AnswerRecord* record,
                 const OnEvent& on_event, const CallOptions& options);
  template <typename Request, typename Response>
  grpc::Status CallUnary(grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                      const Request&,
                                                      Response*),
                         const Request& request, Response* response,
                         const CallOptions& options);

  const ClientOptions options_;
  std::vector<std::unique_ptr<Stub>> stubs_;
  std::atomic<std::size_t> next_router_ = 0;  // The one that served last.
};

}  // namespace apollo::clients

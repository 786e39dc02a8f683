#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <string>

#include "router/session/session.h"

namespace apollo {

// What gRPC knows of a call that has a session, whatever its method: when it
// came, its deadline, and the name of the client's request. Its functions are
// called by one thread at a time, but WhyCancelled by any.
class CallFacts {
 public:
  // Notes the time of arrival. `context` belongs to gRPC and lives until the
  // call is over.
  explicit CallFacts(grpc::CallbackServerContext* context)
      : context_(*context), arrived_(std::chrono::system_clock::now()) {}

  // Tells the session of the call its deadline, its name (that in the
  // serialized request, or a new one) and, with a tracer, its trace. Called
  // once, first.
  void Introduce(Session& session, const grpc::ByteBuffer& request,
                 const SessionContext& context);

  // Starts the session with what `read` returns for the request. A call that
  // was not admitted only ends, and enters no table of calls.
  template <typename Input, typename InputSession>
  void Start(InputSession& session, const absl::Status& admitted,
             const grpc::ByteBuffer& request,
             absl::FunctionRef<absl::StatusOr<Input>()> read) const {
    if (!admitted.ok()) return session.Refuse(admitted);
    session.Start([&]() -> absl::StatusOr<Input> {
      if (!request.Valid()) return WhyCancelled();
      return read();
    });
  }

  // Returns the reason why gRPC ends the call early.
  absl::Status WhyCancelled() const;

  // Adds the trailers of a call that ends with the status, and returns the
  // status for the client.
  grpc::Status End(const absl::Status& status);
  // Ends the call with the status at once: see CancelCall.
  void Abort(const absl::Status& status);

 private:
  grpc::CallbackServerContext& context_;
  const std::chrono::system_clock::time_point arrived_;
  std::string request_id_;  // Also in trailers.
};

}  // namespace apollo

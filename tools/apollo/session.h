#pragma once

#include <grpcpp/client_context.h>

#include <chrono>
#include <iosfwd>

#include "proto/apollo/v1/inference.grpc.pb.h"
#include "proto/grpc/health/v1/health.grpc.pb.h"
#include "tools/apollo/interrupt.h"
#include "tools/apollo/options.h"

namespace apollo::client {

// The context of a command. References only; everything outlives the command.
// Single-threaded.
struct Session {
  const Options& options;
  v1::InferenceService::StubInterface& service;
  grpc::health::v1::Health::StubInterface& health;
  Interrupt& interrupt;

  std::istream& in;
  std::ostream& out;  // The result.
  std::ostream& err;  // Everything else.
  bool in_is_terminal = false;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
};

// Sets the deadline of the command.
void SetDeadline(const Options& options, grpc::ClientContext& context);

// Reports a failed call on `err` and, with --json, also as a JSON line on
// `out`. Returns the exit code: 130 if the user cancelled the call, else 1.
int ReportFailure(Session& session, const grpc::Status& status);

}  // namespace apollo::client

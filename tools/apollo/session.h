#pragma once

#include <grpcpp/client_context.h>

#include <chrono>
#include <iosfwd>

#include "proto/apollo/v1/inference.grpc.pb.h"
#include "proto/grpc/health/v1/health.grpc.pb.h"
#include "tools/apollo/interrupt.h"
#include "tools/apollo/options.h"

namespace apollo::client {

// What a command works with. Nothing is owned; all of it outlives the command.
// Used by one thread.
struct Session {
  const Options& options;
  v1::InferenceService::StubInterface& service;
  grpc::health::v1::Health::StubInterface& health;
  Interrupt& interrupt;

  std::istream& in;
  std::ostream& out;  // The result.
  std::ostream& err;  // All else.
  bool in_is_terminal = false;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
};

// Gives `context` the command's time limit.
void SetDeadline(const Options& options, grpc::ClientContext& context);

// Reports a failed call on `err` (and, with --json, also as a JSON line on
// `out`) and returns the exit code: 130 if the user cancelled the call, else 1.
int ReportFailure(Session& session, const grpc::Status& status);

}  // namespace apollo::client

#pragma once

#include <grpcpp/client_context.h>

#include <chrono>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "proto/apollo/v1/inference.grpc.pb.h"
#include "proto/grpc/health/v1/health.grpc.pb.h"
#include "tools/apollo/errors.h"
#include "tools/apollo/interrupt.h"
#include "tools/apollo/line_reader.h"
#include "tools/apollo/options.h"
#include "tools/apollo/screen.h"

namespace apollo::client {

// The context of a command. References only; everything outlives the command.
// Single-threaded.
struct Session {
  const Options& options;
  v1::InferenceService::StubInterface& service;
  grpc::health::v1::Health::StubInterface& health;
  Interrupt& interrupt;

  // The lines of chat; null: those of `in`.
  LineReader* editor = nullptr;

  // The terminal for top; null: it prints to `out`.
  Screen* screen = nullptr;

  // Further routers, which continue an answer that `service` has begun.
  std::vector<v1::InferenceService::StubInterface*> other_services = {};

  std::istream& in;
  std::ostream& out;  // The result.
  std::ostream& err;  // Everything else.
  bool in_is_terminal = false;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
};

// Returns when the command's time is up; nullopt: never.
std::optional<std::chrono::system_clock::time_point> DeadlineOf(
    const Options& options);

// Sets the deadline of the command, from now.
void SetDeadline(const Options& options, grpc::ClientContext& context);

// Describes the failure of a call that has ended. `request_id` is the one that
// was sent; empty: that of the server's answer, if there is one.
Failure MakeFailure(const grpc::Status& status,
                    const grpc::ClientContext& context,
                    const std::string& request_id = "");

// Reports a failed call on `err` and, with --json, also as a JSON line on
// `out`. Returns the exit code: 130 if the user cancelled the call, else 1.
int ReportFailure(Session& session, const Failure& failure);

}  // namespace apollo::client

#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "proto/apollo/v1/inference.pb.h"
#include "tools/apollo/session.h"

namespace apollo::client {

struct Answer {
  grpc::Status status;
  std::string text;  // Text of choice 0.
};

// Makes the call and prints its events as they arrive: the text to `out`,
// flushed each time, and the serving details and the summary to `err`; or with
// --json each event as a line to `out`. Streams choice 0 and prints the other
// choices at the end. Failures are returned, not printed. If `out` cannot be
// written any more, cancels the call and returns CANCELLED.
Answer Generate(Session& session, const v1::GenerateRequest& request);

}  // namespace apollo::client

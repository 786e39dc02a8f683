#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "proto/apollo/v1/inference.pb.h"
#include "tools/apollo/session.h"

namespace apollo::client {

struct Answer {
  grpc::Status status;
  std::string text;  // Of choice 0.
};

// Makes the call and prints its events as they come: the text to `out`, flushed
// each time, and what serves it and the summary to `err`; or with --json each
// event as a line to `out`. With several choices, choice 0 is streamed and the
// others follow at the end. A failure is returned, not printed. If `out` cannot
// be written to any more, the call is cancelled and the status is CANCELLED.
Answer Generate(Session& session, const v1::GenerateRequest& request);

}  // namespace apollo::client

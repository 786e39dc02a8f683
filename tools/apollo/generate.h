#pragma once

#include <optional>
#include <string>

#include "proto/apollo/v1/inference.pb.h"
#include "tools/apollo/errors.h"
#include "tools/apollo/session.h"

namespace apollo::client {

struct Answer {
  Failure failure;   // Its status is OK if the call succeeded.
  std::string text;  // Text of choice 0.
  // Of choice 0, as far as they came.
  std::optional<v1::GenerateStarted> started = std::nullopt;
  std::optional<v1::GenerateFinished> finished = std::nullopt;

  bool ok() const { return failure.status.ok(); }
};

// Makes the call and prints its events as they arrive: the text to `out`,
// flushed each time, and the serving details and the summary to `err`; or with
// --json each event as a line to `out`. Streams choice 0 and prints the other
// choices at the end. Failures are returned, not printed. If `out` cannot be
// written any more, cancels the call and returns CANCELLED. A request without
// an id gets a new one.
//
// What is repeated, and after which time, is what the client classes repeat
// (clients/cpp/retry.h, attempts.h), but for a server that wants more than 10
// seconds: that is a failure. Until its first event, a call is made at most
// once more than there are routers (--server a,b). From then on the answer is
// continued, on the next router or on the same one if there is no other, until
// kMaxAttempts (or that number, if it is higher) in a row have brought nothing.
// All of it is within the time limit. An answer whose choices have finished is
// whole, and the call has succeeded, whatever it ends with after that.
Answer Generate(Session& session, v1::GenerateRequest request);

}  // namespace apollo::client

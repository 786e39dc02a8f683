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
// A call that ends with UNAVAILABLE before its first event is repeated once,
// after the time that the server asks for, if that is at most 10 seconds and
// within the time limit. So a worker or a connection that was lost while the
// user read costs nothing but time. With several routers (--server a,b), one
// that ends with UNAVAILABLE is continued at the next one, also after events
// (clients/cpp/answer_record.h), until all have failed in a row.
Answer Generate(Session& session, v1::GenerateRequest request);

}  // namespace apollo::client

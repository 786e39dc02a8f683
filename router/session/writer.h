#pragma once

#include <absl/status/status.h>

#include <cstddef>

#include "router/session/events.h"

namespace apollo {

// The client's end of a session; a front implements it. A session calls one
// method at a time, holding its lock, from any thread: they must not block, nor
// call the session. It calls nothing after Session::Close has returned.
class SessionWriter {
 public:
  virtual ~SessionWriter() = default;
  // The call is over, with this status, once all that was written before has
  // been sent. Called once.
  virtual void End(const absl::Status& status) = 0;
  // The call is over now: unsent output is dropped and the client is told the
  // status without waiting until it reads. At most once, also after End.
  virtual void Abort(const absl::Status& status) = 0;
  // Memory that unsent output takes, in bytes.
  virtual std::size_t unsent() = 0;
};

class GenerateWriter : public SessionWriter {
 public:
  virtual void Started(const AnswerStarted& started) = 0;  // Once and first.
  virtual void Delta(const AnswerDelta& delta) = 0;
  virtual void Finished(const AnswerFinished& finished) = 0;  // Of each choice.
};

class ScoreWriter : public SessionWriter {
 public:
  virtual void Scored(const ScoreResult& result) = 0;  // Once, before End(OK).
};

}  // namespace apollo

#pragma once

#include <absl/status/status.h>

#include <cstddef>

#include "router/session/events.h"

namespace apollo {

// The output of a session, implemented by a front. A session calls one method
// at a time, from any thread and holding its lock, so the methods must neither
// block nor call the session. It calls none after Session::Close has returned.
class SessionWriter {
 public:
  virtual ~SessionWriter() = default;
  // Ends the call with the status once all output has been sent. Called at most
  // once.
  virtual void End(const absl::Status& status) = 0;
  // Ends the call with the status immediately: drops unsent output and does not
  // wait for the client to read. Called at most once, possibly after End.
  virtual void Abort(const absl::Status& status) = 0;
  // Returns the memory that unsent output takes, in bytes.
  virtual std::size_t unsent() = 0;
  // Returns OK while the writer can take more output, or the error with which
  // the session is to end.
  virtual absl::Status room() { return absl::OkStatus(); }
};

class GenerateWriter : public SessionWriter {
 public:
  virtual void Started(const AnswerStarted& started) = 0;  // Once, first.
  // In order, before the first Delta of choice 0.
  virtual void Prompt(const AnswerPrompt& prompt) = 0;
  virtual void Delta(const AnswerDelta& delta) = 0;
  virtual void Finished(
      const AnswerFinished& finished) = 0;  // Once per choice.
};

class ScoreWriter : public SessionWriter {
 public:
  virtual void Scored(const ScoreResult& result) = 0;  // Once, before End(OK).
};

}  // namespace apollo

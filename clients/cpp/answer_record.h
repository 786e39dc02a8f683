#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <vector>

#include "proto/apollo/v1/inference.pb.h"

namespace apollo::clients {

// What has been received of an answer, over all streams that it took: it tells
// which events are new, and makes the request that continues the answer
// (GenerateRequest.resume). Single-threaded.
class AnswerRecord {
 public:
  // A request that resumes an answer already continues from there. It should
  // give the `text_bytes` of its choices: without them, text that comes without
  // tokens comes again after a break.
  explicit AnswerRecord(v1::GenerateRequest request);

  // Returns the request for the next stream: the whole one until an event was
  // received, or else one that continues.
  v1::GenerateRequest NextRequest() const;

  // Takes the next event of the current stream. Returns true if it is new, and
  // false if the user knows it: `started` of another stream, or pieces of the
  // prompt's log-probabilities, of which `event` keeps what is new. Returns
  // DATA_LOSS, and keeps nothing, if the event does not follow those before it.
  absl::StatusOr<bool> Take(v1::GenerateResponse* event);

  // True once a stream has begun and all choices are finished. The answer is
  // whole then, however its stream ends: a router that stops closes its
  // connections behind the last event, and a client may see that before it sees
  // the status.
  bool complete() const;

 private:
  absl::Status TakeDelta(const v1::GenerateDelta& delta);
  absl::Status TakeFinished(const v1::GenerateFinished& finished);
  bool TakePromptLogprobs(v1::PromptLogprobs* piece);

  v1::GenerateRequest request_;
  bool started_ = false;
  // With all choices, from the beginning.
  v1::Resume resume_;
  std::uint32_t next_prompt_token_ = 1;
};

}  // namespace apollo::clients

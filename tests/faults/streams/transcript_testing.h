#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <string>
#include <vector>

#include "proto/apollo/v1/inference.pb.h"
#include "tests/faults/streams/transcript.h"

namespace apollo {

// Events of streams for the tests of the checks.

inline v1::GenerateResponse StartedEvent(std::uint64_t seed = 7) {
  v1::GenerateResponse event;
  event.mutable_started()->set_seed(seed);
  event.mutable_started()->set_language("en");
  event.mutable_started()->set_family(4);
  event.mutable_started()->set_numerics("cpu/f32+cpu/f32");
  return event;
}

inline v1::GenerateResponse DeltaEvent(int choice, int index,
                                       const std::vector<int>& ids) {
  v1::GenerateResponse event;
  v1::GenerateDelta& delta = *event.mutable_delta();
  delta.set_choice(static_cast<std::uint32_t>(choice));
  delta.set_index(static_cast<std::uint32_t>(index));
  for (const int id : ids) {
    delta.add_token_ids(id);
    delta.set_text(delta.text() + std::to_string(id) + " ");
  }
  return event;
}

inline v1::GenerateResponse FinishedEvent(int choice, int tokens) {
  v1::GenerateResponse event;
  v1::GenerateFinished& finished = *event.mutable_finished();
  finished.set_choice(static_cast<std::uint32_t>(choice));
  finished.set_reason(v1::FINISH_REASON_LENGTH);
  finished.mutable_usage()->set_generated_tokens(
      static_cast<std::uint32_t>(tokens));
  return event;
}

// Returns what a client records of these events, one each second, and of the
// end with `status`.
inline Transcript Received(const std::vector<v1::GenerateResponse>& events,
                           const grpc::Status& status = grpc::Status::OK,
                           int choices = 1) {
  Transcript transcript(/*slot=*/0, choices, absl::ZeroDuration());
  absl::Duration now = absl::ZeroDuration();
  for (const v1::GenerateResponse& event : events) {
    transcript.Add(event, now);
    now += absl::Seconds(1);
  }
  transcript.End(status, now);
  return transcript;
}

}  // namespace apollo

#pragma once

#include <absl/time/time.h>
#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/apollo/v1/inference.pb.h"

namespace apollo {

// One answer of a stream.
struct ChoiceTranscript {
  std::vector<std::int32_t> ids;
  std::vector<absl::Duration> times;  // Of the arrival of each token.
  std::string text;
  bool gap_noted = false;  // Violations of later indices follow from it.
  int finished_events = 0;
  v1::FinishReason reason = v1::FINISH_REASON_UNSPECIFIED;
  std::uint32_t generated_tokens = 0;  // As `finished` says.
};

// All that a client received of one request, with the times of arrival, and
// each violation of the rules of a stream. Plain data; times are those of
// Now().
class Transcript {
 public:
  // `slot`: the number of the stream's plan.
  Transcript(int slot, int choices, absl::Duration begin);

  // Records an event. Violations are: an answer that begins before `started`;
  // an index that does not follow the tokens received; a choice that was not
  // asked for; an event after the `finished` of a choice, or after the end.
  void Add(const v1::GenerateResponse& event, absl::Duration now);
  // Records that the client goes on with another stream, which has its own
  // `started`.
  void Resume();
  // Records the end of the call.
  void End(const grpc::Status& status, absl::Duration now);

  // Returns the number of tokens of all choices.
  std::int64_t tokens() const;
  // Returns whether every choice has been finished.
  bool complete() const;

  int slot;
  absl::Duration begin, end;
  std::optional<grpc::Status> status;  // Once the call has ended.
  v1::GenerateStarted started;         // The first one.
  int started_events = 0;
  int streams = 1;  // One more than the streams that broke.
  std::vector<ChoiceTranscript> choices;
  std::vector<std::string> violations;  // Without tokens or text.

 private:
  void AddDelta(const v1::GenerateDelta& delta, absl::Duration now);
  void AddFinished(const v1::GenerateFinished& finished);
  // Returns the choice with this number, or nullptr after noting a violation.
  ChoiceTranscript* OpenChoice(std::uint32_t number, const char* event);
};

}  // namespace apollo

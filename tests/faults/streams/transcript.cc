#include "tests/faults/streams/transcript.h"

#include <absl/strings/str_cat.h>

#include <algorithm>

namespace apollo {

Transcript::Transcript(int slot, int choices, absl::Duration begin)
    : slot(slot),
      begin(begin),
      end(begin),
      choices(static_cast<std::size_t>(choices)) {}

void Transcript::Add(const v1::GenerateResponse& event, absl::Duration now) {
  if (status) violations.push_back("an event after the end of the call");
  if (event.has_started()) {
    if (++started_events > streams) violations.push_back("started twice");
    if (started_events == 1) started = event.started();
    return;
  }
  if (started_events < streams) {
    violations.push_back("an event before `started`");
  }
  if (event.has_delta()) AddDelta(event.delta(), now);
  if (event.has_finished()) AddFinished(event.finished());
}

ChoiceTranscript* Transcript::OpenChoice(std::uint32_t number,
                                         const char* event) {
  if (number >= choices.size()) {
    violations.push_back(
        absl::StrCat(event, " of choice ", number, " of ", choices.size()));
    return nullptr;
  }
  ChoiceTranscript& choice = choices[number];
  if (choice.finished_events == 0) return &choice;
  violations.push_back(
      absl::StrCat(event, " of choice ", number, " after its end"));
  return nullptr;
}

void Transcript::AddDelta(const v1::GenerateDelta& delta, absl::Duration now) {
  ChoiceTranscript* const choice = OpenChoice(delta.choice(), "a delta");
  if (choice == nullptr) return;
  if (delta.index() != choice->ids.size() && !choice->gap_noted) {
    choice->gap_noted = true;
    violations.push_back(absl::StrCat("choice ", delta.choice(), " has index ",
                                      delta.index(), " after ",
                                      choice->ids.size(), " tokens"));
  }
  choice->text += delta.text();
  for (const std::int32_t id : delta.token_ids()) {
    choice->ids.push_back(id);
    choice->times.push_back(now);
  }
}

void Transcript::AddFinished(const v1::GenerateFinished& finished) {
  ChoiceTranscript* const choice = OpenChoice(finished.choice(), "an end");
  if (choice == nullptr) return;
  ++choice->finished_events;
  choice->reason = finished.reason();
  choice->generated_tokens = finished.usage().generated_tokens();
}

void Transcript::Resume() { ++streams; }

void Transcript::End(const grpc::Status& the_status, absl::Duration now) {
  status = the_status;
  end = now;
}

std::int64_t Transcript::tokens() const {
  std::int64_t sum = 0;
  for (const ChoiceTranscript& choice : choices) {
    sum += static_cast<std::int64_t>(choice.ids.size());
  }
  return sum;
}

bool Transcript::complete() const {
  return std::all_of(choices.begin(), choices.end(),
                     [](const ChoiceTranscript& choice) {
                       return choice.finished_events == 1;
                     });
}

}  // namespace apollo

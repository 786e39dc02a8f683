#include "tests/faults/streams/stream_checks.h"

#include <absl/strings/str_cat.h>

#include <algorithm>

#include "proto/apollo/rpc/details.pb.h"
#include "proto/apollo/rpc/packing.h"

namespace apollo {
namespace {

// Adds problems of one stream, with its name in front.
class Problems {
 public:
  explicit Problems(int slot) : prefix_(absl::StrCat("stream ", slot, ": ")) {}
  template <typename... Part>
  void Add(const Part&... part) {
    list_.push_back(absl::StrCat(prefix_, part...));
  }
  std::vector<std::string> Take() { return std::move(list_); }

 private:
  const std::string prefix_;
  std::vector<std::string> list_;
};

// Returns the number of equal tokens at the beginning.
std::size_t CommonPart(const ChoiceTranscript& a, const ChoiceTranscript& b) {
  const std::size_t size = std::min(a.ids.size(), b.ids.size());
  std::size_t same = 0;
  while (same < size && a.ids[same] == b.ids[same]) ++same;
  return same;
}

void CheckCanaries(const StreamPlan& plan, const Transcript& transcript,
                   Problems& problems) {
  for (std::size_t c = 0; c < transcript.choices.size(); ++c) {
    const std::vector<std::int32_t>& ids = transcript.choices[c].ids;
    const auto found = std::find_if(ids.begin(), ids.end(), [&](auto id) {
      return plan.foreign.contains(id);
    });
    if (found == ids.end()) continue;
    problems.Add("choice ", c, " has a canary of another stream at ",
                 found - ids.begin());
  }
}

void CheckBeginnings(const StreamPlan& plan, const Transcript& transcript,
                     const Transcript& reference, Problems& problems) {
  for (const std::string& violation : transcript.violations) {
    problems.Add(violation);
  }
  if (!transcript.status) {
    problems.Add("has not ended");
  } else if (transcript.status->error_code() ==
             grpc::StatusCode::DEADLINE_EXCEEDED) {
    problems.Add("did not end before its deadline");
  }
  if (transcript.choices.size() != reference.choices.size()) {
    problems.Add("has ", transcript.choices.size(), " choices, not ",
                 reference.choices.size());
    return;
  }
  for (std::size_t c = 0; c < transcript.choices.size(); ++c) {
    const ChoiceTranscript& got = transcript.choices[c];
    const std::size_t same = CommonPart(got, reference.choices[c]);
    if (same == got.ids.size()) continue;
    problems.Add("choice ", c, " has a wrong token at ", same);
  }
  CheckCanaries(plan, transcript, problems);
}

void CheckEnd(std::size_t number, const ChoiceTranscript& got,
              const ChoiceTranscript& wanted, Problems& problems) {
  if (got.ids.size() != wanted.ids.size()) {
    problems.Add("choice ", number, " has ", got.ids.size(), " tokens, not ",
                 wanted.ids.size());
  }
  if (got.text != wanted.text) {
    problems.Add("choice ", number, " has another text");
  }
  if (got.finished_events != 1) {
    problems.Add("choice ", number, " ended ", got.finished_events, " times");
  }
  if (got.reason != wanted.reason) {
    problems.Add("choice ", number, " ended with ",
                 v1::FinishReason_Name(got.reason), ", not ",
                 v1::FinishReason_Name(wanted.reason));
  }
}

}  // namespace

std::vector<std::string> CheckPart(const StreamPlan& plan,
                                   const Transcript& transcript,
                                   const Transcript& reference) {
  Problems problems(plan.slot);
  CheckBeginnings(plan, transcript, reference, problems);
  return problems.Take();
}

std::vector<std::string> CheckWhole(const StreamPlan& plan,
                                    const Transcript& transcript,
                                    const Transcript& reference) {
  Problems problems(plan.slot);
  CheckBeginnings(plan, transcript, reference, problems);
  if (transcript.status && !transcript.status->ok()) {
    problems.Add("failed with code ",
                 static_cast<int>(transcript.status->error_code()), ": ",
                 transcript.status->error_message());
    return problems.Take();  // The rest follows from it.
  }
  const std::size_t choices =
      std::min(transcript.choices.size(), reference.choices.size());
  for (std::size_t c = 0; c < choices; ++c) {
    const ChoiceTranscript& got = transcript.choices[c];
    const ChoiceTranscript& wanted = reference.choices[c];
    CheckEnd(c, got, wanted, problems);
    // A stream that went on elsewhere may count from there.
    if (transcript.streams == 1 &&
        got.generated_tokens != wanted.generated_tokens) {
      problems.Add("choice ", c, " counts ", got.generated_tokens,
                   " tokens, not ", wanted.generated_tokens);
    }
  }
  return problems.Take();
}

std::vector<std::string> CheckCanariesShow(
    const std::vector<StreamPlan>& plans,
    const std::vector<Transcript>& references) {
  std::size_t showing = 0;
  for (const Transcript& reference : references) {
    const StreamPlan& plan = plans[static_cast<std::size_t>(reference.slot)];
    const auto& ids = reference.choices[0].ids;
    if (std::any_of(ids.begin(), ids.end(),
                    [&](auto id) { return plan.canaries.contains(id); })) {
      ++showing;
    }
  }
  if (!plans.empty() && showing * 2 >= plans.size()) return {};
  return {absl::StrCat("only ", showing, " of ", plans.size(),
                       " streams show a canary: they would prove nothing")};
}

bool HasRetryInfo(const grpc::Status& status) {
  rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return false;
  return std::any_of(details.details().begin(), details.details().end(),
                     [](const auto& any) {
                       return any.type_url() == rpc::TypeUrl<rpc::RetryInfo>();
                     });
}

}  // namespace apollo

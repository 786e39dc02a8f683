#include "router/failover/reissue_policy.h"

#include <absl/strings/str_cat.h>

#include <string>

#include "sequence/sequence_end.h"

namespace apollo {
namespace {

// Returns true if another worker, or the same one later, may do better.
bool MayPass(absl::StatusCode code) {
  return code == absl::StatusCode::kUnavailable ||
         code == absl::StatusCode::kResourceExhausted;
}

ReissuePolicy::Verdict Again(ReissueCause cause,
                             absl::Duration pause = absl::ZeroDuration()) {
  return {cause, pause, absl::OkStatus()};
}

ReissuePolicy::Verdict Over(absl::Status error) {
  return {std::nullopt, absl::ZeroDuration(), std::move(error)};
}

}  // namespace

ReissuePolicy::Verdict ReissuePolicy::Judge(const Failure& failure,
                                            absl::Duration now) {
  // A worker with a smaller cache; the sequence has run elsewhere.
  const bool too_small =
      owed_since_ &&
      failure.status.code() == absl::StatusCode::kFailedPrecondition;
  if (!MayPass(failure.status.code()) && !too_small) {
    return Over(failure.status);
  }
  if (!failure.placed) return JudgeNoWorker(failure, now);
  undecided_since_.reset();
  // gRPC gives RESOURCE_EXHAUSTED for messages that are too large.
  const bool unavailable =
      failure.status.code() == absl::StatusCode::kUnavailable;
  switch (unavailable ? EndOf(failure.status) : SequenceEnd::kAnswered) {
    case SequenceEnd::kLost:
      return JudgeLoss(failure, now);
    case SequenceEnd::kMoved:
      return JudgeMove(failure, ReissueCause::kMoved, now);
    case SequenceEnd::kSilent:
      return JudgeMove(failure, ReissueCause::kSilent, now);
    case SequenceEnd::kUndecided:  // Only of sequences without a worker.
    case SequenceEnd::kAnswered:
      break;
  }
  refusal_ = failure.status;
  return Again(ReissueCause::kRefused);
}

ReissuePolicy::Verdict ReissuePolicy::JudgeLoss(const Failure& failure,
                                                absl::Duration now) {
  owed_since_ = now;
  refusal_ = absl::OkStatus();
  ++(failure.begun ? losses_ : unbegun_losses_);
  if (losses_ >= limits_.losses || unbegun_losses_ >= limits_.unbegun_losses) {
    return Over(absl::UnavailableError(absl::StrCat(
        losses_ + unbegun_losses_,
        " dense workers were lost, one after the other, while they had this "
        "request, so it is not run again; the last: ",
        failure.status.message())));
  }
  return Again(ReissueCause::kLost);
}

ReissuePolicy::Verdict ReissuePolicy::JudgeMove(const Failure& failure,
                                                ReissueCause cause,
                                                absl::Duration now) {
  owed_since_ = now;
  refusal_ = absl::OkStatus();
  if (++moves_ >= limits_.moves) return Over(failure.status);
  return Again(cause);
}

ReissuePolicy::Verdict ReissuePolicy::JudgeNoWorker(const Failure& failure,
                                                    absl::Duration now) {
  if (MayBeBack(failure, now)) {
    return Again(ReissueCause::kRefused, limits_.first_pause);
  }
  const absl::Status reason =
      refusal_.ok() ? WithEnd(failure.status, SequenceEnd::kAnswered)
                    : refusal_;
  if (!owed_since_) return Over(reason);
  const absl::Duration patience =
      refusal_.code() == absl::StatusCode::kResourceExhausted
          ? limits_.busy_patience
          : limits_.patience;
  if (now - *owed_since_ >= patience) {
    return Over(absl::UnavailableError(absl::StrCat(
        "its dense worker was lost, and no other could continue within ",
        absl::FormatDuration(patience), ": ", std::string(reason.message()))));
  }
  return Again(ReissueCause::kRefused, pauses_.Next());
}

bool ReissuePolicy::MayBeBack(const Failure& failure, absl::Duration now) {
  // A worker that has refused the sequence is not asked again meanwhile.
  if (!refusal_.ok() || EndOf(failure.status) != SequenceEnd::kUndecided) {
    return false;
  }
  if (!undecided_since_) undecided_since_ = now;
  // The pool bounds the time after each loss, but workers may be lost again and
  // again, and those that are back may be none that can take the sequence.
  return now - *undecided_since_ < limits_.patience;
}

void ReissuePolicy::Progressed() {
  losses_ = 0;
  unbegun_losses_ = 0;
  moves_ = 0;
  owed_since_.reset();
  undecided_since_.reset();
  refusal_ = absl::OkStatus();
  pauses_.Reset();
}

}  // namespace apollo

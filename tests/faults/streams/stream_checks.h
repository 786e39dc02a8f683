#pragma once

#include <string>
#include <vector>

#include "tests/faults/streams/stream_plan.h"
#include "tests/faults/streams/transcript.h"

namespace apollo {

// Checks of what streams received. Each returns the problems found, without
// tokens or text; none: empty.

// Checks a request that must have succeeded: every choice has exactly the
// tokens, the text and the end of `reference`, an undisturbed run of the same
// request; and all that CheckPart checks.
std::vector<std::string> CheckWhole(const StreamPlan& plan,
                                    const Transcript& transcript,
                                    const Transcript& reference);

// Checks a request that was cancelled, or may have failed: every choice is the
// beginning of that of `reference`; the stream kept its rules; it ended before
// its deadline; it has no canary of another stream.
std::vector<std::string> CheckPart(const StreamPlan& plan,
                                   const Transcript& transcript,
                                   const Transcript& reference);

// Checks that canaries are to be seen: at least half of the undisturbed streams
// have one of their own.
std::vector<std::string> CheckCanariesShow(
    const std::vector<StreamPlan>& plans,
    const std::vector<Transcript>& references);

// Returns whether a status asks the client to come back after a time: its
// details have a google.rpc.RetryInfo.
bool HasRetryInfo(const grpc::Status& status);

}  // namespace apollo

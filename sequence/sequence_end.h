#pragma once

#include <absl/status/status.h>

#include <optional>
#include <string_view>

namespace apollo {

// The way in which a sequence failed, for whoever may run it elsewhere. It
// travels with the status that ends the sequence, which stays as it is
// otherwise.
enum class SequenceEnd {
  kAnswered,   // The worker itself has given the error.
  kLost,       // The worker was lost, or the connection to it.
  kMoved,      // The worker gives the sequence up because it is about to stop.
  kSilent,     // The router takes it from a worker that gives no sign of life.
  kUndecided,  // No worker was found, but one that was just lost has not yet
               // been asked whether it is back. Never leaves the router.
};

// Attaches the end to a status that is not OK; kAnswered is that of a status
// without one, which compares equal to it.
absl::Status WithEnd(absl::Status status, SequenceEnd end);
// Returns the end attached to the status; kAnswered if there is none.
SequenceEnd EndOf(const absl::Status& status);

// Return the name of an end for wires, logs and metrics, such as "lost"; and
// the end with that name, if there is one.
std::string_view NameOf(SequenceEnd end);
std::optional<SequenceEnd> SequenceEndNamed(std::string_view name);

}  // namespace apollo

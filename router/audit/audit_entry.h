#pragma once

#include <absl/time/time.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "router/audit/refused_calls.h"

namespace apollo {

// Who made a call, as far as it is known. Both may be empty.
struct AuditCaller {
  std::string name;                // Of the access policy.
  std::string certificate_sha256;  // PeerIdentity::certificate_sha256.
  bool operator==(const AuditCaller&) const = default;
};

// A line of the audit log. These are all fields that a line can have: none has
// text, tokens or anything else of a prompt or an answer but their size. The
// only words that a client chooses are its request id, of a checked set of
// characters, and the name of a language, of a fixed list.
struct AuditEntry {
  enum class Event { kStarted, kEnded };

  Event event = Event::kEnded;
  std::string request_id;
  AuditCaller caller;
  std::string method;    // A method of the public service.
  std::string language;  // A code of the families table, or empty.
  int family = -1;       // Expert of the language; negative: none.
  int prompt_tokens = 0;
  bool resumed = false;  // Continues an answer begun elsewhere.
  std::string model_hash;

  // Only of kEnded.
  std::string code;  // The canonical name of the status.
  int answer_tokens = 0;
  std::vector<std::string> finish_reasons;  // "eos", "stop", "length".
  absl::Duration duration;                  // Since the arrival.
};

// Return a line with its newline: a JSON object that begins with the time, in
// UTC and milliseconds, and the event: "request_started" or "request_ended".
std::string AuditLine(const AuditEntry& entry, absl::Time now);
// The same with the event "log_opened": the router has started. `dropped` is
// the size of an incomplete line that a killed router had left at the end.
std::string AuditOpenedLine(std::size_t dropped, absl::Time now);
// The same with the event "log_resumed": writing works again. `refused` calls
// were refused meanwhile, and `lost` entries of others were dropped.
std::string AuditResumedLine(std::int64_t refused, std::int64_t lost,
                             absl::Time now);
// The same with the event "calls_refused": calls of this caller that the policy
// refused with this code and that have no entries of their own.
std::string AuditRefusedLine(const RefusedCalls::Summary& summary,
                             absl::Time now);

}  // namespace apollo

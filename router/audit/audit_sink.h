#pragma once

#include <absl/status/status.h>

#include <string_view>

namespace apollo {

// Where the lines of an audit log go.
class AuditSink {
 public:
  virtual ~AuditSink() = default;
  // Appends whole lines, all or none. OK means that they survive the loss of
  // the process and of the machine's power. May block. One thread at a time.
  virtual absl::Status Append(std::string_view lines) = 0;
};

}  // namespace apollo

#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "router/audit/audit_sink.h"
#include "serving/file_descriptor.h"

namespace apollo {

// A file of whole lines that is rotated by size: PATH is the newest, PATH.1 the
// one before, and so on. Readable by its owner only.
//
// The rotating sinks of logging libraries buffer lines, cannot tell which of
// them a full disk has swallowed, and leave halves of lines; hence this class.
// One thread at a time.
class AuditFile final : public AuditSink {
 public:
  struct Options {
    std::string path;
    // Size at which a file is put aside, in units of 2^20 bytes. A single
    // Append may exceed it.
    std::int64_t max_megabytes = 100;
    int files = 10;  // Including the newest; at least 2.
  };

  // Opens or creates the file, and cuts off an incomplete last line, which a
  // killed process has left and nobody was told to be written. Makes writes
  // beyond a limit of the process (RLIMIT_FSIZE) fail instead of ending it.
  // Returns FAILED_PRECONDITION if another process has the file open, or the
  // error of the file system, both naming the path.
  static absl::StatusOr<std::unique_ptr<AuditFile>> Open(
      const Options& options);

  // The size of the incomplete line that Open has cut off; 0: none.
  std::int64_t dropped_bytes() const { return dropped_bytes_; }

  // Rotates first if the lines do not fit. A file that was renamed or removed
  // by somebody else is created again. After an error nothing of the lines is
  // in the file, or it is removed before the next line is written.
  absl::Status Append(std::string_view lines) override;

 private:
  explicit AuditFile(const Options& options) : options_(options) {}

  absl::Status OpenNewest();
  // Takes the size of the open file, which has no torn line. Returns false if
  // `path` does not name it any more.
  bool IsNewest();
  absl::Status Rotate();
  // Removes what follows the last complete Append.
  absl::Status CutBack();
  absl::Status WriteAll(std::string_view lines);
  absl::Status Failed(const char* action) const;

  const Options options_;
  FileDescriptor file_;
  std::int64_t size_ = 0;  // Of the complete lines.
  bool torn_ = false;      // There may be something after them.
  std::int64_t dropped_bytes_ = 0;
};

}  // namespace apollo

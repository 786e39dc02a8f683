#include "model/language/default_detector.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

#include "model/language/fasttext_detector.h"

// Made by the linker from the file's bytes: see the genrule in BUILD.bazel.
extern "C" const char _binary_classifier_ftz_start[];
extern "C" const char _binary_classifier_ftz_end[];

namespace apollo {

absl::StatusOr<std::unique_ptr<LanguageDetector>> MakeDefaultDetector(
    const FamilyTable& families) {
  // The library reads files only, so the bytes become one that has no name.
  const int fd = memfd_create("classifier.ftz", MFD_CLOEXEC);
  if (fd < 0) {
    return absl::ErrnoToStatus(errno, "cannot unpack the language classifier");
  }
  const char* next = _binary_classifier_ftz_start;
  while (next < _binary_classifier_ftz_end) {
    const ssize_t written = write(
        fd, next, static_cast<std::size_t>(_binary_classifier_ftz_end - next));
    if (written <= 0) {
      close(fd);
      return absl::ErrnoToStatus(errno, "cannot unpack the language classifier");
    }
    next += written;
  }
  auto detector =
      LoadFastTextDetector(absl::StrCat("/proc/self/fd/", fd), families);
  close(fd);
  return detector;
}

}  // namespace apollo

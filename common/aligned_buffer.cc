#include "common/aligned_buffer.h"

#include <absl/strings/str_cat.h>
#include <sys/mman.h>

#include "common/strings.h"

namespace apollo {

AlignedBuffer::AlignedBuffer(std::size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  void* const data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) {
    status_ = NoMemory(bytes, "a buffer");
    bytes_ = 0;
    return;
  }
  data_ = data;
  madvise(data_, bytes, MADV_HUGEPAGE);  // Best effort.
}

AlignedBuffer::~AlignedBuffer() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

absl::Status NoMemory(std::size_t bytes, std::string_view what) {
  return absl::ResourceExhaustedError(absl::StrCat(
      "cannot allocate ", bytes, " bytes of memory for ", ToAbsl(what),
      "; free memory or raise the limit of address space (ulimit -v)"));
}

}  // namespace apollo

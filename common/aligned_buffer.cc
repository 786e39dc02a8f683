#include "common/aligned_buffer.h"

#include <sys/mman.h>

#include "common/check.h"

namespace apollo {

AlignedBuffer::AlignedBuffer(std::size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  data_ = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  APOLLO_CHECK(data_ != MAP_FAILED);
  madvise(data_, bytes, MADV_HUGEPAGE);  // Only a wish.
}

AlignedBuffer::~AlignedBuffer() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

}  // namespace apollo

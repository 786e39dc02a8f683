#include "common/has_cuda.h"

namespace apollo {

#ifdef APOLLO_CUDA
const bool kHasCuda = true;
#else
const bool kHasCuda = false;
#endif

}  // namespace apollo

#pragma once

namespace apollo {

// True in programs that were built with --config=cuda.
extern const bool kHasCuda;

}  // namespace apollo

#include "link/backpressure_contract.h"

namespace apollo {
namespace {

using Implementations = testing::Types<InProcessPair, GrpcPair>;
INSTANTIATE_TYPED_TEST_SUITE_P(Plain, Backpressure, Implementations);

}  // namespace
}  // namespace apollo

#pragma once

#include <vector>

#include "proto/apollo/v1/sampling.pb.h"
#include "sequence/sampling.h"

namespace apollo {

// Conversion of sampling options to and from the wire: clients send them to
// routers, routers to dense workers, dense workers to expert workers. `choices`
// is left to the router.
v1::SamplingParams ToProto(const SamplingOptions& options);

// Sets `options` and returns the fields that are out of range (CheckSampling).
// A caller can check the other ones further.
std::vector<WrongField> FromProto(const v1::SamplingParams& params,
                                  SamplingOptions& options);

}  // namespace apollo

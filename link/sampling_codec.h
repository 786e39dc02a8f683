#pragma once

#include <optional>

#include "proto/apollo/v1/sampling.pb.h"
#include "sequence/sampling.h"

namespace apollo {

// Sampling options on the wire: clients send them to routers, routers to dense
// workers, dense workers to expert workers. `choices` is the router's own.
v1::SamplingParams ToProto(const SamplingOptions& options);

// Sets `options`, or says which field is out of its range (CheckSampling).
std::optional<WrongField> FromProto(const v1::SamplingParams& params,
                                    SamplingOptions& options);

}  // namespace apollo

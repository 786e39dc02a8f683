#pragma once

#include <optional>
#include <string>

#include "proto/apollo/v1/sampling.pb.h"
#include "sequence/generation.h"

namespace apollo {

// Sampling options on the wire: clients send them to routers, routers to dense
// workers, dense workers to expert workers. `choices` is the router's own.
v1::SamplingParams ToProto(const SamplingOptions& options);

// A field whose value cannot be.
struct WrongField {
  std::string name;    // As in the message.
  std::string reason;  // "is 3; it must be from 0 to 1"
};

// Sets `options`, or says which field is out of its range.
std::optional<WrongField> FromProto(const v1::SamplingParams& params,
                                    SamplingOptions& options);

}  // namespace apollo

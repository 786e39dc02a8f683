#pragma once

#include "proto/apollo/internal/v1/worker.pb.h"
#include "sequence/generation.h"

namespace apollo {

// Sampling options between processes: routers send them to dense workers, dense
// workers to expert workers.
inline void ToProto(const SamplingOptions& in, internal::v1::Sampling* out) {
  out->set_temperature(in.temperature);
  out->set_top_p(in.top_p);
  out->set_top_k(in.top_k);
  out->set_seed(in.seed);
  out->set_presence_penalty(in.presence_penalty);
  out->set_frequency_penalty(in.frequency_penalty);
}

inline SamplingOptions FromProto(const internal::v1::Sampling& in) {
  return {in.temperature(),
          in.top_p(),
          static_cast<int>(in.top_k()),
          in.seed(),
          in.presence_penalty(),
          in.frequency_penalty()};
}

}  // namespace apollo

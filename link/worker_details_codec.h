#pragma once

#include "link/worker_details.h"
#include "proto/apollo/internal/v1/generation.pb.h"

namespace apollo {

// Fills an empty message.
void ToProto(const WorkerDetails& in, internal::v1::WorkerDetails* out);

// Never fails: missing fields keep their defaults.
WorkerDetails FromProto(const internal::v1::WorkerDetails& in);

}  // namespace apollo

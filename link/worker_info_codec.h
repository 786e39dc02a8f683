#pragma once

#include "link/worker_info.h"
#include "proto/apollo/internal/v1/worker.pb.h"

namespace apollo {

// Fills an empty message with a worker's description.
void ToProto(const WorkerInfo& in, internal::v1::WorkerInfo* out);

// Decodes a worker's description. Never fails: missing fields keep their
// defaults.
WorkerInfo FromProto(const internal::v1::WorkerInfo& in);

}  // namespace apollo

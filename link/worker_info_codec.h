#pragma once

#include "link/worker_info.h"
#include "proto/apollo/internal/v1/worker.pb.h"

namespace apollo {

// Fills an empty message with what a worker says of itself.
void ToProto(const WorkerInfo& in, internal::v1::WorkerInfo* out);

// Never fails: fields that are missing have no value.
WorkerInfo FromProto(const internal::v1::WorkerInfo& in);

}  // namespace apollo

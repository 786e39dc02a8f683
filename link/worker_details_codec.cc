#include "link/worker_details_codec.h"

#include <utility>

#include "link/worker_info_codec.h"

namespace apollo {

namespace pb = internal::v1;

void ToProto(const WorkerDetails& in, pb::WorkerDetails* out) {
  for (const ListedWorker& worker : in.expert_workers) {
    pb::ListedExpertWorker* const listed = out->add_expert_workers();
    listed->set_address(worker.address);
    if (worker.info) ToProto(*worker.info, listed->mutable_info());
    listed->set_linked(worker.linked);
    listed->set_reason(worker.reason);
  }
  out->set_cache_blocks(in.cache_blocks);
  out->set_cache_blocks_used(in.cache_blocks_used);
  out->set_waiting_sequences(in.waiting_sequences);
  out->set_rows_computed(in.rows_computed);
  out->set_certificate_expires(in.certificate_expires);
  out->set_draining(in.draining);
}

WorkerDetails FromProto(const pb::WorkerDetails& in) {
  WorkerDetails out;
  for (const pb::ListedExpertWorker& worker : in.expert_workers()) {
    ListedWorker listed{.address = worker.address(),
                        .linked = worker.linked(),
                        .reason = worker.reason()};
    if (worker.has_info()) listed.info = FromProto(worker.info());
    out.expert_workers.push_back(std::move(listed));
  }
  out.cache_blocks = static_cast<std::int64_t>(in.cache_blocks());
  out.cache_blocks_used = static_cast<std::int64_t>(in.cache_blocks_used());
  out.waiting_sequences = static_cast<int>(in.waiting_sequences());
  out.rows_computed = static_cast<std::int64_t>(in.rows_computed());
  out.certificate_expires = static_cast<std::int64_t>(in.certificate_expires());
  out.draining = in.draining();
  return out;
}

}  // namespace apollo

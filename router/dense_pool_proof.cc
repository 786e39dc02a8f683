// Whether the answers of a pool's workers count: with certificates, only those
// of workers that are who they say they are.

#include <absl/status/status.h>

#include <string>

#include "common/log.h"
#include "router/dense_pool.h"

namespace apollo {

bool DensePool::Answered(const std::string& address, Worker& worker,
                         const grpc::Status& status,
                         const grpc::ClientContext& context,
                         const internal::v1::DescribeResponse& response) const {
  if (!status.ok()) return false;
  absl::Status proof;
  if (options_.check_name != nullptr) {
    const auto connection = context.auth_context();
    proof = connection == nullptr
                ? absl::PermissionDeniedError("it has proven no name")
                : options_.check_name(*connection, response.name());
  }
  const std::string reason(proof.message());
  if (!proof.ok() && reason != worker.unproven) {
    LogError("dense_worker_refused",
             {{"address", address}, {"reason", reason}});
  }
  worker.unproven = reason;
  return proof.ok();
}

}  // namespace apollo

#include "worker/worker_proof.h"

#include <string>

#include "link/worker_info.h"
#include "serving/peer_identity_grpc.h"
#include "serving/peer_name.h"

namespace apollo {

WorkerProof MakeWorkerProof(const std::shared_ptr<Tls>& tls) {
  if (tls == nullptr) return nullptr;
  return [domain = tls->options().trust_domain](
             const grpc::AuthContext& connection, const WorkerInfo& worker) {
    const PeerRole role = worker.role == WorkerRole::kDense
                              ? PeerRole::kDenseWorker
                              : PeerRole::kExpertWorker;
    return CheckProvenName(PeerIdentityOf(connection), domain,
                           {role, worker.name});
  };
}

}  // namespace apollo

#pragma once

#include <memory>

#include "link/grpc_link.h"
#include "serving/tls.h"

namespace apollo {

// Returns the proof of workers that open or accept links over TLS: role and
// name in their description must be those of their certificate. Null without
// TLS.
WorkerProof MakeWorkerProof(const std::shared_ptr<Tls>& tls);

}  // namespace apollo

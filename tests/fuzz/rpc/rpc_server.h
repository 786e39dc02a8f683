#pragma once

#include <grpcpp/grpcpp.h>
#include <prometheus/registry.h>

#include <memory>
#include <string>
#include <vector>

#include "dense_worker/routing_log.h"
#include "dense_worker/run_service.h"
#include "expert_worker/link_acceptor.h"
#include "link/grpc_link.h"
#include "router/grpc/inference_service.h"
#include "router/model/router_model.h"
#include "router/session/call_table.h"
#include "serving/admin_service.h"
#include "serving/metrics.h"
#include "serving/reflection.h"
#include "tests/fuzz/rpc/checking_backend.h"

namespace apollo {

// The services of all roles on one port of this process, as they are in their
// programs, but over a CheckingBackend and links that nobody listens to.
class RpcServer {
 public:
  // Fails a check if the model or the port cannot be had.
  RpcServer();
  ~RpcServer();

  // Host and port.
  const std::string& address() const { return address_; }

 private:
  // Takes the frames of links and drops them.
  class DroppedFrames;

  const std::shared_ptr<prometheus::Registry> registry_ =
      std::make_shared<prometheus::Registry>();
  RequestMetrics metrics_{*registry_};
  const std::unique_ptr<RouterModel> model_;
  CallTable calls_;
  CheckingBackend routers_, wire_;
  RoutingLog routing_;
  const std::unique_ptr<LinkEvents> frames_;
  WorkerLinkAcceptor acceptor_;

  InferenceService inference_;
  RunService run_;
  GrpcLinkService links_;
  AdminService admin_;
  ReflectionService reflection_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace apollo

#include "tests/fuzz/rpc/rpc_server.h"

#include <grpcpp/health_check_service_interface.h>

#include <utility>

#include "common/check.h"
#include "common/clock.h"
#include "model/language/families.h"
#include "model/language/language_labels.h"

namespace apollo {
namespace {

std::unique_ptr<RouterModel> LoadModel() {
  auto model = RouterModel::Load("tests/golden/published", {});
  APOLLO_CHECK(model.ok());
  return *std::move(model);
}

DenseWorkerFacts Facts(const RoutingLog& routing) {
  DenseWorkerFacts facts = {.name = "dense-0",
                            .model_hash = "model",
                            .fingerprint = {},
                            .ready = [] { return true; },
                            .running = [] { return 0; },
                            .progress = [] { return 1; },
                            .routing = routing};
  facts.details = [] { return WorkerDetails(); };
  facts.prefixes = [] {
    return std::make_shared<const CachedPrefixes>(CachedPrefixes{7, {1, 2}});
  };
  return facts;
}

WorkerInfo ExpertWorker() {
  WorkerInfo info;
  info.role = WorkerRole::kExpert;
  info.name = "expert-0";
  info.model_hash = "model";
  return info;
}

AdminActions Actions() {
  AdminActions actions;
  actions.process = "router-0";
  actions.take_out = [](const DrainOptions& options, const auto& /*gave_up*/) {
    APOLLO_CHECK(options.timeout >= absl::ZeroDuration());
    APOLLO_CHECK(options.timeout <= absl::Hours(24));
    return true;
  };
  actions.files = {{"policy", [] { return absl::OkStatus(); }}};
  return actions;
}

}  // namespace

class RpcServer::DroppedFrames final : public LinkEvents {
  void OnLinkUp(LinkId, const WorkerInfo& peer,
                std::shared_ptr<Link>) override {
    APOLLO_CHECK(peer.name != "expert-0" || peer.role == WorkerRole::kDense);
  }
  void OnLinkFrame(LinkId, Frame) override {}
  void OnLinkLeaving(LinkId, bool) override {}
  void OnLinkDown(LinkId, absl::Status) override {}
};

RpcServer::RpcServer()
    : model_(LoadModel()),
      calls_(CallLimits(), Clock::Real()),
      routers_(model_->config, CheckingBackend::From::kRouter),
      wire_(model_->config, CheckingBackend::From::kWire),
      routing_(model_->config, LanguageLabels(FamilyTable::Paper()),
               Clock::Real()),
      frames_(std::make_unique<DroppedFrames>()),
      acceptor_(ExpertWorker(), *frames_),
      inference_({*model_, routers_, metrics_, Clock::Real(), calls_}),
      run_(wire_, Facts(routing_), metrics_, Clock::Real()),
      links_(acceptor_),
      admin_(Actions()),
      reflection_({"apollo.v1.InferenceService"}) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  for (grpc::Service* service : std::initializer_list<grpc::Service*>{
           &inference_, &run_, &links_, &admin_, &reflection_}) {
    builder.RegisterService(service);
  }
  server_ = builder.BuildAndStart();
  APOLLO_CHECK(server_ != nullptr);
  address_ = "127.0.0.1:" + std::to_string(port);
}

RpcServer::~RpcServer() {
  run_.EndWatches();
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

}  // namespace apollo

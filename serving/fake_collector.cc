#include "serving/fake_collector.h"

#include <opentelemetry/proto/collector/trace/v1/trace_service.grpc.pb.h>

#include <chrono>
#include <utility>

namespace apollo {

namespace collector = opentelemetry::proto::collector::trace::v1;

class FakeCollector::Service final : public collector::TraceService::Service {
 public:
  grpc::Status Export(
      grpc::ServerContext* context,
      const collector::ExportTraceServiceRequest* request,
      collector::ExportTraceServiceResponse* /*response*/) override {
    MutexLock lock(mutex_);
    while (hangs_ && !context->IsCancelled()) {
      changed_.wait_for(mutex_, std::chrono::milliseconds(50));
    }
    for (const auto& resource : request->resource_spans()) {
      Received received;
      for (const auto& attribute : resource.resource().attributes()) {
        const std::string& value = attribute.value().string_value();
        if (attribute.key() == "service.name") received.service = value;
        if (attribute.key() == "service.instance.id") received.process = value;
      }
      for (const auto& scope : resource.scope_spans()) {
        for (const Span& span : scope.spans()) {
          received.span = span;
          received_.push_back(received);
        }
      }
    }
    requests_.push_back(*request);
    changed_.notify_all();
    return grpc::Status::OK;
  }

  Mutex mutex_;
  CondVar changed_;
  bool hangs_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Received> received_ ABSL_GUARDED_BY(mutex_);
  std::vector<Request> requests_ ABSL_GUARDED_BY(mutex_);
};

FakeCollector::FakeCollector(
    const std::shared_ptr<grpc::ServerCredentials>& credentials)
    : service_(std::make_unique<Service>()) {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", credentials, &port);
  builder.RegisterService(service_.get());
  server_ = builder.BuildAndStart();
  address_ = "127.0.0.1:" + std::to_string(port);
}

FakeCollector::~FakeCollector() {
  Hang(false);
  server_->Shutdown(std::chrono::system_clock::now());
}

void FakeCollector::Hang(bool hang) {
  MutexLock lock(service_->mutex_);
  service_->hangs_ = hang;
  service_->changed_.notify_all();
}

std::vector<FakeCollector::Received> FakeCollector::received() {
  MutexLock lock(service_->mutex_);
  return service_->received_;
}

std::vector<FakeCollector::Request> FakeCollector::requests() {
  MutexLock lock(service_->mutex_);
  return service_->requests_;
}

std::string FakeCollector::text() {
  std::string text;
  for (const Request& request : requests()) text += request.DebugString();
  return text;
}

bool FakeCollector::Await(
    const std::function<bool(const std::vector<Received>&)>& enough) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  MutexLock lock(service_->mutex_);
  while (!enough(service_->received_)) {
    if (std::chrono::steady_clock::now() >= end) return false;
    service_->changed_.wait_for(service_->mutex_,
                                std::chrono::milliseconds(50));
  }
  return true;
}

}  // namespace apollo

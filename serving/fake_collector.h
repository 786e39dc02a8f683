#pragma once

#include <grpcpp/grpcpp.h>
#include <opentelemetry/proto/collector/trace/v1/trace_service.pb.h>
#include <opentelemetry/proto/trace/v1/trace.pb.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/mutex.h"

namespace apollo {

// A collector of spans by OTLP over gRPC, on a free port of 127.0.0.1, for
// tests. Thread-safe.
class FakeCollector {
 public:
  using Span = opentelemetry::proto::trace::v1::Span;
  using Request =
      opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;

  // A span and the process that has sent it.
  struct Received {
    std::string service, process;
    Span span;
  };

  explicit FakeCollector(const std::shared_ptr<grpc::ServerCredentials>&
                             credentials = grpc::InsecureServerCredentials());
  ~FakeCollector();

  const std::string& address() const { return address_; }

  // Makes calls wait, or lets them go on.
  void Hang(bool hang);

  std::vector<Received> received();
  // Everything received, call by call.
  std::vector<Request> requests();
  // Everything received, as text.
  std::string text();
  // Waits until `enough` of what was received. Returns false after a minute.
  bool Await(const std::function<bool(const std::vector<Received>&)>& enough);

 private:
  class Service;

  const std::unique_ptr<Service> service_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace apollo

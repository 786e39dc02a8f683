#pragma once

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "proto/apollo/rpc/details.pb.h"
#include "proto/apollo/rpc/packing.h"
#include "proto/apollo/v1/inference.grpc.pb.h"
#include "proto/grpc/health/v1/health.grpc.pb.h"
#include "tools/apollo/channel.h"
#include "tools/apollo/commands.h"

// For tests of the client: an in-process server with responses set by the test,
// and a helper that runs a command against it.
namespace apollo::client {

class FakeService final : public v1::InferenceService::Service {
 public:
  using Writer = grpc::ServerWriter<v1::GenerateResponse>;
  using GenerateHandler = std::function<grpc::Status(
      grpc::ServerContext*, const v1::GenerateRequest&, Writer*)>;

  // Set these before the first call.
  GenerateHandler generate;
  v1::ScoreResponse score;
  v1::TokenizeResponse tokens;
  v1::DetectLanguageResponse language;
  v1::GetModelResponse model;
  v1::GetRoutingResponse routing;
  v1::GetStatusResponse cluster;
  // Called within each GetStatus; looks() counts it already.
  std::function<void(const grpc::ServerContext&)> on_look;
  // Rows that each process computes between two calls of GetStatus.
  std::uint64_t rows_between = 0;
  grpc::Status status;  // Of every call except Generate.

  std::vector<v1::GenerateRequest> generate_requests() {
    MutexLock lock(mutex_);
    return generate_requests_;
  }
  v1::ScoreRequest score_request() {
    MutexLock lock(mutex_);
    return score_request_;
  }

  grpc::Status Generate(grpc::ServerContext* context,
                        const v1::GenerateRequest* request,
                        Writer* writer) override {
    {
      MutexLock lock(mutex_);
      generate_requests_.push_back(*request);
    }
    return generate(context, *request, writer);
  }
  grpc::Status Score(grpc::ServerContext*, const v1::ScoreRequest* request,
                     v1::ScoreResponse* response) override {
    MutexLock lock(mutex_);
    score_request_ = *request;
    *response = score;
    return status;
  }
  grpc::Status Tokenize(grpc::ServerContext*, const v1::TokenizeRequest*,
                        v1::TokenizeResponse* response) override {
    *response = tokens;
    return status;
  }
  grpc::Status DetectLanguage(grpc::ServerContext*,
                              const v1::DetectLanguageRequest*,
                              v1::DetectLanguageResponse* response) override {
    *response = language;
    return status;
  }
  grpc::Status GetModel(grpc::ServerContext*, const v1::GetModelRequest*,
                        v1::GetModelResponse* response) override {
    *response = model;
    return status;
  }
  grpc::Status GetRouting(grpc::ServerContext*,
                          const v1::GetRoutingRequest* request,
                          v1::GetRoutingResponse* response) override {
    {
      MutexLock lock(mutex_);
      routing_request_ = *request;
    }
    *response = routing;
    return status;
  }
  grpc::Status GetStatus(grpc::ServerContext* context,
                         const v1::GetStatusRequest* request,
                         v1::GetStatusResponse* response) override {
    context->AddTrailingMetadata("x-request-id", "status-1");
    {
      MutexLock lock(mutex_);
      ++looks_;
      status_request_ = *request;
    }
    if (on_look) on_look(*context);
    MutexLock lock(mutex_);
    const auto header = context->client_metadata().find("authorization");
    authorization_ =
        header == context->client_metadata().end()
            ? ""
            : std::string(header->second.data(), header->second.size());
    *response = cluster;
    for (v1::ProcessStatus& process : *response->mutable_processes()) {
      process.set_rows_computed(process.rows_computed() +
                                looks_ * rows_between);
    }
    return status;
  }
  // Returns the calls of GetStatus so far, and "authorization" of the last.
  int looks() {
    MutexLock lock(mutex_);
    return looks_;
  }
  v1::GetStatusRequest status_request() {
    MutexLock lock(mutex_);
    return status_request_;
  }
  std::string authorization() {
    MutexLock lock(mutex_);
    return authorization_;
  }
  v1::GetRoutingRequest routing_request() {
    MutexLock lock(mutex_);
    return routing_request_;
  }

 private:
  Mutex mutex_;
  int looks_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string authorization_ ABSL_GUARDED_BY(mutex_);
  v1::GetRoutingRequest routing_request_ ABSL_GUARDED_BY(mutex_);
  v1::GetStatusRequest status_request_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::GenerateRequest> generate_requests_ ABSL_GUARDED_BY(mutex_);
  v1::ScoreRequest score_request_ ABSL_GUARDED_BY(mutex_);
};

class FakeHealth final : public grpc::health::v1::Health::Service {
 public:
  // The responses to the first calls; the last one repeats.
  std::vector<grpc::health::v1::HealthCheckResponse::ServingStatus> answers;

  grpc::Status Check(grpc::ServerContext*,
                     const grpc::health::v1::HealthCheckRequest* request,
                     grpc::health::v1::HealthCheckResponse* response) override {
    MutexLock lock(mutex_);
    last_service_ = request->service();
    response->set_status(answers[std::min(calls_++, answers.size() - 1)]);
    return grpc::Status::OK;
  }

  // Returns the name that the last call asked for.
  std::string last_service() {
    MutexLock lock(mutex_);
    return last_service_;
  }

 private:
  Mutex mutex_;
  std::string last_service_ ABSL_GUARDED_BY(mutex_);
  std::size_t calls_ ABSL_GUARDED_BY(mutex_) = 0;
};

class FakeServer {
 public:
  FakeServer() = default;
  ~FakeServer() {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
  }

  FakeService service;
  FakeHealth health;
  Interrupt interrupt;
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  bool terminal = false;
  LineReader* editor = nullptr;
  Screen* screen = nullptr;
  std::vector<v1::InferenceService::StubInterface*> other_services;

  // Runs the command and returns its exit code.
  int Run(const Options& options) { return Run(options, out); }
  int Run(const Options& options, std::ostream& output) {
    if (server_ == nullptr) {
      grpc::ServerBuilder builder;
      builder.RegisterService(&service);
      builder.RegisterService(&health);
      // A port instead of an in-process channel: ThreadSanitizer, which cannot
      // see gRPC's locks, would report races on the buffers of such a channel.
      builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                               &port_);
      server_ = builder.BuildAndStart();
    }
    Options to_here = options;
    to_here.server = "127.0.0.1:" + std::to_string(port_);
    const auto channel = MakeChannel(to_here).value();
    const auto service_stub = v1::InferenceService::NewStub(channel);
    const auto health_stub = grpc::health::v1::Health::NewStub(channel);
    Session session{.options = options,
                    .service = *service_stub,
                    .health = *health_stub,
                    .interrupt = interrupt,
                    .editor = editor,
                    .screen = screen,
                    .other_services = other_services,
                    .in = in,
                    .out = output,
                    .err = err,
                    .in_is_terminal = terminal,
                    .out_is_terminal = terminal,
                    .err_is_terminal = terminal};
    return RunCommand(session);
  }

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// A second router.
class OtherRouter {
 public:
  OtherRouter() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.RegisterService(&service);
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    server_ = builder.BuildAndStart();
    Options to_here;
    to_here.server = address = "127.0.0.1:" + std::to_string(port);
    stub = v1::InferenceService::NewStub(MakeChannel(to_here).value());
  }
  FakeService service;
  std::string address;
  std::unique_ptr<v1::InferenceService::Stub> stub;

 private:
  std::unique_ptr<grpc::Server> server_;
};

// Returns INVALID_ARGUMENT with a BadRequest in its details.
inline grpc::Status BadRequest(const std::string& message,
                               const std::string& field,
                               const std::string& description) {
  rpc::BadRequest bad_request;
  auto& violation = *bad_request.add_field_violations();
  violation.set_field(field);
  violation.set_description(description);
  rpc::Status details;
  details.set_code(grpc::StatusCode::INVALID_ARGUMENT);
  details.set_message(message);
  rpc::Pack(bad_request, details.add_details());
  return {grpc::StatusCode::INVALID_ARGUMENT, message,
          details.SerializeAsString()};
}

// Returns UNAVAILABLE as a router sends it, with the time of the next try.
inline grpc::Status Unavailable(const std::string& message, int milliseconds) {
  rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_nanos(milliseconds * 1'000'000);
  rpc::Status details;
  rpc::Pack(retry, details.add_details());
  return {grpc::StatusCode::UNAVAILABLE, message, details.SerializeAsString()};
}

inline v1::GenerateResponse Started() {
  v1::GenerateResponse response;
  v1::GenerateStarted& started = *response.mutable_started();
  started.set_language("de");
  started.set_confidence(0.98f);
  started.set_family(4);
  started.set_family_name("Indo-European");
  started.set_routing(v1::ROUTING_MODE_HYBRID);
  started.set_prompt_tokens(12);
  started.mutable_workers()->set_dense_worker("dense-0");
  started.mutable_workers()->set_expert_worker("expert-1");
  started.set_seed(18446744073709551615u);
  return response;
}

inline v1::GenerateResponse Delta(const std::string& text, int choice = 0) {
  v1::GenerateResponse response;
  response.mutable_delta()->set_text(text);
  response.mutable_delta()->add_token_ids(7);
  response.mutable_delta()->set_choice(choice);
  return response;
}

inline v1::GenerateResponse Finished(int choice = 0) {
  v1::GenerateResponse response;
  v1::GenerateFinished& finished = *response.mutable_finished();
  finished.set_reason(v1::FINISH_REASON_LENGTH);
  finished.mutable_usage()->set_generated_tokens(11);
  finished.mutable_timings()->set_first_token_seconds(0.5);
  finished.mutable_timings()->set_total_seconds(1.0);
  finished.set_choice(choice);
  return response;
}

// Writes the events of a stream as a router does: `started` first, unless it is
// given, and with the numbers of tokens.
class Events {
 public:
  explicit Events(FakeService::Writer* writer) : writer_(writer) {}

  bool Write(v1::GenerateResponse event) {
    if (!event.has_started() && !started_) writer_->Write(Started());
    started_ = true;
    if (event.has_delta()) {
      std::uint32_t& next = next_[event.delta().choice()];
      event.mutable_delta()->set_index(next);
      next += static_cast<std::uint32_t>(event.delta().token_ids_size());
    }
    return writer_->Write(event);
  }

 private:
  FakeService::Writer* const writer_;
  bool started_ = false;
  std::map<std::uint32_t, std::uint32_t> next_;  // By choice.
};

// Returns what answers each call with these events.
inline FakeService::GenerateHandler Replies(
    std::vector<v1::GenerateResponse> events) {
  return [events = std::move(events)](grpc::ServerContext*,
                                      const v1::GenerateRequest&,
                                      FakeService::Writer* writer) {
    Events stream(writer);
    for (const v1::GenerateResponse& event : events) stream.Write(event);
    return grpc::Status::OK;
  };
}

}  // namespace apollo::client

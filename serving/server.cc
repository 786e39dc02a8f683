#include "serving/server.h"

#include <absl/strings/str_cat.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <exception>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "common/clock.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "proto/grpc/health/v1/health.grpc.pb.h"
#include "serving/grpc_log.h"
#include "serving/host_port.h"
#include "serving/listener.h"
#include "serving/tls_greeting.h"
#include "serving/without_reflection_plugin.h"

namespace apollo {
namespace {

constexpr absl::Duration kHandshakeTimeout = absl::Seconds(20);

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

std::string Host(const std::string& address) {
  return address.substr(0, address.rfind(':'));
}

absl::Status WriteAddressFile(const std::string& path,
                              const std::string& text) {
  const std::string partial = absl::StrCat(path, ".partial");
  std::FILE* file = std::fopen(partial.c_str(), "w");
  if (file == nullptr) {
    return absl::ErrnoToStatus(
        errno, absl::StrCat("--address_file: cannot write ", partial));
  }
  const bool written =
      std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (std::fclose(file) != 0 || !written ||
      std::rename(partial.c_str(), path.c_str()) != 0) {
    return absl::ErrnoToStatus(
        errno, absl::StrCat("--address_file: cannot write ", path));
  }
  return absl::OkStatus();
}

// Each connection occupies a thread of civetweb until its request has come. So
// there are several threads, and a connection that sends nothing is closed
// soon. (https://github.com/civetweb/civetweb/blob/master/docs/UserManual.md)
// Returns an address as the server of metrics spells it: all addresses of the
// machine are "+port" there.
std::string MetricsPort(const std::string& listen) {
  const std::optional<HostPort> address = ParseHostPort(listen);
  if (address && (address->host.empty() || address->host == "[::]")) {
    return absl::StrCat("+", address->port);
  }
  return listen;
}

std::vector<std::string> MetricsServerOptions(const std::string& listen) {
  return {"listening_ports",
          MetricsPort(listen),
          "num_threads",
          "16",
          "request_timeout_ms",
          "2000",
          "enable_keep_alive",
          "no",
          "linger_timeout_ms",
          "0",
          "enable_directory_listing",
          "no"};
}

void SetUpPluginsOnce(bool reflection) {
  // Both apply to all servers of the process that are built afterwards.
  static std::once_flag health, reflect;
  std::call_once(health, [] { grpc::EnableDefaultHealthCheckService(true); });
  if (reflection) {
    std::call_once(reflect, [] {
      grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    });
  }
}

// Returns the names of all services of a server with reflection.
std::vector<std::string> AllNames(std::vector<std::string> names, bool alpha) {
  names.emplace_back(grpc::health::v1::Health::service_full_name());
  names.emplace_back(
      grpc::reflection::v1::ServerReflection::service_full_name());
  if (alpha) names.emplace_back("grpc.reflection.v1alpha.ServerReflection");
  // Names the health protocol's descriptor, too, which gRPC itself lacks.
  google::protobuf::LinkMessageReflection<
      grpc::health::v1::HealthCheckRequest>();
  return names;
}

// Returns a time as gRPC takes it: at least 1 ms; from 24 days on never.
int Milliseconds(absl::Duration time) {
  return static_cast<int>(std::clamp<std::int64_t>(
      absl::ToInt64Milliseconds(time), 1, std::numeric_limits<int>::max()));
}

std::shared_ptr<grpc::ServerCredentials> CredentialsOf(
    const ServerOptions& options, const std::vector<NamedService>& services) {
  if (options.tls == nullptr) return grpc::InsecureServerCredentials();
  std::map<std::string, Callers> callers;
  for (const NamedService& service : services) {
    callers[service.name] = service.callers;
  }
  return options.tls->ForServer(std::move(callers),
                                /*optional=*/!options.clients_need_certificate);
}

// Sets the bounds of gRPC and the detection of dead peers.
void SetLimits(const ServerOptions& options, grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(options.max_message_bytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE,
                             options.max_metadata_bytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             options.max_streams_per_connection);
  // The largest int, for an infinite age, means never.
  const int age = Milliseconds(options.max_connection_age);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, age);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, age);
  // Peers may ping idle connections as often as MakeClusterChannel does.
  builder.AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 500);
  // After so many pings that come earlier, the connection is closed.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 2);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // Detects on this side, too, a peer that vanished.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS,
                             Milliseconds(options.keepalive_time));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                             Milliseconds(options.keepalive_timeout));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // Bounds connections that do not begin to speak HTTP/2.
  builder.AddChannelArgument(
      GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
      static_cast<int>(absl::ToInt64Milliseconds(kHandshakeTimeout)));
}

}  // namespace

Server::Server()
    : ready_metric_(
          AddGauge(*registry_, SpecOf(kServerMetrics, "apollo_ready"))),
      live_metric_(
          AddGauge(*registry_, SpecOf(kServerMetrics, "apollo_live"))) {}

absl::Status Server::ServeMetrics(
    const std::string& listen,
    const std::vector<std::shared_ptr<prometheus::Collectable>>& metrics) {
  try {
    exposer_ =
        std::make_unique<prometheus::Exposer>(MetricsServerOptions(listen));
  } catch (const std::exception& error) {
    return absl::UnavailableError(absl::StrCat(
        "--metrics_listen: cannot listen on ", listen, ": ", error.what()));
  }
  for (const auto& collectable : metrics) {
    exposer_->RegisterCollectable(collectable, "/metrics");
  }
  exposer_->RegisterCollectable(registry_, "/metrics");
  exposer_->RegisterCollectable(process_metrics_, "/metrics");
  if (tls_ != nullptr) {
    exposer_->RegisterCollectable(tls_->metrics(), "/metrics");
  }
  metrics_address_ =
      absl::StrCat(Host(listen), ":", exposer_->GetListeningPorts().front());
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    const ServerOptions& options, const std::vector<NamedService>& services,
    const std::vector<std::shared_ptr<prometheus::Collectable>>& metrics) {
  std::unique_ptr<Server> server(new Server());
  server->tls_ = options.tls;
  RETURN_IF_ERROR(server->ServeMetrics(options.metrics_listen, metrics));
  ASSIGN_OR_RETURN(Listener listener,
                   ListenOn(options.listen, options.keepalive_timeout));
  server->address_ =
      listener.file != nullptr
          ? options.listen
          : absl::StrCat(Host(options.listen), ":", listener.port);
  SetUpPluginsOnce(options.reflection && options.gate == nullptr);
  CaptureGrpcLog();
  grpc::ServerBuilder builder;
  // gRPC cannot limit connections, so the gate accepts them for it.
  const std::shared_ptr<grpc::experimental::ExternalConnectionAcceptor>
      acceptor = builder.experimental().AddExternalConnectionAcceptor(
          grpc::ServerBuilder::experimental_type::ExternalConnectionType::
              FROM_FD,
          CredentialsOf(options, services));
  SetLimits(options, builder);
  for (const NamedService& service : services) {
    builder.RegisterService(service.service);
    server->service_names_.push_back(service.name);
  }
  if (options.reflection) {
    server->reflection_ = std::make_unique<ReflectionService>(
        AllNames(server->service_names_, options.gate == nullptr),
        options.gate);
    builder.RegisterService(server->reflection_.get());
  }
  if (!options.reflection || options.gate != nullptr) {
    builder.SetOption(std::make_unique<WithoutReflectionPlugin>());
  }
  server->unknown_methods_ = std::make_unique<UnknownMethods>(options.gate);
  builder.RegisterCallbackGenericService(server->unknown_methods_.get());
  server->server_ = builder.BuildAndStart();
  if (server->server_ == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("cannot serve gRPC on ", options.listen));
  }
  server->SetServing(false);
  server->SetAlive(true);
  const int max_connections = AllowConnections(options.max_connections);
  if (max_connections < options.max_connections) {
    LogWarning("open_files_limited",
               {{"max_connections", options.max_connections},
                {"possible", max_connections},
                {"reason",
                 "the limit of open files (ulimit -n) allows fewer "
                 "connections; each takes two"}});
  }
  const auto hand_over = [acceptor](int from, int connection) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters
        handed;
    handed.listener_fd = from;
    handed.fd = connection;
    acceptor->HandleNewConnection(&handed);
  };
  ASSIGN_OR_RETURN(server->gate_,
                   ConnectionGate::Open(std::move(listener), max_connections,
                                        hand_over, *server->registry_));
  server->WatchPorts();
  if (!options.address_file.empty()) {
    RETURN_IF_ERROR(
        WriteAddressFile(options.address_file,
                         absl::StrCat("grpc ", server->address_, "\nmetrics ",
                                      server->metrics_address_, "\n")));
  }
  return server;
}

void Server::WatchPorts() {
  watches_.push_back(std::make_unique<PortWatch>(
      "listen", address_, /*greeting=*/tls_ != nullptr ? TlsGreeting() : "",
      Clock::Real()));
  watches_.push_back(
      std::make_unique<PortWatch>("metrics_listen", metrics_address_,
                                  "HEAD / HTTP/1.0\r\n\r\n", Clock::Real()));
}

Server::~Server() {
  if (server_ != nullptr) Shutdown({.grace = absl::ZeroDuration()});
}

void Server::SetServing(bool serving) {
  ready_metric_.Set(serving ? 1 : 0);
  if (auto* health = server_->GetHealthCheckService()) {
    // Not SetServingStatus(serving), which also sets kLiveness.
    health->SetServingStatus("", serving);
    for (const std::string& name : service_names_) {
      health->SetServingStatus(name, serving);
    }
  }
}

void Server::SetAlive(bool alive) {
  live_metric_.Set(alive ? 1 : 0);
  if (auto* health = server_->GetHealthCheckService()) {
    health->SetServingStatus(kLiveness, alive);
  }
}

absl::Status Server::RunUntilStopped(const HealthChecks& checks) {
  const sigset_t signals = StopSignals();
  const timespec interval = {0, 100'000'000};
  bool serving = false, alive = true;
  absl::Status status;
  while (status.ok()) {
    const bool ready = checks.ready();
    if (ready != serving) SetServing(serving = ready);
    const bool moves = checks.alive == nullptr || checks.alive();
    if (moves != alive) {
      SetAlive(alive = moves);
      LogWarning(alive ? "progress_resumed" : "progress_stopped");
    }
    if (sigtimedwait(&signals, nullptr, &interval) > 0) break;
    for (const auto& watch : watches_) status.Update(watch->Look());
  }
  SetServing(false);
  if (!status.ok()) {
    LogError("port_lost", {{"reason", std::string(status.message())}});
  }
  return status;
}

void Server::Shutdown(const LastCalls& last) {
  gate_ = nullptr;
  // gRPC's Shutdown returns when all calls have ended, and cannot be told
  // meanwhile that nobody waits for the rest.
  std::atomic<bool> ended = false;
  std::thread shutdown([this, &ended] {
    server_->Shutdown(std::chrono::system_clock::time_point::max());
    ended = true;
  });
  const Clock& clock = Clock::Real();
  const auto wait = [&](absl::Duration time) {
    const absl::Duration deadline = clock.Now() + time;
    while (!ended && !(last.none_left && last.none_left()) &&
           clock.Now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  };
  wait(last.grace);
  if (!ended && last.end != nullptr && !(last.none_left && last.none_left())) {
    last.end();
    wait(LastCalls::kLastWord);
  }
  // Again and again: the other thread may not have closed the ports yet, and
  // calls that come meanwhile would never end.
  while (!ended) {
    grpc_server_cancel_all_calls(server_->c_server());
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  shutdown.join();
  server_->Wait();
  server_ = nullptr;
}

}  // namespace apollo

#include "tests/e2e/cluster.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <utility>

#include "tests/e2e/health.h"
#include "tests/e2e/http.h"

namespace apollo {
namespace {

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file),
          std::istreambuf_iterator<char>()};
}

void Pause() { std::this_thread::sleep_for(std::chrono::milliseconds(20)); }

// Polls done() until it returns true, for at most a minute.
template <typename Done>
bool Eventually(Done done) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (std::chrono::steady_clock::now() < end) {
    if (done()) return true;
    Pause();
  }
  return false;
}

constexpr char kNoStandby[] = "--standby_megabytes=0";

std::string Worker(const std::string& role, int index) {
  return role + "-worker-" + std::to_string(index);
}

}  // namespace

std::string Runfile(const std::string& path) {
  // Bazel runs tests in the workspace's folder of their runfiles.
  return std::filesystem::absolute(path).string();
}

std::string DemoModel() {
  std::string path;
  if (const char* given = std::getenv("APOLLO_DEMO_MODEL")) path = given;
  if (path.empty()) {
    const char* home = std::getenv("HOME");
    path = std::string(home != nullptr ? home : "") + "/.cache/apollo-moe/demo";
  }
  EXPECT_TRUE(std::filesystem::exists(path + "/config.json"))
      << "no demo model in \"" << path
      << "\"; run deploy/local/demo_model.sh, or set APOLLO_DEMO_MODEL";
  return path;
}

Cluster::Cluster(std::string model, const Layout& layout)
    : model_(std::move(model)), layout_(layout) {}

Cluster::~Cluster() {
  if (::testing::Test::HasFailure()) {
    std::fprintf(stderr, "--- logs of the cluster ---\n%s", Logs().c_str());
  }
}

void Cluster::Start() {
  const char* const python = std::getenv("APOLLO_PYTHON");
  std::vector<std::string> argv = {
      python != nullptr ? python : "/usr/bin/python3",
      Runfile("deploy/local/cluster.py"),
      "attached",
      "--model=" + model_,
      "--bin=" + Runfile("."),
      "--state=" + folder_.path(),
      "--timeout=120",
      "--dense-workers=" + std::to_string(layout_.dense_workers),
      "--expert-workers=" + std::to_string(layout_.expert_workers),
      "--routers=" + std::to_string(layout_.routers)};
  const std::pair<const char*, const std::vector<std::string>*> kFlags[] = {
      {"dense", &layout_.dense_flags},
      {"expert", &layout_.expert_flags},
      {"router", &layout_.router_flags},
      {"local", &layout_.local_flags}};
  if (layout_.expert_workers > 0 && !layout_.standby) {
    argv.push_back(std::string("--expert-flag=") + kNoStandby);
  }
  for (const auto& [role, flags] : kFlags) {
    for (const std::string& flag : *flags) {
      argv.push_back("--" + std::string(role) + "-flag=" + flag);
    }
  }
  if (layout_.own_host_ids) argv.push_back("--own-host-ids");
  if (layout_.tls) argv.push_back("--tls");
  launcher_ =
      std::make_unique<JsonProcess>(argv, folder_.path() + "/launcher.log");
  Learn(launcher_->Read());
}

Json Cluster::Ask(const Json& request) {
  const Json answer = launcher_->Ask(request);
  EXPECT_FALSE(answer.contains("error")) << request << ": " << answer;
  return answer;
}

void Cluster::Learn(const Json& answer) {
  EXPECT_TRUE(answer.contains("processes")) << answer;
  for (const Json& process : answer.value("processes", Json::array())) {
    processes_[process["name"]] = {process["pid"], process["address"],
                                   process["metrics"]};
  }
}

const Cluster::Process& Cluster::Of(const std::string& name) const {
  static const Process* const none = new Process();
  const auto found = processes_.find(name);
  EXPECT_NE(found, processes_.end()) << "no process " << name;
  return found == processes_.end() ? *none : found->second;
}

std::vector<std::string> Cluster::Named(const std::string& prefix) const {
  std::vector<std::string> names;
  for (const auto& [name, process] : processes_) {
    if (name.rfind(prefix, 0) == 0) names.push_back(name);
  }
  return names;
}

void Cluster::Restart(const std::string& name,
                      const std::vector<std::string>* flags) {
  Json request = {{"do", "start"}, {"name", name}};
  if (flags != nullptr) request["flags"] = *flags;
  Learn(Ask(request));
}

void Cluster::Stop(const std::string& name) {
  EXPECT_EQ(Ask({{"do", "stop"}, {"name", name}}).value("exit_code", -1), 0)
      << name;
}

void Cluster::StartExpert(int index) {
  Restart(Worker("expert", index),
          new_expert_flags_ ? &layout_.expert_flags : nullptr);
}

void Cluster::StartDense(int index) {
  Restart(Worker("dense", index), /*flags=*/nullptr);
}

void Cluster::KillExpert(int index) {
  Ask({{"do", "kill"}, {"name", Worker("expert", index)}});
}

void Cluster::KillDense(int index) {
  Ask({{"do", "kill"}, {"name", Worker("dense", index)}});
}

void Cluster::SetExpertFlags(std::vector<std::string> flags) {
  layout_.expert_flags = std::move(flags);
  if (!layout_.standby) layout_.expert_flags.emplace_back(kNoStandby);
  new_expert_flags_ = true;
}

void Cluster::StopExpert(int index) { Stop(Worker("expert", index)); }

void Cluster::FreezeExpert(int index) {
  Signal(Worker("expert", index), SIGSTOP);
}

void Cluster::ThawExpert(int index) {
  Signal(Worker("expert", index), SIGCONT);
}

void Cluster::Signal(const std::string& name, int signal) {
  const int pid = Of(name).pid;
  if (pid > 0) kill(pid, signal);  // 0 would be all processes of the test.
}

void Cluster::WaitForHealth(bool serving) {
  std::vector<std::string> names =
      Named(layout_.expert_workers == 0 ? "local" : "router");
  if (serving) {
    for (const std::string& name : Named("expert")) names.push_back(name);
  }
  for (const std::string& name : names) {
    const auto channel = grpc::CreateChannel(Of(name).address, Credentials());
    EXPECT_TRUE(Eventually([&] { return IsServing(channel) == serving; }))
        << "the health of " << name << " did not become "
        << (serving ? "SERVING" : "NOT_SERVING");
  }
}

void Cluster::StopAll() {
  for (const char* role : {"router", "local", "dense", "expert"}) {
    for (const std::string& name : Named(role)) Stop(name);
  }
}

const std::string& Cluster::address(int router) const {
  if (layout_.expert_workers == 0) return Of("local").address;
  return Of(router == 0 ? "router" : "router-" + std::to_string(router))
      .address;
}

const std::string& Cluster::dense_address(int index) const {
  return Of(Worker("dense", index)).address;
}

std::unique_ptr<v1::InferenceService::Stub> Cluster::NewStub(int router) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  return v1::InferenceService::NewStub(
      grpc::CreateCustomChannel(address(router), Credentials(), arguments));
}

std::shared_ptr<grpc::ChannelCredentials> Cluster::Credentials() const {
  if (!layout_.tls) return grpc::InsecureChannelCredentials();
  const std::string folder = folder_.path() + "/tls/";
  return grpc::SslCredentials({ReadAll(folder + "ca.pem"),
                               ReadAll(folder + "operator.key"),
                               ReadAll(folder + "operator.pem")});
}

std::string Cluster::MetricsAddress(const std::string& name) {
  return Of(name).metrics;
}

std::int64_t Cluster::RouterBytes(int router) {
  const std::string name =
      router == 0 ? "router" : "router-" + std::to_string(router);
  std::ifstream file("/proc/" + std::to_string(Of(name).pid) + "/statm");
  std::int64_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

double Cluster::Metric(const std::string& process, const std::string& name) {
  const std::string text = HttpGet(MetricsAddress(process), "/metrics");
  const std::size_t at = text.find("\n" + name + " ");
  if (at == std::string::npos) return -1;
  return std::stod(text.substr(at + name.size() + 2));
}

void Cluster::WaitForMetric(const std::string& process, const std::string& name,
                            double wanted) {
  double value = -1;
  EXPECT_TRUE(Eventually([&] {
    value = Metric(process, name);
    return value == wanted;
  })) << name
      << " of " << process << " is " << value << ", not " << wanted;
}

bool Cluster::WaitForMetricAtLeast(const std::string& process,
                                   const std::string& name, double least) {
  return Eventually([&] { return Metric(process, name) >= least; });
}

bool Cluster::WaitForLog(const std::string& text) {
  return Eventually([&] { return Logs().find(text) != std::string::npos; });
}

std::string Cluster::Logs() {
  std::string all;
  for (const auto& entry :
       std::filesystem::directory_iterator(folder_.path())) {
    if (entry.path().extension() == ".log") all += ReadAll(entry.path());
  }
  return all;
}

}  // namespace apollo

#include "tests/e2e/cluster.h"

#include <grpc/grpc.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include "model/config/model_config.h"
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

// Tries until done() or for a minute.
template <typename Done>
bool Eventually(Done done) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (std::chrono::steady_clock::now() < end) {
    if (done()) return true;
    Pause();
  }
  return false;
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
    : model_(std::move(model)), layout_(layout) {
  const auto config = LoadModelConfig(model_);
  EXPECT_TRUE(config.ok()) << config.status();
  if (config.ok()) experts_ = config->num_experts;
  // A worker without any expert would be of no use.
  layout_.expert_workers = std::min(layout_.expert_workers, experts_);
}

Cluster::~Cluster() {
  if (::testing::Test::HasFailure()) {
    std::fprintf(stderr, "--- logs of the cluster ---\n%s", Logs().c_str());
  }
  routers_.clear();
  dense_.clear();
  expert_.clear();
}

std::unique_ptr<ChildProcess> Cluster::Launch(const std::string& binary,
                                              const std::string& name,
                                              std::vector<std::string> flags) {
  std::filesystem::remove(File(name));
  std::vector<std::string> argv = {
      Runfile(binary), "--model=" + model_, "--listen=127.0.0.1:0",
      "--metrics_listen=127.0.0.1:0", "--address_file=" + File(name)};
  argv.insert(argv.end(), flags.begin(), flags.end());
  return std::make_unique<ChildProcess>(argv, File(name + ".log"));
}

std::string Cluster::WaitForAddress(const std::string& name,
                                    const std::string& kind,
                                    ChildProcess* process) {
  std::string found;
  const bool ok = Eventually([&] {
    std::istringstream lines(ReadAll(File(name)));
    std::string word, address;
    while (lines >> word >> address) {
      if (word == kind) found = address;
    }
    return !found.empty() || (process != nullptr && !process->Running());
  });
  EXPECT_TRUE(ok && !found.empty()) << name << " did not start:\n"
                                    << ReadAll(File(name + ".log"));
  return found;
}

void Cluster::WriteMembers(const std::string& file,
                           const std::vector<std::string>& list) {
  {
    std::ofstream out(File(file + ".new"));
    for (const std::string& address : list) out << address << "\n";
  }
  std::filesystem::rename(File(file + ".new"), File(file));
}

void Cluster::StartExpert(int index) {
  std::string experts;
  for (int e = index; e < experts_; e += layout_.expert_workers) {
    experts += (experts.empty() ? "" : ",") + std::to_string(e);
  }
  const std::string name = "expert-" + std::to_string(index);
  std::vector<std::string> flags = {"--name=" + name, "--experts=" + experts,
                                    "--expert_workers=file:" + File("experts")};
  flags.insert(flags.end(), layout_.expert_flags.begin(),
               layout_.expert_flags.end());
  expert_[index] = Launch("expert_worker/expert_worker", name, flags);
  expert_addresses_[index] = WaitForAddress(name, "grpc", expert_[index].get());
  WriteMembers("experts", expert_addresses_);
}

void Cluster::StartDense(int index) {
  const std::string name = "dense-" + std::to_string(index);
  std::vector<std::string> flags = {"--name=" + name,
                                    "--expert_workers=file:" + File("experts")};
  flags.insert(flags.end(), layout_.dense_flags.begin(),
               layout_.dense_flags.end());
  dense_[index] = Launch("dense_worker/dense_worker", name, flags);
  dense_addresses_[index] = WaitForAddress(name, "grpc", dense_[index].get());
  WriteMembers("denses", dense_addresses_);
}

void Cluster::Start() {
  if (layout_.expert_workers == 0) {
    routers_.push_back(
        Launch("deploy/local/apollo_local", "local", layout_.local_flags));
    router_addresses_ = {WaitForAddress("local", "grpc", routers_[0].get())};
  } else {
    expert_.resize(layout_.expert_workers);
    expert_addresses_.resize(layout_.expert_workers);
    dense_.resize(layout_.dense_workers);
    dense_addresses_.resize(layout_.dense_workers);
    for (int i = 0; i < layout_.expert_workers; ++i) StartExpert(i);
    for (int i = 0; i < layout_.dense_workers; ++i) StartDense(i);
    for (int i = 0; i < layout_.routers; ++i) {
      const std::string name =
          i == 0 ? "router" : "router-" + std::to_string(i);
      std::vector<std::string> flags = {"--dense_workers=file:" +
                                        File("denses")};
      flags.insert(flags.end(), layout_.router_flags.begin(),
                   layout_.router_flags.end());
      routers_.push_back(Launch("router/router", name, flags));
      router_addresses_.push_back(
          WaitForAddress(name, "grpc", routers_[i].get()));
    }
  }
  WaitForHealth(true);
}

void Cluster::KillExpert(int index) {
  expert_[index]->Signal(SIGKILL);
  expert_[index]->Wait();
}

void Cluster::SetExpertFlags(std::vector<std::string> flags) {
  layout_.expert_flags = std::move(flags);
}

void Cluster::StopExpert(int index) {
  EXPECT_EQ(expert_[index]->Stop(), 0) << "expert-" << index;
}

void Cluster::FreezeExpert(int index) { expert_[index]->Signal(SIGSTOP); }

void Cluster::ThawExpert(int index) { expert_[index]->Signal(SIGCONT); }

void Cluster::KillDense(int index) {
  dense_[index]->Signal(SIGKILL);
  dense_[index]->Wait();
}

void Cluster::WaitForHealth(bool serving) {
  for (const std::string& address : router_addresses_) {
    const auto channel =
        grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
    EXPECT_TRUE(Eventually([&] { return IsServing(channel) == serving; }))
        << "the router's health did not become "
        << (serving ? "SERVING" : "NOT_SERVING");
  }
  if (!serving) return;
  for (const std::string& address : expert_addresses_) {
    const auto channel =
        grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
    EXPECT_TRUE(Eventually([&] { return IsServing(channel); }))
        << "an expert worker's health did not become SERVING";
  }
}

void Cluster::StopAll() {
  for (auto& process : routers_) EXPECT_EQ(process->Stop(), 0);
  for (auto& process : dense_) EXPECT_EQ(process->Stop(), 0);
  for (auto& process : expert_) EXPECT_EQ(process->Stop(), 0);
}

std::unique_ptr<v1::InferenceService::Stub> Cluster::NewStub(int router) {
  return v1::InferenceService::NewStub(grpc::CreateChannel(
      router_addresses_[router], grpc::InsecureChannelCredentials()));
}

std::string Cluster::MetricsAddress(const std::string& name) {
  return WaitForAddress(name, "metrics", nullptr);
}

std::int64_t Cluster::RouterBytes(int router) {
  return routers_[router]->ResidentBytes();
}

double Cluster::Metric(const std::string& process, const std::string& name) {
  const std::string text = HttpGet(MetricsAddress(process), "/metrics");
  const std::size_t at = text.find("\n" + name + " ");
  if (at == std::string::npos) return -1;
  return std::stod(text.substr(at + name.size() + 2));
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

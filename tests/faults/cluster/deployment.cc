#include "tests/faults/cluster/deployment.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "common/check.h"
#include "common/status_macros.h"
#include "proto/apollo/v1/inference.grpc.pb.h"
#include "tests/e2e/health.h"
#include "tests/e2e/http.h"
#include "tests/faults/cluster/eventually.h"
#include "tests/faults/cluster/stable_port.h"

namespace apollo {
namespace {

constexpr absl::Duration kStartLimit = absl::Seconds(120);
constexpr absl::Duration kStopLimit = absl::Seconds(60);
const char kClient[] = "client";

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file),
          std::istreambuf_iterator<char>()};
}

std::string PortOf(const std::string& address) {
  return address.substr(address.rfind(':') + 1);
}

const char* Program(ProcessKind kind) {
  switch (kind) {
    case ProcessKind::kExpertWorker:
      return "expert_worker/expert_worker";
    case ProcessKind::kDenseWorker:
      return "dense_worker/dense_worker";
    case ProcessKind::kRouter:
      break;
  }
  return "router/router";
}

void Append(std::vector<std::string>& all,
            const std::vector<std::string>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

}  // namespace

Deployment::Deployment(std::string programs, Layout layout, std::uint64_t seed)
    : programs_(std::move(programs)), layout_(std::move(layout)), seed_(seed) {
  const auto any = [] { return absl::StrCat("127.0.0.1:", StablePort()); };
  for (const std::string& name : NamesOf(layout_)) {
    processes_[name].address = any();
    processes_[name].metrics = any();
  }
}

Deployment::~Deployment() {
  for (auto& [name, process] : processes_) {
    if (process.child) process.child->Signal(SIGKILL);
  }
}

std::string Deployment::File(const std::string& name,
                             const std::string& what) const {
  return absl::StrCat(folder_.path(), "/", name, ".", what);
}

std::string Deployment::HostOf(const std::string& name) const {
  return network_ ? network_->AddressOf(name) : "127.0.0.1";
}

std::vector<std::string> Deployment::CommandLine(
    const std::string& name) const {
  const ProcessKind kind = KindOf(name);
  const Process& process = processes_.at(name);
  const std::string host = HostOf(name) + ":";
  std::vector<std::string> argv = {
      absl::StrCat(programs_, "/", Program(kind)),
      "--model=" + layout_.model,
      "--name=" + name,
      "--listen=" + host + PortOf(process.address),
      "--metrics_listen=" + host + PortOf(process.metrics),
      "--address_file=" + File(name, "address")};
  if (network_) argv.push_back("--allow_plaintext");
  if (kind == ProcessKind::kRouter) {
    argv.push_back("--dense_workers=file:" + File(name, "list"));
    Append(argv, layout_.router_flags);
    return argv;
  }
  argv.push_back("--expert_workers=file:" + File(name, "list"));
  Append(argv, layout_.worker_flags);
  if (kind == ProcessKind::kDenseWorker) {
    Append(argv, layout_.dense_flags);
    return argv;
  }
  int index = 0;
  while (NameOf(kind, index) != name) ++index;
  argv.push_back(layout_.experts[static_cast<std::size_t>(index)]);
  Append(argv, layout_.expert_flags);
  return argv;
}

void Deployment::Launch(const std::string& name,
                        const std::vector<std::string>& more_flags) {
  std::filesystem::remove(File(name, "address"));
  Process& process = processes_.at(name);
  std::vector<std::string> argv = CommandLine(name);
  Append(argv, more_flags);
  const auto start = [&] {
    process.child = std::make_unique<ChildProcess>(argv, File(name, "log"));
  };
  if (network_) {
    network_->Inside(name, start);
  } else {
    start();
  }
  process.wanted = true;
}

absl::Status Deployment::AwaitListening(const std::string& name) {
  Process& process = processes_.at(name);
  const bool listens = Eventually(kStartLimit, [&] {
    std::istringstream file(ReadAll(File(name, "address")));
    std::string kind, address;
    int known = 0;
    while (file >> kind >> address) {
      if (kind == "grpc") process.address = address;
      if (kind == "metrics") process.metrics = address;
      ++known;
    }
    return known == 2 || !process.child->Running();
  });
  if (!process.child->Running()) {
    return absl::InternalError(
        absl::StrCat(name, " has ended during its start with ",
                     process.child->Wait(), ": ", Log(name)));
  }
  if (!listens) {
    return absl::DeadlineExceededError(absl::StrCat(
        name, " does not listen after ", absl::FormatDuration(kStartLimit)));
  }
  for (auto& [ends, proxy] : proxies_) {
    if (ends.second == name) proxy->SetTarget(process.address);
  }
  return absl::OkStatus();
}

absl::Status Deployment::StartProxies() {
  std::uint64_t seed = seed_;
  const std::vector<std::string> names = NamesOf(layout_);
  for (const std::string& to : names) {
    for (const std::string& from : names) {
      if (!Dials(from, to)) continue;
      ASSIGN_OR_RETURN((proxies_[{from, to}]), Proxy::Start(++seed));
    }
    if (KindOf(to) != ProcessKind::kRouter) continue;
    ASSIGN_OR_RETURN((proxies_[{kClient, to}]), Proxy::Start(++seed));
  }
  return absl::OkStatus();
}

void Deployment::WriteLists() {
  for (const auto& [from, process] : processes_) {
    std::string list;
    for (const auto& [to, target] : processes_) {
      if (!Dials(from, to)) continue;
      const auto proxy = proxies_.find({from, to});
      absl::StrAppend(
          &list,
          proxy == proxies_.end() ? target.address : proxy->second->address(),
          "\n");
    }
    // The file is replaced as a whole, because the process watches it.
    std::ofstream(File(from, "new")) << list;
    std::filesystem::rename(File(from, "new"), File(from, "list"));
  }
}

absl::Status Deployment::Start() {
  const std::vector<std::string> names = NamesOf(layout_);
  if (layout_.joints == Joints::kProxies) RETURN_IF_ERROR(StartProxies());
  if (layout_.joints == Joints::kNetwork) {
    ASSIGN_OR_RETURN(network_, Network::Make(names, seed_));
  }
  for (const std::string& name : names) std::ofstream(File(name, "list"));
  for (const std::string& name : names) Launch(name, {});
  for (const std::string& name : names) {
    RETURN_IF_ERROR(AwaitListening(name));
  }
  WriteLists();
  return AwaitWhole(kStartLimit);
}

std::string Deployment::MissingByStatus(const std::string& router) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(5));
  v1::GetStatusResponse response;
  const auto stub = v1::InferenceService::NewStub(grpc::CreateChannel(
      processes_.at(router).address, grpc::InsecureChannelCredentials()));
  const grpc::Status status = stub->GetStatus(&context, {}, &response);
  if (!status.ok()) return absl::StrCat(router, ": ", status.error_message());
  std::size_t found = 0;
  for (const v1::ProcessStatus& process : response.processes()) {
    const std::string who = process.name().empty()
                                ? std::string("a process without a name")
                                : process.name();
    if (process.state() != v1::PROCESS_STATE_READY) {
      return absl::StrCat(router, " sees ", who, " as ",
                          v1::ProcessState_Name(process.state()), ": ",
                          process.reason());
    }
    if (!process.reason().empty()) {
      return absl::StrCat(router, " sees ", who, ": ", process.reason());
    }
    ++found;
  }
  const std::size_t wanted =
      1 + NamesOf(layout_, ProcessKind::kDenseWorker).size() +
      layout_.experts.size();
  if (found >= wanted) return "";
  return absl::StrCat(router, " sees ", found, " processes of ", wanted);
}

std::string Deployment::Missing() {
  for (const auto& [name, process] : processes_) {
    const auto channel = grpc::CreateChannel(
        process.address, grpc::InsecureChannelCredentials());
    if (!IsServing(channel)) return name + " does not serve";
  }
  for (const std::string& router : NamesOf(layout_, ProcessKind::kRouter)) {
    std::string missing = MissingByStatus(router);
    if (!missing.empty()) return missing;
  }
  return "";
}

absl::Status Deployment::AwaitWhole(absl::Duration limit) {
  std::string missing;
  absl::Status ended;
  const bool whole = Eventually(limit, [&] {
    ended = CheckRunning();
    if (!ended.ok()) return true;
    missing = Missing();
    return missing.empty();
  });
  RETURN_IF_ERROR(ended);
  if (whole) return absl::OkStatus();
  return absl::DeadlineExceededError(
      absl::StrCat("the cluster is not whole after ",
                   absl::FormatDuration(limit), ": ", missing));
}

void Deployment::Kill(const std::string& name) {
  Process& process = processes_.at(name);
  process.wanted = false;
  process.child->Signal(SIGKILL);
  process.child->Wait();
}

absl::Status Deployment::Restart(const std::string& name,
                                 const std::vector<std::string>& more_flags) {
  Launch(name, more_flags);
  return AwaitListening(name);
}

absl::Status Deployment::Stop(const std::string& name) {
  Process& process = processes_.at(name);
  process.wanted = false;
  process.child->Signal(SIGTERM);
  if (!Eventually(kStopLimit, [&] { return !process.child->Running(); })) {
    return absl::DeadlineExceededError(absl::StrCat(
        name, " runs ", absl::FormatDuration(kStopLimit), " after SIGTERM"));
  }
  const int code = process.child->Wait();
  if (code == 0) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat(name, " ended with ", code, " after SIGTERM, not 0"));
}

void Deployment::Freeze(const std::string& name) {
  processes_.at(name).child->Signal(SIGSTOP);
}

void Deployment::Thaw(const std::string& name) {
  processes_.at(name).child->Signal(SIGCONT);
}

absl::Status Deployment::CheckRunning() {
  for (auto& [name, process] : processes_) {
    if (!process.wanted || process.child->Running()) continue;
    return absl::InternalError(absl::StrCat(name, " has ended by itself with ",
                                            process.child->Wait()));
  }
  return absl::OkStatus();
}

Proxy& Deployment::Between(const std::string& from, const std::string& to) {
  const auto found = proxies_.find({from, to});
  APOLLO_CHECK(found != proxies_.end());
  return *found->second;
}

std::vector<Proxy*> Deployment::ProxiesOf(const std::string& a,
                                          const std::string& b) {
  std::vector<Proxy*> proxies;
  if (Dials(a, b)) proxies.push_back(&Between(a, b));
  if (Dials(b, a)) proxies.push_back(&Between(b, a));
  return proxies;
}

void Deployment::Partition(const std::string& from, const std::string& to) {
  if (network_) {
    network_->Cut(from, to);
    return;
  }
  if (Dials(from, to)) Between(from, to).Hold(Way::kToTarget, true);
  if (Dials(to, from)) Between(to, from).Hold(Way::kToClient, true);
}

void Deployment::SetDelay(const std::string& a, const std::string& b,
                          absl::Duration delay) {
  if (network_) {
    network_->SetDelay(a, b, delay);
    network_->SetDelay(b, a, delay);
    return;
  }
  for (Proxy* proxy : ProxiesOf(a, b)) proxy->SetDelay(delay);
}

void Deployment::SetLoss(const std::string& a, const std::string& b,
                         double probability) {
  if (network_) {
    network_->SetLoss(a, b, probability);
    network_->SetLoss(b, a, probability);
    return;
  }
  for (Proxy* proxy : ProxiesOf(a, b)) proxy->SetLoss(probability);
}

void Deployment::HealLinks() {
  if (network_) network_->Heal();
  for (auto& [ends, proxy] : proxies_) proxy->Heal();
}

std::string Deployment::ClientAddress(const std::string& router) const {
  const auto proxy = proxies_.find({kClient, router});
  return proxy != proxies_.end() ? proxy->second->address()
                                 : processes_.at(router).address;
}

double Deployment::Metric(const std::string& name,
                          const std::string& metric) const {
  const std::string text = HttpGet(processes_.at(name).metrics, "/metrics");
  const std::string key = "\n" + metric + " ";
  const std::size_t at = text.find(key);
  double value = -1;
  if (at == std::string::npos) return value;
  const std::size_t begin = at + key.size();
  const std::string number = text.substr(begin, text.find('\n', begin) - begin);
  return absl::SimpleAtod(number, &value) ? value : -1;
}

double Deployment::Sum(ProcessKind kind, const std::string& metric) const {
  double sum = 0;
  for (const std::string& name : NamesOf(layout_, kind)) {
    sum += std::max(0.0, Metric(name, metric));
  }
  return sum;
}

pid_t Deployment::Pid(const std::string& name) const {
  return processes_.at(name).child->pid();
}

ProcessUsage Deployment::Usage(const std::string& name) const {
  return UsageOf(Pid(name));
}

std::string Deployment::Log(const std::string& name) const {
  return ReadAll(File(name, "log"));
}

}  // namespace apollo

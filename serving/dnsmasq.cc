#include "serving/dnsmasq.h"

#include <absl/strings/str_cat.h>
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "serving/dns_resolver.h"

extern char** environ;

namespace apollo {
namespace {

constexpr auto kPatience = std::chrono::seconds(60);

// A port that is free for UDP now, and probably for TCP.
int FreePort() {
  const int probe = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(bind(probe, any, size), 0);
  EXPECT_EQ(getsockname(probe, any, &size), 0);
  close(probe);
  return ntohs(address.sin_port);
}

bool Runs(pid_t process) { return waitpid(process, nullptr, WNOHANG) == 0; }

// Its address is that of the version of the hosts.
constexpr char kMarker[] = "version.test";

std::string MarkerAddress(int version) {
  return absl::StrCat("127.1.", version / 256, ".", version % 256);
}

}  // namespace

Dnsmasq::Dnsmasq(const std::string& configuration) {
  std::string pattern = absl::StrCat(testing::TempDir(), "/dnsmasq.XXXXXX");
  EXPECT_NE(mkdtemp(pattern.data()), nullptr);
  folder_ = pattern;
  std::ofstream(folder_ + "/configuration") << configuration;
  WriteHosts("");
  for (int tries = 0; tries < 5; ++tries) {
    if (Start()) return;  // Otherwise another process has taken the port.
  }
  ADD_FAILURE() << "dnsmasq does not start; is dnsmasq-base missing? See "
                   "tools/install_packages.sh --dev";
}

Dnsmasq::~Dnsmasq() {
  Stop();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

bool Dnsmasq::Start() {
  const int port = FreePort();
  address_ = absl::StrCat("127.0.0.1:", port);
  std::vector<std::string> arguments = {
      "dnsmasq",
      "--keep-in-foreground",
      "--no-resolv",
      "--no-hosts",
      "--no-negcache",
      "--bind-interfaces",
      "--local=/test/",
      "--listen-address=127.0.0.1",
      "--log-facility=-",
      absl::StrCat("--port=", port),
      "--pid-file=",
      absl::StrCat("--user=", geteuid() == 0 ? "root" : ""),
      "--group=",
      absl::StrCat("--conf-file=", folder_, "/configuration"),
      absl::StrCat("--addn-hosts=", folder_, "/hosts")};
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  // Where Debian installs it, which is not on everybody's path.
  if (posix_spawn(&process_, "/usr/sbin/dnsmasq", nullptr, nullptr, argv.data(),
                  environ) != 0) {
    process_ = -1;
    return false;
  }
  const DnsResolver resolver(address_);
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (Runs(process_)) {
    if (resolver.Addresses(kMarker).ok()) return true;
    if (std::chrono::steady_clock::now() > end) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  Stop();
  return false;
}

void Dnsmasq::Stop() {
  if (process_ > 0 && Runs(process_)) {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  process_ = -1;
}

void Dnsmasq::WriteHosts(const std::string& lines) {
  ++version_;
  const std::string path = folder_ + "/hosts";
  std::ofstream(path + ".new")
      << lines << "\n"
      << MarkerAddress(version_) << " " << kMarker << "\n";
  std::filesystem::rename(path + ".new", path);
}

void Dnsmasq::SetHosts(const std::string& lines) {
  WriteHosts(lines);
  ASSERT_GT(process_, 0) << "dnsmasq does not run";
  kill(process_, SIGHUP);  // Reads the file again.
  AwaitHosts();
}

void Dnsmasq::AwaitHosts() {
  const DnsResolver resolver(address_);
  const std::vector<std::string> wanted = {MarkerAddress(version_)};
  const auto end = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    const auto found = resolver.Addresses(kMarker);
    if (found.ok() && *found == wanted) return;
    ASSERT_LT(std::chrono::steady_clock::now(), end) << found.status();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

}  // namespace apollo

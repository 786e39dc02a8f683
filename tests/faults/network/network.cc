#include "tests/faults/network/network.h"

#include <absl/strings/str_cat.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "common/check.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "tests/faults/network/interface.h"
#include "tests/faults/network/ipv4.h"
#include "tests/faults/network/own_network.h"

namespace apollo {
namespace {

constexpr int kMostBytes = 65536;  // Of an IP packet.
// Of one node in a turn, so that others do not wait.
constexpr int kPacketsInTurn = 64;

// The kernel drops packets that no longer fit, as a network does.
void Write(int packets, std::string_view bytes) {
  if (write(packets, bytes.data(), bytes.size()) < 0) return;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Network>> Network::Make(
    const std::vector<std::string>& names, std::uint64_t seed) {
  if (!HasLeftMachineNetwork()) {
    return absl::FailedPreconditionError(
        "this process is in the network of the machine; it must leave it "
        "(LeaveMachineNetwork) before it makes one of its own");
  }
  std::vector<std::string> all = {kHere};
  all.insert(all.end(), names.begin(), names.end());
  if (all.size() > static_cast<std::size_t>(kMostNodes)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a network of ", all.size(), " nodes; the most is ", kMostNodes));
  }
  std::vector<std::unique_ptr<Node>> nodes;
  std::uint32_t address = kFirstAddress;
  ASSIGN_OR_RETURN(nodes.emplace_back(), Node::MakeHere(address));
  while (nodes.size() < all.size()) {
    ASSIGN_OR_RETURN(nodes.emplace_back(), Node::Make(++address));
  }
  const int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  APOLLO_CHECK(wake >= 0);
  return std::unique_ptr<Network>(
      new Network(std::move(all), std::move(nodes), wake, seed));
}

Network::Network(std::vector<std::string> names,
                 std::vector<std::unique_ptr<Node>> nodes, int wake,
                 std::uint64_t seed)
    : names_(std::move(names)), nodes_(std::move(nodes)), wake_(wake) {
  const int count = static_cast<int>(nodes_.size());
  for (int from = 0; from < count; ++from) {
    for (int to = 0; to < count; ++to) {
      if (from != to) wires_.try_emplace({from, to}, ++seed);
    }
  }
  thread_ = std::thread([this] { Run(); });
}

Network::~Network() {
  {
    MutexLock lock(mutex_);
    ending_ = true;
  }
  const std::uint64_t one = 1;
  APOLLO_CHECK(write(wake_, &one, sizeof(one)) == sizeof(one));
  thread_.join();
  close(wake_);
}

int Network::IndexOf(const std::string& node) const {
  const auto found = std::find(names_.begin(), names_.end(), node);
  APOLLO_CHECK(found != names_.end());
  return static_cast<int>(found - names_.begin());
}

std::string Network::AddressOf(const std::string& node) const {
  return AddressText(kFirstAddress + static_cast<std::uint32_t>(IndexOf(node)));
}

void Network::Inside(const std::string& node,
                     absl::FunctionRef<void()> work) const {
  nodes_[static_cast<std::size_t>(IndexOf(node))]->Inside(work);
}

WireFaults& Network::FaultsOf(const std::string& from, const std::string& to) {
  return wires_.at({IndexOf(from), IndexOf(to)}).faults;
}

void Network::Cut(const std::string& from, const std::string& to) {
  MutexLock lock(mutex_);
  FaultsOf(from, to).cut = true;
}

void Network::SetDelay(const std::string& from, const std::string& to,
                       absl::Duration delay) {
  MutexLock lock(mutex_);
  FaultsOf(from, to).delay = delay;
}

void Network::SetLoss(const std::string& from, const std::string& to,
                      double probability) {
  MutexLock lock(mutex_);
  FaultsOf(from, to).loss = probability;
}

void Network::Heal() {
  MutexLock lock(mutex_);
  for (auto& [ends, wire] : wires_) wire.faults = {};
}

void Network::Run() {
  while (Turn()) {
  }
}

bool Network::Turn() {
  std::vector<pollfd> polls;
  for (const auto& node : nodes_) polls.push_back({node->packets(), POLLIN, 0});
  polls.push_back({wake_, POLLIN, 0});
  std::optional<timespec> timeout;
  {
    MutexLock lock(mutex_);
    if (!on_their_way_.empty()) {
      timeout = absl::ToTimespec(
          std::max(absl::ZeroDuration(),
                   on_their_way_.begin()->first - Clock::Real().Now()));
    }
  }
  ppoll(polls.data(), polls.size(), timeout ? &*timeout : nullptr, nullptr);
  MutexLock lock(mutex_);
  const absl::Duration now = Clock::Real().Now();
  DeliverDue(now);
  for (int i = 0; i < static_cast<int>(nodes_.size()); ++i) {
    if (polls[static_cast<std::size_t>(i)].revents != 0) Collect(i, now);
  }
  return !ending_;
}

void Network::Collect(int from, absl::Duration now) {
  char bytes[kMostBytes];
  for (int i = 0; i < kPacketsInTurn; ++i) {
    const ssize_t size = read(nodes_[static_cast<std::size_t>(from)]->packets(),
                              bytes, sizeof(bytes));
    if (size <= 0) return;
    const std::string_view packet(bytes, static_cast<std::size_t>(size));
    const std::optional<std::uint32_t> address = DestinationOf(packet);
    if (!address) continue;
    // Multicast and the like are for nobody.
    const std::uint32_t to = *address - kFirstAddress;
    if (to >= nodes_.size() || static_cast<int>(to) == from) continue;
    const std::optional<absl::Duration> arrival =
        wires_.at({from, static_cast<int>(to)}).Arrival(now);
    if (!arrival) continue;
    if (*arrival <= now) {
      Write(nodes_[to]->packets(), packet);
    } else {
      on_their_way_.insert(
          {*arrival, {static_cast<int>(to), std::string(packet)}});
    }
  }
}

void Network::DeliverDue(absl::Duration now) {
  while (!on_their_way_.empty() && on_their_way_.begin()->first <= now) {
    const Packet& packet = on_their_way_.begin()->second;
    Write(nodes_[static_cast<std::size_t>(packet.to)]->packets(), packet.bytes);
    on_their_way_.erase(on_their_way_.begin());
  }
}

}  // namespace apollo

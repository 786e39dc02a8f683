#include "serving/membership.h"

#include <absl/status/status.h>
#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <absl/strings/strip.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <optional>
#include <utility>

#include "common/log.h"
#include "common/mapped_file.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "serving/dns_members.h"
#include "serving/host_port.h"
#include "serving/unix_address.h"

namespace apollo {
namespace {

constexpr std::size_t kMaxFileBytes = 1 << 20;

// An address, or a name that can be resolved. An IPv6 address has brackets, and
// perhaps a zone.
bool IsHost(absl::string_view host) {
  if (absl::ConsumePrefix(&host, "[")) {
    return absl::ConsumeSuffix(&host, "]") && !host.empty() &&
           host.find_first_of("[] \t") == absl::string_view::npos;
  }
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' ||
           c == '-' || c == '_';
  });
}

absl::Status CheckAddress(absl::string_view address) {
  if (UnixPath(ToStd(address))) return absl::OkStatus();
  const std::optional<HostPort> parsed = ParseHostPort(address);
  if (!parsed || !IsHost(parsed->host) || parsed->port == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", address,
                     "\" is not an address; it must be host:port with a port "
                     "from 1 to 65535, or unix:/path"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ParseAddresses(absl::string_view text,
                                                        char separator) {
  std::vector<std::string> addresses;
  for (absl::string_view part : absl::StrSplit(text, separator)) {
    part = absl::StripAsciiWhitespace(part);
    if (part.empty() || part[0] == '#') continue;
    RETURN_IF_ERROR(CheckAddress(part));
    std::string address(part);
    if (std::find(addresses.begin(), addresses.end(), address) ==
        addresses.end()) {
      addresses.push_back(std::move(address));
    }
  }
  return addresses;
}

// Reads the addresses in a file. Returns ABORTED for an empty file, which is
// just being written; a list without workers consists of a comment.
absl::StatusOr<std::vector<std::string>> ReadAddresses(
    const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxFileBytes));
  if (text.empty()) return absl::AbortedError("the file is being written");
  return ParseAddresses(text, '\n');
}

absl::Status CheckAll(const Membership::Addresses& addresses,
                      const Membership::Check& check) {
  if (check == nullptr) return absl::OkStatus();
  for (const std::string& address : addresses) {
    RETURN_IF_ERROR(check(address));
  }
  return absl::OkStatus();
}

// Returns a reader that fails for addresses that do not pass.
Membership::Reader Checked(Membership::Reader reader, Membership::Check check) {
  return [reader = std::move(reader), check = std::move(check)]() mutable
         -> absl::StatusOr<Membership::Addresses> {
    ASSIGN_OR_RETURN(Membership::Addresses addresses, reader());
    RETURN_IF_ERROR(CheckAll(addresses, check));
    return addresses;
  };
}

}  // namespace

absl::StatusOr<std::unique_ptr<Membership>> Membership::Parse(
    std::string_view list, const std::string& dns_server, Check check) {
  constexpr std::string_view kFile = "file:", kDns = "dns:";
  if (list.starts_with(kDns)) {
    ASSIGN_OR_RETURN(DnsMembers members,
                     DnsMembers::Parse(list.substr(kDns.size()), dns_server));
    return std::make_unique<Membership>(
        std::string(list),
        Checked(
            [members = std::move(members)]() mutable { return members.Read(); },
            std::move(check)),
        DnsMembers::kInterval);
  }
  if (list.starts_with(kFile)) {
    std::string path(list.substr(kFile.size()));
    if (path.empty()) {
      return absl::InvalidArgumentError(
          "\"file:\" has no path; it must be file:/path");
    }
    return std::make_unique<Membership>(
        std::string(list),
        Checked([path] { return ReadAddresses(path); }, std::move(check)));
  }
  ASSIGN_OR_RETURN(Addresses addresses, ParseAddresses(ToAbsl(list), ','));
  RETURN_IF_ERROR(CheckAll(addresses, check));
  return std::make_unique<Membership>(std::move(addresses));
}

Membership::Membership(Addresses addresses)
    : addresses_(std::move(addresses)) {}

Membership::Membership(std::string name, Reader reader, absl::Duration interval)
    : name_(std::move(name)), interval_(interval), reader_(std::move(reader)) {}

Membership::~Membership() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Membership::Start(Listener listener) {
  listener_ = std::move(listener);
  if (reader_ == nullptr) {
    listener_(Current());
  } else {
    thread_ = std::thread([this] { Run(); });
  }
}

void Membership::Run() {
  for (;;) {
    Refresh();
    MutexLock lock(mutex_);
    if (!stopping_ && !wanted_) {
      wake_.wait_for(mutex_, absl::ToChronoMilliseconds(interval_));
    }
    if (stopping_) return;
    wanted_ = false;
  }
}

absl::Status Membership::ReadNow(absl::Duration limit) {
  if (!FollowsSource()) return absl::OkStatus();
  const auto end =
      std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(limit);
  MutexLock lock(mutex_);
  // The read in progress may have begun before the change.
  const std::uint64_t next = begun_ + 1;
  wanted_ = true;
  wake_.notify_all();
  while (ended_ < next) {
    if (read_.wait_until(mutex_, end) == std::cv_status::timeout) {
      return absl::DeadlineExceededError(absl::StrCat(
          name_, " was not read within ", absl::FormatDuration(limit)));
    }
  }
  if (result_.ok()) return result_;
  return absl::Status(result_.code(),
                      absl::StrCat(name_, ": ", result_.message()));
}

void Membership::Refresh() {
  if (reader_ == nullptr) return;
  {
    MutexLock lock(mutex_);
    ++begun_;
  }
  absl::Status result = Read();
  MutexLock lock(mutex_);
  ++ended_;
  result_ = std::move(result);
  read_.notify_all();
}

absl::Status Membership::Read() {
  absl::StatusOr<Addresses> read = reader_();
  // To be read again later.
  if (absl::IsAborted(read.status())) return read.status();
  bool changed = false;
  std::size_t kept = 0;
  {
    MutexLock lock(mutex_);
    if (stopping_) return absl::CancelledError("the process stops");
    changed = read.ok() && *read != addresses_;
    if (changed) addresses_ = *read;
    kept = addresses_.size();
  }
  Report(read.status(), kept);
  if (changed) {
    LogInfo("workers_list_changed",
            {{"list", name_}, {"workers", static_cast<int>(kept)}});
  }
  if (changed && listener_) listener_(*read);
  return read.status();
}

void Membership::Report(const absl::Status& status, std::size_t kept) {
  if (status == last_status_) return;
  last_status_ = status;
  if (status.ok()) {
    LogInfo("workers_list_recovered",
            {{"list", name_}, {"workers", static_cast<int>(kept)}});
    return;
  }
  LogError("workers_list_rejected", {{"list", name_},
                                     {"reason", std::string(status.message())},
                                     {"workers_kept", static_cast<int>(kept)}});
}

Membership::Addresses Membership::Current() const {
  MutexLock lock(mutex_);
  return addresses_;
}

}  // namespace apollo

#include "serving/dns_resolver.h"

#include <absl/status/status.h>
#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <absl/strings/string_view.h>
#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "serving/host_port.h"

namespace apollo {
namespace {

constexpr int kMostAddresses = 1024;        // Of one name.
constexpr std::size_t kMostTargets = 1024;  // Of one service.

using Strings = std::vector<std::string>;

struct Service {
  std::string target;
  int port = 0;
};

absl::Status FromAres(int code) {
  switch (code) {
    case ARES_SUCCESS:
      return absl::OkStatus();
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
      return absl::NotFoundError(
          "DNS has no such name, or no addresses for it");
    case ARES_ECANCELLED:
    case ARES_ETIMEOUT:
      return absl::UnavailableError("no DNS server has answered in time");
    case ARES_ECONNREFUSED:  // Also after SERVFAIL and REFUSED of all servers.
      return absl::UnavailableError("no DNS server gives an answer");
    default:
      return absl::UnavailableError(
          absl::StrCat("the DNS look-up failed: ", ares_strerror(code)));
  }
}

std::string Text(int family, const void* address) {
  std::array<char, INET6_ADDRSTRLEN> text = {};
  inet_ntop(family, address, text.data(), text.size());
  return family == AF_INET6 ? absl::StrCat("[", text.data(), "]")
                            : std::string(text.data());
}

// The addresses in an answer of one family. Follows CNAME records.
absl::StatusOr<Strings> ParseAddresses(int family, const unsigned char* answer,
                                       int bytes) {
  Strings addresses;
  int count = kMostAddresses;
  if (family == AF_INET) {
    std::vector<ares_addrttl> found(kMostAddresses);
    RETURN_IF_ERROR(FromAres(
        ares_parse_a_reply(answer, bytes, nullptr, found.data(), &count)));
    for (int i = 0; i < count; ++i) {
      addresses.push_back(Text(AF_INET, &found[i].ipaddr));
    }
  } else {
    std::vector<ares_addr6ttl> found(kMostAddresses);
    RETURN_IF_ERROR(FromAres(
        ares_parse_aaaa_reply(answer, bytes, nullptr, found.data(), &count)));
    for (int i = 0; i < count; ++i) {
      addresses.push_back(Text(AF_INET6, &found[i].ip6addr));
    }
  }
  return addresses;
}

absl::StatusOr<std::vector<Service>> ParseServices(const unsigned char* answer,
                                                   int bytes) {
  ares_srv_reply* first = nullptr;
  RETURN_IF_ERROR(FromAres(ares_parse_srv_reply(answer, bytes, &first)));
  std::vector<Service> services;
  for (const ares_srv_reply* reply = first; reply != nullptr;
       reply = reply->next) {
    const std::string target = reply->host;
    // "." is no host: the service is not available (RFC 2782).
    if (target.empty() || target == "." || reply->port == 0) continue;
    services.push_back({target, reply->port});
  }
  ares_free_data(first);
  return services;
}

// The queries of one look-up, which run at the same time.
class Queries {
 public:
  // The status, and the answer if that is OK.
  using Done =
      std::function<void(absl::Status, const unsigned char* answer, int bytes)>;

  static absl::StatusOr<std::unique_ptr<Queries>> Begin(
      const std::string& server) {
    static std::once_flag initialized;
    std::call_once(initialized, [] { ares_library_init(ARES_LIB_INIT_ALL); });
    std::unique_ptr<Queries> queries(new Queries());
    ares_options options = {};
    options.timeout =
        static_cast<int>(absl::ToInt64Milliseconds(DnsResolver::kFirstTry));
    options.tries = 2;
    const int code = ares_init_options(&queries->channel_, &options,
                                       ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
    if (code != ARES_SUCCESS) {
      queries->channel_ = nullptr;
      return FromAres(code);
    }
    if (!server.empty()) {
      RETURN_IF_ERROR(FromAres(
          ares_set_servers_ports_csv(queries->channel_, server.c_str())));
    }
    return queries;
  }
  // Calls what is open with an error.
  ~Queries() {
    if (channel_ != nullptr) ares_destroy(channel_);
  }
  Queries(const Queries&) = delete;
  Queries& operator=(const Queries&) = delete;

  // Asks for records; `done` is called once, in Wait or here.
  void Ask(const std::string& name, int type, Done done) {
    ++open_;
    auto* const asked = new Asked{*this, std::move(done)};
    ares_query(channel_, name.c_str(), ns_c_in, type, &Queries::Answered,
               asked);
  }

  // Waits until everything has been answered, or until `end`. What has come
  // counts, also if this thread did not run before `end`.
  void Wait(std::chrono::steady_clock::time_point end) {
    while (open_ > 0) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          end - std::chrono::steady_clock::now());
      Poll(static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
      if (left.count() > 0) continue;
      ares_cancel(channel_);  // Calls all that are open.
      return;
    }
  }

 private:
  struct Asked {
    Queries& queries;
    Done done;
  };

  Queries() = default;

  static void Answered(void* asked, int code, int /*timeouts*/,
                       unsigned char* answer, int bytes) {
    const std::unique_ptr<Asked> query(static_cast<Asked*>(asked));
    --query->queries.open_;
    query->done(FromAres(code), answer, bytes);
  }

  // Waits for at most `milliseconds` for what happens next, and handles it.
  void Poll(int milliseconds) {
    std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets = {};
    const int wanted = ares_getsock(channel_, sockets.data(), sockets.size());
    std::vector<pollfd> polled;
    for (int i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
      short events = 0;
      if (ARES_GETSOCK_READABLE(wanted, i)) events |= POLLIN;
      if (ARES_GETSOCK_WRITABLE(wanted, i)) events |= POLLOUT;
      if (events != 0) polled.push_back({sockets[i], events, 0});
    }
    timeval most = {milliseconds / 1000, (milliseconds % 1000) * 1000};
    timeval next = {};
    // Returns one of the two; `next` is not set if `most` is shorter.
    const timeval* const first = ares_timeout(channel_, &most, &next);
    const auto wait = first->tv_sec * 1000 + (first->tv_usec + 999) / 1000;
    poll(polled.data(), polled.size(), static_cast<int>(wait));
    for (const pollfd& one : polled) {
      const bool failed = (one.revents & (POLLERR | POLLHUP)) != 0;
      const bool reads = failed || (one.revents & POLLIN) != 0;
      const bool writes = (one.revents & POLLOUT) != 0;
      if (!reads && !writes) continue;
      ares_process_fd(channel_, reads ? one.fd : ARES_SOCKET_BAD,
                      writes ? one.fd : ARES_SOCKET_BAD);
    }
    // Without a socket, this handles the time-outs that are due: after the
    // answers, which may have come while this thread did not run.
    ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  }

  ares_channel channel_ = nullptr;
  int open_ = 0;
};

// The addresses of one host, while the queries for them run.
struct Host {
  Strings addresses;
  absl::Status failure;  // Of a query whose answer is not known.

  void Take(int family, const absl::Status& status, const unsigned char* answer,
            int bytes) {
    const absl::StatusOr<Strings> found =
        status.ok() ? ParseAddresses(family, answer, bytes)
                    : absl::StatusOr<Strings>(status);
    if (found.ok()) {
      addresses.insert(addresses.end(), found->begin(), found->end());
    } else if (!absl::IsNotFound(found.status())) {
      failure.Update(found.status());
    }
  }
};

void AskForHost(Queries& queries, const std::string& name, Host& host) {
  queries.Ask(name, ns_t_a, [&host](const auto& status, auto* answer, int n) {
    host.Take(AF_INET, status, answer, n);
  });
  queries.Ask(name, ns_t_aaaa,
              [&host](const auto& status, auto* answer, int n) {
                host.Take(AF_INET6, status, answer, n);
              });
}

Strings InOrder(Strings strings) {
  std::sort(strings.begin(), strings.end());
  strings.erase(std::unique(strings.begin(), strings.end()), strings.end());
  return strings;
}

std::chrono::steady_clock::time_point EndOfLookUp() {
  return std::chrono::steady_clock::now() +
         absl::ToChronoMilliseconds(DnsResolver::kLongest);
}

}  // namespace

DnsResolver::DnsResolver(std::string server) : server_(std::move(server)) {}

absl::StatusOr<Strings> DnsResolver::Addresses(const std::string& name) const {
  Host host;  // Outlives the queries, which write to it.
  ASSIGN_OR_RETURN(const std::unique_ptr<Queries> queries,
                   Queries::Begin(server_));
  AskForHost(*queries, name, host);
  queries->Wait(EndOfLookUp());
  RETURN_IF_ERROR(host.failure);
  if (host.addresses.empty()) return FromAres(ARES_ENODATA);
  return InOrder(std::move(host.addresses));
}

absl::StatusOr<Strings> DnsResolver::Services(const std::string& name) const {
  const auto end = EndOfLookUp();
  absl::StatusOr<std::vector<Service>> services = std::vector<Service>();
  std::vector<Host> hosts;  // Outlives the queries, which write to it.
  ASSIGN_OR_RETURN(const std::unique_ptr<Queries> queries,
                   Queries::Begin(server_));
  queries->Ask(name, ns_t_srv,
               [&](const absl::Status& status, auto* answer, int bytes) {
                 if (status.ok()) {
                   services = ParseServices(answer, bytes);
                 } else {
                   services = status;
                 }
               });
  queries->Wait(end);
  RETURN_IF_ERROR(services.status());
  if (services->size() > kMostTargets) services->resize(kMostTargets);
  hosts.resize(services->size());
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    AskForHost(*queries, (*services)[i].target, hosts[i]);
  }
  queries->Wait(end);
  Strings found;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    RETURN_IF_ERROR(hosts[i].failure);
    for (const std::string& address : hosts[i].addresses) {
      found.push_back(absl::StrCat(address, ":", (*services)[i].port));
    }
  }
  if (found.empty()) return FromAres(ARES_ENODATA);
  return InOrder(std::move(found));
}

absl::Status DnsResolver::CheckServer(std::string_view server) {
  const std::optional<HostPort> parsed = ParseHostPort(ToAbsl(server));
  in_addr four;
  in6_addr six;
  if (parsed && parsed->port != 0) {
    const std::string& host = parsed->host;
    if (inet_pton(AF_INET, host.c_str(), &four) == 1) return absl::OkStatus();
    if (host.size() > 2 && host.front() == '[' && host.back() == ']' &&
        inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &six) ==
            1) {
      return absl::OkStatus();
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", ToAbsl(server),
                   "\" is no DNS server; it must be address:port, such as "
                   "10.96.0.10:53 or [fd00::a]:53"));
}

absl::Status DnsResolver::CheckName(std::string_view name) {
  absl::string_view labels = ToAbsl(name);
  if (!labels.empty() && labels.back() == '.') labels.remove_suffix(1);
  in_addr ignored;
  bool valid = !labels.empty() && labels.size() <= 253 &&
               inet_pton(AF_INET, std::string(labels).c_str(), &ignored) != 1;
  for (const absl::string_view label : absl::StrSplit(labels, '.')) {
    valid = valid && !label.empty() && label.size() <= 63 &&
            std::all_of(label.begin(), label.end(), [](char c) {
              return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                     c == '-' || c == '_';
            });
  }
  if (valid) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("\"", ToAbsl(name),
                   "\" is no name in DNS; it must be one such as "
                   "expert-workers.apollo.svc.cluster.local"));
}

}  // namespace apollo

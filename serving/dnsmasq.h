#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

namespace apollo {

// A DNS server for tests: dnsmasq (Debian: dnsmasq-base) on a free port of
// 127.0.0.1. It knows the zone "test" alone, and refuses all other names. A
// test without dnsmasq fails. Single-threaded.
class Dnsmasq {
 public:
  // Starts the server with further lines of its configuration, and waits until
  // it answers.
  explicit Dnsmasq(const std::string& configuration = "");
  ~Dnsmasq();
  Dnsmasq(const Dnsmasq&) = delete;
  Dnsmasq& operator=(const Dnsmasq&) = delete;

  // Replaces the hosts, lines of "address name", and waits until the server
  // answers accordingly. It gives the addresses of a name in changing order.
  void SetHosts(const std::string& lines);

  // Ends the server; its port then refuses everything.
  void Stop();

  // 127.0.0.1:PORT, for DnsResolver.
  const std::string& address() const { return address_; }

 private:
  bool Start();
  void WriteHosts(const std::string& lines);
  // Waits until the hosts written last are served.
  void AwaitHosts();

  std::string folder_;
  std::string address_;
  pid_t process_ = -1;
  int version_ = 0;  // Of the hosts.
};

}  // namespace apollo

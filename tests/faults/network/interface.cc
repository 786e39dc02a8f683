#include "tests/faults/network/interface.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/status_macros.h"

namespace apollo {
namespace {

constexpr char kName[] = "node";

// More than TCP has on its way, so that only faults lose packets. In a user
// namespace, which may not set it, the kernel's 500 have to do.
constexpr int kQueuedPackets = 10'000;

ifreq RequestFor(const char* name) {
  ifreq request = {};
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  return request;
}

// A socket to set up interfaces with.
class Control {
 public:
  Control() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}
  ~Control() {
    if (fd_ >= 0) close(fd_);
  }
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  absl::Status Set(unsigned long what, ifreq& request, const char* step) {
    if (ioctl(fd_, what, &request) == 0) return absl::OkStatus();
    return absl::ErrnoToStatus(
        errno, absl::StrCat("cannot ", step, " of the interface \"",
                            request.ifr_name, "\""));
  }

 private:
  const int fd_;
};

void SetAddress(ifreq& request, std::uint32_t address) {
  sockaddr_in in = {};
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = htonl(address);
  std::memcpy(&request.ifr_addr, &in, sizeof(in));
}

absl::Status BringUp(Control& control, const char* name) {
  ifreq request = RequestFor(name);
  RETURN_IF_ERROR(control.Set(SIOCGIFFLAGS, request, "read the flags"));
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  return control.Set(SIOCSIFFLAGS, request, "set the flags");
}

absl::Status SetUp(std::uint32_t address) {
  Control control;
  ifreq request = RequestFor(kName);
  SetAddress(request, address);
  RETURN_IF_ERROR(control.Set(SIOCSIFADDR, request, "set the address"));
  SetAddress(request, kNetworkMask);
  RETURN_IF_ERROR(control.Set(SIOCSIFNETMASK, request, "set the mask"));
  request = RequestFor(kName);
  request.ifr_qlen = kQueuedPackets;
  control.Set(SIOCSIFTXQLEN, request, "set the queue").IgnoreError();
  return BringUp(control, kName);
}

}  // namespace

absl::Status BringUpLoopback() {
  Control control;
  return BringUp(control, "lo");
}

absl::StatusOr<int> MakeInterface(std::uint32_t address) {
  const int packets = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (packets < 0) {
    return absl::ErrnoToStatus(errno, "cannot open /dev/net/tun");
  }
  ifreq request = RequestFor(kName);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  absl::Status status;
  if (ioctl(packets, TUNSETIFF, &request) != 0) {
    status = absl::ErrnoToStatus(errno, "cannot make a TUN interface");
  } else {
    status = SetUp(address);
  }
  if (status.ok()) return packets;
  close(packets);
  return status;
}

}  // namespace apollo

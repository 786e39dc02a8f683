#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "serving/file_descriptor.h"

namespace apollo {

// A connection to a port of 127.0.0.1, for tests. Calls block.
class TcpClient {
 public:
  explicit TcpClient(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    if (connect(socket_.get(), reinterpret_cast<const sockaddr*>(&to),
                sizeof(to)) != 0) {
      socket_.Reset();
    }
  }
  // Connects to "127.0.0.1:port".
  explicit TcpClient(const std::string& address)
      : TcpClient(std::atoi(address.c_str() + address.rfind(':') + 1)) {}

  bool ok() const { return socket_.ok(); }
  // Writes the text. Returns false if the peer has closed the connection.
  bool Write(std::string_view text) const {
    return send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(text.size());
  }
  // Reads one byte. Returns false if the peer has closed the connection.
  bool ReadByte() const {
    char byte;
    return read(socket_.get(), &byte, 1) == 1;
  }
  std::string ReadAll() const {
    std::string text;
    char buffer[4096];
    for (ssize_t n; (n = read(socket_.get(), buffer, sizeof(buffer))) > 0;) {
      text.append(buffer, static_cast<std::size_t>(n));
    }
    return text;
  }
  void Close() { socket_.Reset(); }
  // Resets the connection instead of closing it normally.
  void Abort() {
    const linger now = {1, 0};
    setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    Close();
  }

 private:
  FileDescriptor socket_;
};

}  // namespace apollo

#include "serving/tls_greeting.h"

#include <initializer_list>

namespace apollo {
namespace {

std::string Bytes(std::initializer_list<int> values) {
  std::string bytes;
  for (const int value : values) bytes.push_back(static_cast<char>(value));
  return bytes;
}

// Returns the bytes after their number, which takes `size` bytes.
std::string Sized(int size, const std::string& bytes) {
  std::string result;
  for (int i = size - 1; i >= 0; --i) {
    result.push_back(static_cast<char>(bytes.size() >> (8 * i)));
  }
  return result + bytes;
}

// An extension with its number and its content.
std::string Extension(int number, const std::string& content) {
  return Bytes({number >> 8, number & 0xff}) + Sized(2, content);
}

}  // namespace

std::string TlsGreeting() {
  // ECDHE with ECDSA or RSA, and AES-GCM: suites that gRPC has.
  const std::string suites =
      Bytes({0xc0, 0x2b, 0xc0, 0x2f, 0xc0, 0x2c, 0xc0, 0x30});
  // Groups P-256 and X25519; signatures ECDSA and RSA with SHA-256 or 384;
  // application protocol h2.
  const std::string extensions =
      Extension(10, Sized(2, Bytes({0x00, 0x17, 0x00, 0x1d}))) +
      Extension(11, Sized(1, Bytes({0}))) +
      Extension(13, Sized(2, Bytes({0x04, 0x03, 0x08, 0x04, 0x04, 0x01, 0x05,
                                    0x03, 0x05, 0x01}))) +
      Extension(16, Sized(2, Sized(1, "h2")));
  const std::string hello = Bytes({3, 3}) + std::string(32, 'a') +
                            Sized(1, "") + Sized(2, suites) +
                            Sized(1, Bytes({0})) + Sized(2, extensions);
  return Bytes({22, 3, 1}) + Sized(2, Bytes({1}) + Sized(3, hello));
}

}  // namespace apollo

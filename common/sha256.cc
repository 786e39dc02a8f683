#include "common/sha256.h"

#include <absl/strings/escaping.h>
#include <openssl/sha.h>

namespace apollo {

std::string Sha256(std::string_view bytes) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

std::string Sha256Hex(std::string_view bytes) {
  return absl::BytesToHexString(Sha256(bytes));
}

}  // namespace apollo

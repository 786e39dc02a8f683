#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <string>

// The format of packed files, for their reader and their writer. A tensor's
// name holds fields with '|' between:
//   apollo-packed 2|HASH|FORMAT|SHA256    no data; the model's hash
//                                         (model_hash.h), and SHA-256 of the
//                                         config.json
//   matrix|int8|ROWS|COLUMNS|NAME|NAME... a PackedMatrix of the stacked tensors
//   vector|COUNT|NAME                     float32
// All data is padded with zeros to whole units of 64 bytes, and so is the
// header: every matrix is aligned as kernels want it.
namespace apollo {

inline constexpr char kPackedMagic[] = "apollo-packed ";
inline constexpr char kPackedVersion[] = "apollo-packed 2";
// The same bytes behind a hash that covered the first numbers of each tensor.
inline constexpr char kPackedVersionBefore[] = "apollo-packed 1";
inline constexpr std::size_t kPackedUnit = 64;

inline std::size_t PaddedBytes(std::size_t bytes) {
  return (bytes + kPackedUnit - 1) / kPackedUnit * kPackedUnit;
}

// Returns the SHA-256 of a file in hexadecimal. Errors as ReadFile's.
absl::StatusOr<std::string> FileHash(const std::string& path);

}  // namespace apollo

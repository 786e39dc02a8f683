#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <string>

#include "model/config/model_config.h"

// The format of packed files, shared by reader and writer. The name of a tensor
// consists of fields separated by '|':
//   apollo-packed 2|HASH|FORMAT|SHA256    no data; the model's hash
//                                         (model_hash.h) and ConfigHash
//   matrix|int8|ROWS|COLUMNS|NAME|NAME... a PackedMatrix of the stacked tensors
//   vector|COUNT|NAME                     float32
// All data and the header are padded with zeros to multiples of 64 bytes, so
// that every matrix has the alignment that kernels need.
namespace apollo {

inline constexpr char kPackedMagic[] = "apollo-packed ";
inline constexpr char kPackedVersion[] = "apollo-packed 2";
// The same data, with a hash that covered only the first numbers of each
// tensor.
inline constexpr char kPackedVersionBefore[] = "apollo-packed 1";
inline constexpr std::size_t kPackedUnit = 64;

inline std::size_t PaddedBytes(std::size_t bytes) {
  return (bytes + kPackedUnit - 1) / kPackedUnit * kPackedUnit;
}

// Returns the SHA-256, in hexadecimal, of config.json in the directory, and of
// the ends that generation_config.json adds to it, if there are any. `config`
// has been read from there. Returns the errors of ReadFile.
absl::StatusOr<std::string> ConfigHash(const std::string& directory,
                                       const ModelConfig& config);

}  // namespace apollo

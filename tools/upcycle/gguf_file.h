#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tools/upcycle/ggml_type.h"

namespace apollo {

// An undecoded array in the metadata of a GGUF file.
struct GgufArray {
  std::uint32_t type = 0;  // Element type id as in the file.
  std::uint64_t count = 0;
  std::span<const std::uint8_t> bytes;  // The bytes of all elements.
};

// Integers are int64, and uint64 only beyond its range; floats of both widths
// are double. Strings point into the file.
using GgufValue = std::variant<std::int64_t, std::uint64_t, double, bool,
                               std::string_view, GgufArray>;

struct GgufTensor {
  std::string name;
  const GgmlType* type = nullptr;      // Never null, but may not be readable.
  std::vector<std::int64_t> shape;     // Outermost first, unlike in the file.
  std::span<const std::uint8_t> data;  // Empty if the type has no known size.

  // The innermost dimension is the length of a row; the others count rows.
  std::int64_t row_elements() const { return shape.back(); }
  std::int64_t num_rows() const;
};

// Returns "<path>: key \"<key>\"", for messages.
std::string DescribeGgufKey(std::string_view path, std::string_view key);

// The directory of a GGUF file (versions 2 and 3, little-endian). Points into
// the parsed bytes, which must outlive it. Immutable.
//
// Format: "GGUF", u32 version, u64 tensor count, u64 key count; the keys
// (string, u32 type, value); for each tensor its name, u32 number of
// dimensions, u64 dimensions (innermost first), u32 type, u64 offset; then the
// data. The data starts at the next multiple of the alignment (key
// general.alignment, else 32), and offsets are relative to it. A string is a
// u64 length and its bytes.
class GgufFile {
 public:
  // Checks every count, length, type, dimension and offset against the
  // available bytes. Names and keys must be unique and tensors must not
  // overlap. Returns INVALID_ARGUMENT, starting with `path` and naming the key
  // or tensor. Memory is bounded by the size of the file, whatever its counts
  // are.
  static absl::StatusOr<GgufFile> Parse(std::span<const std::uint8_t> file,
                                        std::string_view path);

  const std::string& path() const { return path_; }
  const std::map<std::string, GgufTensor, std::less<>>& tensors() const {
    return tensors_;
  }
  // Returns null if there is no tensor of that name.
  const GgufTensor* FindTensor(std::string_view name) const;

  // Maps names of keys to their values.
  const std::map<std::string, GgufValue, std::less<>>& keys() const {
    return keys_;
  }
  bool Has(std::string_view key) const { return keys_.contains(key); }

  // Return NOT_FOUND for a missing key and INVALID_ARGUMENT for one of another
  // type, naming the file and the key. GetNumber accepts integers and floats.
  absl::StatusOr<std::int64_t> GetInt(std::string_view key) const;
  // Also accepts an array of equal integers: one for each layer.
  absl::StatusOr<std::int64_t> GetUniformInt(std::string_view key) const;
  absl::StatusOr<double> GetNumber(std::string_view key) const;
  absl::StatusOr<bool> GetBool(std::string_view key) const;
  absl::StatusOr<std::string_view> GetString(std::string_view key) const;
  absl::StatusOr<std::vector<std::string_view>> GetStrings(
      std::string_view key) const;
  absl::StatusOr<std::vector<std::int64_t>> GetInts(std::string_view key) const;

 private:
  class Parser;
  absl::StatusOr<const GgufValue*> Get(std::string_view key) const;
  absl::Status TypeError(std::string_view key, std::string_view wanted) const;

  std::string path_;
  std::map<std::string, GgufValue, std::less<>> keys_;
  std::map<std::string, GgufTensor, std::less<>> tensors_;
};

}  // namespace apollo

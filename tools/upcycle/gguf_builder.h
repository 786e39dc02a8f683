#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace apollo {

// Builds GGUF files for tests. Public members allow inconsistent files.
class GgufBuilder {
 public:
  std::uint32_t version = 3;
  std::size_t alignment = 32;       // Of the data; the key is not added.
  bool first_wins = false;          // Ignores a key that was added before.
  std::uint64_t extra_keys = 0;     // Added to the real count.
  std::uint64_t extra_tensors = 0;  // Added to the real count.

  void AddString(const std::string& key, const std::string& value);
  void AddU16(const std::string& key, std::uint16_t value);
  void AddU32(const std::string& key, std::uint32_t value);
  void AddU64(const std::string& key, std::uint64_t value);
  void AddF32(const std::string& key, float value);
  void AddBool(const std::string& key, bool value);
  void AddStrings(const std::string& key,
                  const std::vector<std::string>& values);
  void AddI32s(const std::string& key, const std::vector<std::int32_t>& values);
  // Adds a key with arbitrary bytes as value.
  void AddRaw(const std::string& key, std::uint32_t type,
              const std::string& bytes);

  // Adds a tensor. `dimensions` are innermost first, as in the file.
  void AddTensor(const std::string& name,
                 const std::vector<std::uint64_t>& dimensions,
                 std::uint32_t type, const std::string& data);
  // Adds a tensor at the given offset, without data.
  void AddTensorAt(const std::string& name,
                   const std::vector<std::uint64_t>& dimensions,
                   std::uint32_t type, std::uint64_t offset);

  std::string Build() const;

  std::uint64_t num_tensors() const { return num_tensors_; }

  static std::string U32(std::uint32_t value);
  static std::string U64(std::uint64_t value);
  static std::string String(const std::string& text);
  static std::string Floats(const std::vector<float>& values);

 private:
  void Pad(std::string& bytes) const;

  std::set<std::string> names_;  // Of keys.
  std::uint64_t num_keys_ = 0;
  std::uint64_t num_tensors_ = 0;
  std::string keys_;
  std::string infos_;
  std::string data_;
};

}  // namespace apollo

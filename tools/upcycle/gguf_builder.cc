#include "tools/upcycle/gguf_builder.h"

#include <bit>

namespace apollo {
namespace {

std::string LittleEndian(std::uint64_t value, int bytes) {
  std::string result;
  for (int i = 0; i < bytes; ++i) {
    result.push_back(static_cast<char>(value >> (8 * i) & 0xff));
  }
  return result;
}

}  // namespace

void GgufBuilder::Pad(std::string& bytes) const {
  while (bytes.size() % alignment != 0) bytes.push_back('\0');
}

std::string GgufBuilder::U32(std::uint32_t value) {
  return LittleEndian(value, 4);
}
std::string GgufBuilder::U64(std::uint64_t value) {
  return LittleEndian(value, 8);
}

std::string GgufBuilder::String(const std::string& text) {
  return U64(text.size()) + text;
}

std::string GgufBuilder::Floats(const std::vector<float>& values) {
  std::string bytes;
  for (const float value : values)
    bytes += U32(std::bit_cast<std::uint32_t>(value));
  return bytes;
}

void GgufBuilder::AddRaw(const std::string& key, std::uint32_t type,
                         const std::string& bytes) {
  if (!names_.insert(key).second && first_wins) return;
  keys_ += String(key) + U32(type) + bytes;
  ++num_keys_;
}

void GgufBuilder::AddString(const std::string& key, const std::string& value) {
  AddRaw(key, 8, String(value));
}
void GgufBuilder::AddU16(const std::string& key, std::uint16_t value) {
  AddRaw(key, 2, LittleEndian(value, 2));
}
void GgufBuilder::AddU32(const std::string& key, std::uint32_t value) {
  AddRaw(key, 4, U32(value));
}
void GgufBuilder::AddU64(const std::string& key, std::uint64_t value) {
  AddRaw(key, 10, U64(value));
}
void GgufBuilder::AddF32(const std::string& key, float value) {
  AddRaw(key, 6, U32(std::bit_cast<std::uint32_t>(value)));
}
void GgufBuilder::AddBool(const std::string& key, bool value) {
  AddRaw(key, 7, std::string(1, value ? '\1' : '\0'));
}

void GgufBuilder::AddStrings(const std::string& key,
                             const std::vector<std::string>& values) {
  std::string bytes = U32(8) + U64(values.size());
  for (const std::string& value : values) bytes += String(value);
  AddRaw(key, 9, bytes);
}

void GgufBuilder::AddI32s(const std::string& key,
                          const std::vector<std::int32_t>& values) {
  std::string bytes = U32(5) + U64(values.size());
  for (const std::int32_t value : values) {
    bytes += U32(static_cast<std::uint32_t>(value));
  }
  AddRaw(key, 9, bytes);
}

void GgufBuilder::AddTensorAt(const std::string& name,
                              const std::vector<std::uint64_t>& dimensions,
                              std::uint32_t type, std::uint64_t offset) {
  infos_ += String(name) + U32(static_cast<std::uint32_t>(dimensions.size()));
  for (const std::uint64_t size : dimensions) infos_ += U64(size);
  infos_ += U32(type) + U64(offset);
  ++num_tensors_;
}

void GgufBuilder::AddTensor(const std::string& name,
                            const std::vector<std::uint64_t>& dimensions,
                            std::uint32_t type, const std::string& data) {
  AddTensorAt(name, dimensions, type, data_.size());
  data_ += data;
  Pad(data_);
}

std::string GgufBuilder::Build() const {
  std::string file = "GGUF" + U32(version) + U64(num_tensors_ + extra_tensors) +
                     U64(num_keys_ + extra_keys) + keys_ + infos_;
  Pad(file);
  return file + data_;
}

}  // namespace apollo

// The parser of GgufFile.

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "model/safetensors/tensor_view.h"
#include "tools/upcycle/gguf_cursor.h"
#include "tools/upcycle/gguf_file.h"

namespace apollo {
namespace {

constexpr std::uint32_t kMaxDimensions = 4;
constexpr std::int64_t kDefaultAlignment = 32;
constexpr std::int64_t kMaxAlignment = 1 << 20;

// Prefixes an error with its location.
absl::Status In(const std::string& where, const absl::Status& status) {
  return absl::InvalidArgumentError(
      absl::StrCat(where, ": ", status.message()));
}

}  // namespace

// Parses into a GgufFile.
class GgufFile::Parser {
 public:
  Parser(std::span<const std::uint8_t> bytes, GgufFile& file)
      : bytes_(bytes), file_(file), cursor_(bytes) {}

  absl::Status Parse() {
    if (const absl::Status status = ParseCounts(); !status.ok()) {
      return In(file_.path_, status);
    }
    for (std::uint64_t i = 0; i < num_keys_; ++i) RETURN_IF_ERROR(ParseKey(i));
    for (std::uint64_t i = 0; i < num_tensors_; ++i) {
      RETURN_IF_ERROR(ParseTensor(i));
    }
    RETURN_IF_ERROR(FindData());
    return CheckOverlap();
  }

 private:
  absl::Status ParseCounts() {
    ASSIGN_OR_RETURN(const auto magic, cursor_.ReadBytes(4));
    if (std::memcmp(magic.data(), "GGUF", 4) != 0) {
      return absl::InvalidArgumentError(
          "not a GGUF file: it does not begin with "
          "the letters GGUF");
    }
    ASSIGN_OR_RETURN(const std::uint32_t version, cursor_.ReadU32());
    if (version != 2 && version != 3) {
      const std::uint32_t swapped = __builtin_bswap32(version);
      if (swapped >= 1 && swapped <= 0xffff) {
        return absl::InvalidArgumentError(
            absl::StrCat("the file is big-endian (GGUF version ", swapped,
                         "); only little-endian files can be read"));
      }
      return absl::InvalidArgumentError(
          absl::StrCat("GGUF version ", version,
                       " cannot be read; 2 and 3 (little-endian) can"));
    }
    ASSIGN_OR_RETURN(num_tensors_, cursor_.ReadU64());
    ASSIGN_OR_RETURN(num_keys_, cursor_.ReadU64());
    return absl::OkStatus();
  }

  absl::Status ParseKey(std::uint64_t index) {
    const auto key = cursor_.ReadString();
    if (!key.ok()) {
      return In(absl::StrCat(file_.path_, ": key ", index, " of ", num_keys_),
                key.status());
    }
    const std::string where = DescribeGgufKey(file_.path_, *key);
    const auto type = cursor_.ReadU32();
    if (!type.ok()) return In(where, type.status());
    auto value = cursor_.ReadValue(*type);
    if (!value.ok()) return In(where, value.status());
    if (!file_.keys_.emplace(std::string(*key), *std::move(value)).second) {
      return absl::InvalidArgumentError(where + " occurs twice");
    }
    return absl::OkStatus();
  }

  absl::Status ParseTensor(std::uint64_t index) {
    const auto name = cursor_.ReadString();
    if (!name.ok()) {
      return In(
          absl::StrCat(file_.path_, ": tensor ", index, " of ", num_tensors_),
          name.status());
    }
    const std::string where = DescribeTensor(file_.path_, *name);
    Entry entry;
    if (absl::Status status = ParseTensorBody(entry); !status.ok()) {
      return In(where, status);
    }
    entry.tensor.name = std::string(*name);
    const auto [place, inserted] =
        file_.tensors_.emplace(entry.tensor.name, entry.tensor);
    if (!inserted) return absl::InvalidArgumentError(where + " occurs twice");
    entries_.push_back({&place->second, entry.offset, entry.bytes});
    return absl::OkStatus();
  }

  struct Entry {
    GgufTensor tensor;
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
  };

  absl::Status ParseTensorBody(Entry& entry) {
    ASSIGN_OR_RETURN(const std::uint32_t dimensions, cursor_.ReadU32());
    if (dimensions == 0 || dimensions > kMaxDimensions) {
      return absl::InvalidArgumentError(absl::StrCat(
          dimensions, " dimensions; from 1 to ", kMaxDimensions, " are valid"));
    }
    std::int64_t elements = 1;
    for (std::uint32_t i = 0; i < dimensions; ++i) {
      ASSIGN_OR_RETURN(const std::uint64_t size, cursor_.ReadU64());
      const auto signed_size = static_cast<std::int64_t>(size);
      if (signed_size <= 0 ||
          __builtin_mul_overflow(elements, signed_size, &elements)) {
        return absl::InvalidArgumentError(
            absl::StrCat("dimension ", i, " of ", size,
                         " is zero or makes the tensor too large"));
      }
      entry.tensor.shape.insert(entry.tensor.shape.begin(), signed_size);
    }
    ASSIGN_OR_RETURN(const std::uint32_t type, cursor_.ReadU32());
    ASSIGN_OR_RETURN(entry.offset, cursor_.ReadU64());
    entry.tensor.type = FindGgmlType(type);
    if (entry.tensor.type == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("unknown quantisation, type ", type, "; readable are ",
                       ReadableGgmlTypes()));
    }
    if (!entry.tensor.type->sized()) return absl::OkStatus();
    const GgmlType& known = *entry.tensor.type;
    std::int64_t bytes = 0;
    if (entry.tensor.row_elements() % known.block_elements != 0 ||
        __builtin_mul_overflow(elements / known.block_elements,
                               known.block_bytes, &bytes)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "shape ", ShapeToString(entry.tensor.shape), " cannot be stored as ",
          ToAbsl(known.name), ", in blocks of ", known.block_elements));
    }
    entry.bytes = static_cast<std::uint64_t>(bytes);
    return absl::OkStatus();
  }

  absl::StatusOr<std::uint64_t> Alignment() const {
    constexpr char kKey[] = "general.alignment";
    if (!file_.Has(kKey)) return kDefaultAlignment;
    ASSIGN_OR_RETURN(const std::int64_t alignment, file_.GetInt(kKey));
    if (alignment < 1 || alignment > kMaxAlignment ||
        (alignment & (alignment - 1)) != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(DescribeGgufKey(file_.path_, kKey), ": ", alignment,
                       " is not a power of two from 1 to ", kMaxAlignment));
    }
    return static_cast<std::uint64_t>(alignment);
  }

  absl::Status FindData() {
    ASSIGN_OR_RETURN(const std::uint64_t alignment, Alignment());
    const std::uint64_t start =
        (cursor_.position() + alignment - 1) / alignment * alignment;
    const auto data = start < bytes_.size() ? bytes_.subspan(start)
                                            : std::span<const std::uint8_t>();
    for (const Placed& placed : entries_) {
      const std::string where =
          DescribeTensor(file_.path_, placed.tensor->name);
      if (placed.offset % alignment != 0) {
        return absl::InvalidArgumentError(
            absl::StrCat(where, ": offset ", placed.offset,
                         " is not a multiple of the alignment, ", alignment));
      }
      if (placed.offset > data.size() ||
          placed.bytes > data.size() - placed.offset) {
        return absl::InvalidArgumentError(absl::StrCat(
            where, ": ", placed.bytes, " bytes at offset ", placed.offset,
            " reach beyond the ", data.size(), " bytes of data in the file"));
      }
      placed.tensor->data = data.subspan(placed.offset, placed.bytes);
    }
    return absl::OkStatus();
  }

  absl::Status CheckOverlap() {
    std::sort(
        entries_.begin(), entries_.end(), [](const Placed& a, const Placed& b) {
          return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes);
        });
    for (std::size_t i = 1; i < entries_.size(); ++i) {
      const Placed& before = entries_[i - 1];
      if (before.offset + before.bytes > entries_[i].offset) {
        return absl::InvalidArgumentError(
            absl::StrCat(DescribeTensor(file_.path_, entries_[i].tensor->name),
                         ": its data overlaps that of another tensor"));
      }
    }
    return absl::OkStatus();
  }

  struct Placed {
    GgufTensor* tensor;  // In file_.tensors_.
    std::uint64_t offset;
    std::uint64_t bytes;
  };

  const std::span<const std::uint8_t> bytes_;
  GgufFile& file_;
  GgufCursor cursor_;
  std::uint64_t num_tensors_ = 0;
  std::uint64_t num_keys_ = 0;
  std::vector<Placed> entries_;
};

absl::StatusOr<GgufFile> GgufFile::Parse(std::span<const std::uint8_t> bytes,
                                         std::string_view path) {
  GgufFile file;
  file.path_ = std::string(path);
  RETURN_IF_ERROR(Parser(bytes, file).Parse());
  return file;
}

}  // namespace apollo

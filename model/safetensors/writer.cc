#include "model/safetensors/writer.h"

#include <absl/container/flat_hash_set.h>
#include <absl/strings/str_cat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "model/safetensors/convert.h"

namespace apollo {
namespace {

absl::StatusOr<std::size_t> NumBytes(const TensorSpec& spec,
                                     const std::string& path) {
  auto bytes = static_cast<std::int64_t>(DTypeSize(spec.dtype));
  bool valid = spec.dtype != DType::kOther;
  for (const std::int64_t size : spec.shape) {
    valid = valid && size >= 0 && !__builtin_mul_overflow(bytes, size, &bytes);
  }
  if (!valid) {
    return absl::InvalidArgumentError(absl::StrCat(
        DescribeTensor(path, spec.name), ": shape ", ShapeToString(spec.shape),
        " of ", ToAbsl(DTypeName(spec.dtype)), " cannot be written"));
  }
  return static_cast<std::size_t>(bytes);
}

// Returns the length and the JSON, padded with spaces so that the data starts
// at a multiple of 64 bytes, a cache line.
absl::StatusOr<std::string> MakeHeader(const std::vector<TensorSpec>& tensors,
                                       const std::string& path) {
  // By convention, "format" tells readers which library's layout is used.
  nlohmann::ordered_json header = {{"__metadata__", {{"format", "pt"}}}};
  std::size_t offset = 0;
  for (const TensorSpec& spec : tensors) {
    ASSIGN_OR_RETURN(const std::size_t bytes, NumBytes(spec, path));
    header[spec.name] = {{"dtype", std::string(DTypeName(spec.dtype))},
                         {"shape", spec.shape},
                         {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string json;
  try {
    json = header.dump();
  } catch (const nlohmann::json::exception&) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": a tensor name is not UTF-8"));
  }
  json.resize((8 + json.size() + 63) / 64 * 64 - 8, ' ');
  std::string length;
  for (int i = 0; i < 8; ++i) {
    length.push_back(static_cast<char>(json.size() >> (8 * i) & 0xff));
  }
  return length + json;
}

absl::Status FileError(const std::string& what) {
  return absl::ErrnoToStatus(errno, what);
}

}  // namespace

absl::StatusOr<SafetensorsWriter> SafetensorsWriter::Create(
    const std::string& path, std::vector<TensorSpec> tensors) {
  absl::flat_hash_set<std::string> names;
  for (const TensorSpec& spec : tensors) {
    if (spec.name.empty() || spec.name == "__metadata__" ||
        !names.insert(spec.name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(DescribeTensor(path, spec.name),
                       ": a name must be unique, and neither empty nor "
                       "__metadata__"));
    }
  }
  ASSIGN_OR_RETURN(const std::string header, MakeHeader(tensors, path));
  std::vector<Tensor> sized;
  for (TensorSpec& spec : tensors) {
    ASSIGN_OR_RETURN(const std::size_t bytes, NumBytes(spec, path));
    sized.push_back({std::move(spec), bytes});
  }
  const std::string partial = path + ".partial";
  std::unique_ptr<std::FILE, Closer> file(std::fopen(partial.c_str(), "wb"));
  if (file == nullptr) return FileError("cannot create " + partial);
  SafetensorsWriter writer(path, std::move(sized), std::move(file));
  if (std::fwrite(header.data(), 1, header.size(), writer.file_.get()) !=
      header.size()) {
    return FileError("cannot write " + partial);
  }
  return writer;
}

SafetensorsWriter::SafetensorsWriter(std::string path,
                                     std::vector<Tensor> tensors,
                                     std::unique_ptr<std::FILE, Closer> file)
    : path_(std::move(path)),
      tensors_(std::move(tensors)),
      file_(std::move(file)) {
  SkipComplete();
}

SafetensorsWriter::~SafetensorsWriter() {
  if (file_ == nullptr) return;
  file_.reset();
  std::remove(PartialPath().c_str());
}

void SafetensorsWriter::SkipComplete() {
  while (current_ < tensors_.size() && written_ == tensors_[current_].bytes) {
    ++current_;
    written_ = 0;
  }
}

absl::Status SafetensorsWriter::Append(std::string_view name,
                                       std::span<const std::uint8_t> data) {
  if (file_ == nullptr) {
    return absl::FailedPreconditionError(path_ + ": already finished");
  }
  if (data.empty()) return absl::OkStatus();
  if (current_ == tensors_.size() || tensors_[current_].spec.name != name) {
    return absl::FailedPreconditionError(
        absl::StrCat(DescribeTensor(path_, name), ": another tensor is due"));
  }
  if (data.size() > tensors_[current_].bytes - written_) {
    return absl::FailedPreconditionError(absl::StrCat(
        DescribeTensor(path_, name), ": ", written_ + data.size(),
        " bytes of data for a tensor of ", tensors_[current_].bytes));
  }
  if (std::fwrite(data.data(), 1, data.size(), file_.get()) != data.size()) {
    return FileError("cannot write " + PartialPath());
  }
  written_ += data.size();
  SkipComplete();
  return absl::OkStatus();
}

absl::Status SafetensorsWriter::AppendFloats(std::string_view name,
                                             std::span<const float> values) {
  // After the last tensor, Append rejects all data.
  const DType dtype =
      current_ < tensors_.size() ? tensors_[current_].spec.dtype : DType::kF32;
  constexpr std::size_t kChunk = 1 << 16;
  std::vector<std::uint8_t> bytes;
  for (std::size_t at = 0; at < values.size(); at += kChunk) {
    const auto part = values.subspan(at, std::min(kChunk, values.size() - at));
    bytes.resize(part.size() * DTypeSize(dtype));
    FromFloat32(part, dtype, bytes.data());
    RETURN_IF_ERROR(Append(name, bytes));
  }
  return absl::OkStatus();
}

absl::Status SafetensorsWriter::Finish() {
  if (file_ == nullptr) {
    return absl::FailedPreconditionError(path_ + ": already finished");
  }
  if (current_ < tensors_.size()) {
    return absl::FailedPreconditionError(absl::StrCat(
        DescribeTensor(path_, tensors_[current_].spec.name), ": only ",
        written_, " of ", tensors_[current_].bytes, " bytes were appended"));
  }
  if (std::fflush(file_.get()) != 0 || fsync(fileno(file_.get())) != 0 ||
      std::rename(PartialPath().c_str(), path_.c_str()) != 0) {
    return FileError("cannot finish " + path_);
  }
  file_.reset();
  return absl::OkStatus();
}

}  // namespace apollo

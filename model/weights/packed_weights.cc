#include "model/weights/packed_weights.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "common/check.h"
#include "common/mapped_file.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "model/weights/checkpoint_weights.h"
#include "model/weights/packed_format.h"
#include "model/weights/tensor_registry.h"
#include "model/weights/weight_names.h"

namespace apollo {
namespace {

// More numbers than any matrix has; far from where sizes overflow.
constexpr std::int64_t kMostNumbers = std::int64_t{1} << 40;

absl::Status Lie(const TensorView& tensor, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(
      tensor.file, ": not as a packed file says it is: ", ToAbsl(what),
      " in \"", tensor.name, "\""));
}

// A positive whole number up to 2^30, so that rounding it up overflows nothing,
// or 0.
std::int64_t Size(absl::string_view text) {
  std::int64_t size = 0;
  const bool ok =
      absl::SimpleAtoi(text, &size) && size >= 1 && size <= (1 << 30);
  return ok ? size : 0;
}

}  // namespace

absl::StatusOr<std::string> FileHash(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, 64 << 20));
  return Sha256Hex(bytes);
}

absl::StatusOr<std::unique_ptr<PackedWeights>> PackedWeights::Open(
    const std::string& directory, const ModelConfig& config) {
  const std::string path = directory + "/" + kPackedFile;
  ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::Open(path));
  std::unique_ptr<PackedWeights> weights(new PackedWeights(std::move(file)));
  for (const auto& [name, tensor] : weights->file_.tensors()) {
    if (name.rfind(kPackedMagic, 0) == 0) {
      RETURN_IF_ERROR(weights->ReadInfo(name, directory));
    }
  }
  if (weights->hash_.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": not a file of packed weights; tools/pack makes them"));
  }
  for (const auto& [name, tensor] : weights->file_.tensors()) {
    if (name.rfind(kPackedMagic, 0) == 0) continue;
    RETURN_IF_ERROR(weights->AddEntry(tensor));
  }
  RETURN_IF_ERROR(weights->CheckAgainst(config));
  const Entry* embedding = weights->Find(kEmbeddingTensor);
  weights->embedding_ = PackedMatrix::View(
      static_cast<int>(embedding->rows), static_cast<int>(embedding->columns),
      *embedding->format, embedding->data->data.data());
  return weights;
}

absl::Status PackedWeights::ReadInfo(std::string_view name,
                                     const std::string& directory) {
  const std::vector<std::string> fields = absl::StrSplit(ToAbsl(name), '|');
  if (fields[0] != kPackedVersion) {
    return absl::UnimplementedError(absl::StrCat(
        file_.path(), ": made by another version (\"", fields[0],
        "\"); this one reads \"", kPackedVersion, "\": pack again",
        fields[0] == kPackedVersionBefore
            ? " (the hash of that version does not cover every weight)"
            : ""));
  }
  if (!hash_.empty() || fields.size() != 4 || fields[1].empty() ||
      !WeightsByName(fields[2]).ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file_.path(), ": not as a packed file describes itself"));
  }
  hash_ = fields[1];
  format_ = fields[2];
  const std::string ending = "+" + format_;
  if (format_ != WeightsName(std::nullopt) &&
      (hash_.size() <= ending.size() ||
       hash_.compare(hash_.size() - ending.size(), ending.size(), ending) !=
           0)) {
    return absl::InvalidArgumentError(
        absl::StrCat(file_.path(),
                     ": not as a packed file describes itself: "
                     "its hash does not end in \"",
                     ending, "\""));
  }
  ASSIGN_OR_RETURN(const std::string config,
                   FileHash(directory + "/config.json"));
  if (config != fields[3]) {
    return absl::InvalidArgumentError(
        absl::StrCat(directory, "/config.json is not the one that ",
                     kPackedFile, " was packed with: pack again"));
  }
  return absl::OkStatus();
}

absl::Status PackedWeights::AddEntry(const TensorView& tensor) {
  const std::vector<std::string> fields = absl::StrSplit(tensor.name, '|');
  Entry entry;
  entry.data = &tensor;
  std::size_t bytes = 0;
  if (fields[0] == "matrix" && fields.size() >= 5) {
    const auto format = WeightsByName(fields[1]);
    if (!format.ok() || !*format) return Lie(tensor, "an unknown format");
    entry.format = **format;
    entry.rows = Size(fields[2]);
    entry.columns = Size(fields[3]);
    if (entry.rows * entry.columns == 0 ||
        entry.rows * entry.columns > kMostNumbers) {
      return Lie(tensor, "an impossible size");
    }
    entry.names.assign(fields.begin() + 4, fields.end());
    bytes = PackedMatrix::Bytes(static_cast<int>(entry.rows),
                                static_cast<int>(entry.columns), *entry.format);
  } else if (fields[0] == "vector" && fields.size() == 3) {
    entry.rows = Size(fields[1]);
    if (entry.rows == 0) return Lie(tensor, "an impossible size");
    entry.names = {fields[2]};
    bytes = static_cast<std::size_t>(entry.rows) * sizeof(float);
  } else {
    return Lie(tensor, "an unknown kind of data");
  }
  if (tensor.data.size() != PaddedBytes(bytes)) {
    return Lie(tensor, absl::StrCat(tensor.data.size(), " bytes in place of ",
                                    PaddedBytes(bytes)));
  }
  if (reinterpret_cast<std::uintptr_t>(tensor.data.data()) % kPackedUnit != 0) {
    return Lie(tensor, "data that is not aligned");
  }
  if (entry.format.has_value()) {
    ASSIGN_OR_RETURN(const auto of_file, WeightsByName(format_));
    if (of_file && *entry.format != MatrixFormat(*of_file, entry.names[0])) {
      return Lie(tensor, absl::StrCat("another format than those of a file of ",
                                      format_));
    }
  }
  for (const std::string& name : entry.names) {
    if (!entry_of_.emplace(name, entries_.size()).second) {
      return Lie(tensor, "a tensor that is there twice");
    }
  }
  entries_.push_back(std::move(entry));
  return absl::OkStatus();
}

absl::Status PackedWeights::CheckAgainst(const ModelConfig& config) const {
  // A short config may announce millions of experts: first of all, the number.
  std::int64_t least = config.num_layers;
  for (int i = 0; i < config.num_layers; ++i) {
    if (config.IsSparse(i)) least += std::int64_t{3} * config.num_experts;
    if (least > static_cast<std::int64_t>(entry_of_.size())) {
      return absl::NotFoundError(
          absl::StrCat(file_.path(), ": has ", entry_of_.size(),
                       " tensors, and the config asks for more"));
    }
  }
  // The shared expert is as wide as it says, the same in all its matrices.
  std::int64_t shared_width = 0;
  const std::vector<TensorInfo> expected = AllTensors(config);
  for (const TensorInfo& tensor : expected) {
    const Entry* entry = Find(tensor.name);
    if (entry == nullptr) {
      return absl::NotFoundError(absl::StrCat(file_.path(), ": no tensor \"",
                                              tensor.name,
                                              "\", which the config asks for"));
    }
    if (shared_width == 0 && tensor.shape.size() == 2 && tensor.shape[1] == 0) {
      shared_width = entry->columns;
    }
  }
  // Rows that the config asks for, summed up for each entry.
  std::map<const Entry*, std::int64_t> rows;
  for (const TensorInfo& tensor : expected) {
    const Entry* entry = Find(tensor.name);
    const auto size = [&](std::size_t d) {
      return tensor.shape[d] == 0 ? shared_width : tensor.shape[d];
    };
    if (entry->format.has_value()) {
      if (tensor.shape.size() != 2 || entry->columns != size(1)) {
        return Lie(*entry->data, "another number of inputs than the config's");
      }
      rows[entry] += size(0);
    } else {
      rows[entry] += tensor.shape.size() == 2 ? size(0) * size(1) : size(0);
    }
  }
  for (const auto& [entry, count] : rows) {
    if (entry->rows != count) {
      return Lie(*entry->data, "another number of rows than the config's");
    }
  }
  const Entry& embedding = *Find(kEmbeddingTensor);
  if (!embedding.format.has_value()) {
    return Lie(*embedding.data, "an embedding that is no matrix");
  }
  if (embedding.names.size() != 1) {
    return Lie(*embedding.data, "an embedding that is not alone");
  }
  return absl::OkStatus();
}

const PackedWeights::Entry* PackedWeights::Find(std::string_view name) const {
  const auto it = entry_of_.find(name);
  return it == entry_of_.end() ? nullptr : &entries_[it->second];
}

std::int64_t PackedWeights::Bytes(std::string_view name) const {
  // All of an entry counts for the first of its tensors.
  const Entry* entry = Find(name);
  if (entry == nullptr || entry->names[0] != name) return 0;
  return static_cast<std::int64_t>(entry->data->data.size());
}

absl::StatusOr<PackedMatrix> PackedWeights::Matrix(
    const std::vector<std::string>& names, ThreadPool& /*pool*/) const {
  const Entry* entry = Find(names[0]);
  if (entry == nullptr || !entry->format.has_value() || entry->names != names) {
    return absl::NotFoundError(absl::StrCat(file_.path(), ": no matrix of \"",
                                            names[0], "\" as it is needed"));
  }
  PopulatePages(entry->data->data);
  return PackedMatrix::View(static_cast<int>(entry->rows),
                            static_cast<int>(entry->columns), *entry->format,
                            entry->data->data.data());
}

absl::StatusOr<std::vector<float>> PackedWeights::Vector(
    const std::string& name) const {
  const Entry* entry = Find(name);
  if (entry == nullptr || entry->format.has_value()) {
    return absl::NotFoundError(
        absl::StrCat(file_.path(), ": no vector \"", name, "\""));
  }
  std::vector<float> values(entry->rows);
  std::memcpy(values.data(), entry->data->data.data(),
              values.size() * sizeof(float));
  return values;
}

void PackedWeights::Embedding(std::int32_t token, float* row) const {
  embedding_.GetRow(token, row);
}

}  // namespace apollo

#include "model/weights/packed_weights.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
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

// More numbers than any matrix has, and far below an overflow of sizes.
constexpr std::int64_t kMostNumbers = std::int64_t{1} << 40;

absl::Status Inconsistent(const TensorView& tensor, std::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat(tensor.file, ": invalid packed weights: ", ToAbsl(what),
                   " in \"", tensor.name, "\""));
}

// Parses an integer from 1 to 2^30, so that padding cannot overflow. Returns 0
// for other text.
std::int64_t Size(absl::string_view text) {
  std::int64_t size = 0;
  const bool ok =
      absl::SimpleAtoi(text, &size) && size >= 1 && size <= (1 << 30);
  return ok ? size : 0;
}

}  // namespace

absl::StatusOr<std::string> ConfigHash(const std::string& directory,
                                       const ModelConfig& config) {
  ASSIGN_OR_RETURN(std::string bytes,
                   ReadFile(directory + "/config.json", 64 << 20));
  if (!config.added_ends.empty()) {
    absl::StrAppend(&bytes, "|", absl::StrJoin(config.added_ends, ","));
  }
  return Sha256Hex(bytes);
}

absl::StatusOr<std::unique_ptr<PackedWeights>> PackedWeights::Open(
    const std::string& directory, const ModelConfig& config) {
  const std::string path = directory + "/" + kPackedFile;
  ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::Open(path));
  std::unique_ptr<PackedWeights> weights(new PackedWeights(std::move(file)));
  for (const auto& [name, tensor] : weights->file_.tensors()) {
    if (name.rfind(kPackedMagic, 0) == 0) {
      RETURN_IF_ERROR(weights->ReadInfo(name, directory, config));
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
                                     const std::string& directory,
                                     const ModelConfig& config) {
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
    return absl::InvalidArgumentError(absl::StrCat(
        file_.path(), ": invalid packed weights: malformed description"));
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
                     ": invalid packed weights: "
                     "its hash does not end in \"",
                     ending, "\""));
  }
  ASSIGN_OR_RETURN(const std::string hash, ConfigHash(directory, config));
  if (hash != fields[3]) {
    return absl::InvalidArgumentError(
        absl::StrCat(directory, "/config.json differs from the one that ",
                     kPackedFile, " was packed with, or the ends of ",
                     kGenerationFile, " do: pack again"));
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
    if (!format.ok() || !*format)
      return Inconsistent(tensor, "an unknown format");
    entry.format = **format;
    entry.rows = Size(fields[2]);
    entry.columns = Size(fields[3]);
    if (entry.rows * entry.columns == 0 ||
        entry.rows * entry.columns > kMostNumbers) {
      return Inconsistent(tensor, "an impossible size");
    }
    entry.names.assign(fields.begin() + 4, fields.end());
    bytes = PackedMatrix::Bytes(static_cast<int>(entry.rows),
                                static_cast<int>(entry.columns), *entry.format);
  } else if (fields[0] == "vector" && fields.size() == 3) {
    entry.rows = Size(fields[1]);
    if (entry.rows == 0) return Inconsistent(tensor, "an impossible size");
    entry.names = {fields[2]};
    bytes = static_cast<std::size_t>(entry.rows) * sizeof(float);
  } else {
    return Inconsistent(tensor, "an unknown kind of data");
  }
  if (tensor.data.size() != PaddedBytes(bytes)) {
    return Inconsistent(tensor,
                        absl::StrCat(tensor.data.size(), " bytes instead of ",
                                     PaddedBytes(bytes)));
  }
  if (reinterpret_cast<std::uintptr_t>(tensor.data.data()) % kPackedUnit != 0) {
    return Inconsistent(tensor, "unaligned data");
  }
  if (entry.format.has_value()) {
    ASSIGN_OR_RETURN(const auto of_file, WeightsByName(format_));
    if (of_file && *entry.format != MatrixFormat(*of_file, entry.names[0])) {
      return Inconsistent(
          tensor,
          absl::StrCat("a format that cannot occur in a file of ", format_));
    }
  }
  for (const std::string& name : entry.names) {
    if (!entry_of_.emplace(name, entries_.size()).second) {
      return Inconsistent(tensor, "a duplicate tensor");
    }
  }
  entries_.push_back(std::move(entry));
  return absl::OkStatus();
}

absl::Status PackedWeights::CheckAgainst(const ModelConfig& config) const {
  // Compares the number of tensors first, because a small config may declare
  // millions of experts.
  std::int64_t least = config.num_layers;
  for (int i = 0; i < config.num_layers; ++i) {
    if (config.IsSparse(i)) least += std::int64_t{3} * config.num_experts;
    if (least > static_cast<std::int64_t>(entry_of_.size())) {
      return absl::NotFoundError(
          absl::StrCat(file_.path(), ": has ", entry_of_.size(),
                       " tensors, but the config requires more"));
    }
  }
  // The width of the shared expert must be the same in all its matrices.
  std::int64_t shared_width = 0;
  const std::vector<TensorInfo> expected = AllTensors(config);
  for (const TensorInfo& tensor : expected) {
    const Entry* entry = Find(tensor.name);
    if (entry == nullptr) {
      return absl::NotFoundError(absl::StrCat(file_.path(), ": no tensor \"",
                                              tensor.name,
                                              "\", which the config requires"));
    }
    if (shared_width == 0 && tensor.shape.size() == 2 && tensor.shape[1] == 0) {
      shared_width = entry->columns;
    }
  }
  // Rows required by the config, per entry.
  std::map<const Entry*, std::int64_t> rows;
  for (const TensorInfo& tensor : expected) {
    const Entry* entry = Find(tensor.name);
    const auto size = [&](std::size_t d) {
      return tensor.shape[d] == 0 ? shared_width : tensor.shape[d];
    };
    if (entry->format.has_value()) {
      if (tensor.shape.size() != 2 || entry->columns != size(1)) {
        return Inconsistent(*entry->data,
                            "a number of inputs that differs from the config");
      }
      rows[entry] += size(0);
    } else {
      rows[entry] += tensor.shape.size() == 2 ? size(0) * size(1) : size(0);
    }
  }
  for (const auto& [entry, count] : rows) {
    if (entry->rows != count) {
      return Inconsistent(*entry->data,
                          "a number of rows that differs from the config");
    }
  }
  const Entry& embedding = *Find(kEmbeddingTensor);
  if (!embedding.format.has_value()) {
    return Inconsistent(*embedding.data, "an embedding that is not a matrix");
  }
  if (embedding.names.size() != 1) {
    return Inconsistent(*embedding.data,
                        "an embedding stacked with other tensors");
  }
  return absl::OkStatus();
}

const PackedWeights::Entry* PackedWeights::Find(std::string_view name) const {
  const auto it = entry_of_.find(name);
  return it == entry_of_.end() ? nullptr : &entries_[it->second];
}

std::int64_t PackedWeights::Bytes(std::string_view name) const {
  // The whole entry is attributed to its first tensor.
  const Entry* entry = Find(name);
  if (entry == nullptr || entry->names[0] != name) return 0;
  return static_cast<std::int64_t>(entry->data->data.size());
}

absl::StatusOr<const PackedWeights::Entry*> PackedWeights::FindMatrix(
    const std::vector<std::string>& names) const {
  const Entry* entry = Find(names[0]);
  if (entry == nullptr || !entry->format.has_value() || entry->names != names) {
    return absl::NotFoundError(absl::StrCat(file_.path(), ": no matrix of \"",
                                            names[0],
                                            "\" with the required tensors"));
  }
  return entry;
}

absl::StatusOr<MatrixShape> PackedWeights::Shape(
    const std::vector<std::string>& names) const {
  ASSIGN_OR_RETURN(const Entry* entry, FindMatrix(names));
  return MatrixShape{static_cast<int>(entry->rows),
                     static_cast<int>(entry->columns), *entry->format};
}

absl::StatusOr<PackedMatrix> PackedWeights::Matrix(
    const std::vector<std::string>& names, ThreadPool& /*pool*/) const {
  ASSIGN_OR_RETURN(const Entry* entry, FindMatrix(names));
  PopulatePages(entry->data->data);
  return PackedMatrix::View(static_cast<int>(entry->rows),
                            static_cast<int>(entry->columns), *entry->format,
                            entry->data->data.data());
}

absl::Status PackedWeights::ReadRows(const std::vector<std::string>& names,
                                     int first, int count,
                                     WeightFormat /*format*/, ThreadPool& pool,
                                     RowVisitor visit) const {
  ASSIGN_OR_RETURN(const Entry* entry, FindMatrix(names));
  if (IsQuantized(*entry->format)) {
    return absl::UnimplementedError(absl::StrCat(
        file_.path(), ": \"", names[0], "\" is packed as ",
        InfoOf(*entry->format).name,
        " for processors, and GPUs cannot use it; give them the checkpoint "
        "that the file was made from"));
  }
  APOLLO_CHECK(first >= 0 && count >= 0 &&
               std::int64_t{first} + count <= entry->rows);
  const PackedMatrix matrix = PackedMatrix::View(
      static_cast<int>(entry->rows), static_cast<int>(entry->columns),
      *entry->format, entry->data->data.data());
  pool.ParallelFor(count, 8, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> row(static_cast<std::size_t>(entry->columns));
    for (std::int64_t r = first + begin; r < first + end; ++r) {
      matrix.GetRow(static_cast<int>(r), row.data());
      visit(static_cast<int>(r), {row.data(), nullptr});
    }
  });
  return absl::OkStatus();
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

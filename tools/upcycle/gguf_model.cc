#include "tools/upcycle/gguf_model.h"

#include <absl/strings/str_cat.h>

#include <cstdint>
#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "model/safetensors/tensor_view.h"
#include "tools/upcycle/gguf_split.h"

namespace apollo {
namespace {

// Checks that an opened file is the part `number` of the model of `given`.
absl::Status CheckPart(const GgufFile& file, std::int64_t number,
                       const GgufSplit& expected, const GgufFile& given) {
  const auto error = [&](const auto&... parts) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.path(), ": ", parts...));
  };
  ASSIGN_OR_RETURN(const GgufSplit split, ReadGgufSplit(file));
  if (split.number != number || split.count != expected.count) {
    return error("says that it is part ", split.number + 1, " of ", split.count,
                 " (split.no, split.count); by its name and ", given.path(),
                 " it must be part ", number + 1, " of ", expected.count);
  }
  if (split.tensors != expected.tensors) {
    return error("split.tensors.count is not that of ", given.path(),
                 "; they are parts of different models");
  }
  constexpr char kKey[] = "general.architecture";
  if (file.Has(kKey) && given.Has(kKey)) {
    ASSIGN_OR_RETURN(const std::string_view name, file.GetString(kKey));
    ASSIGN_OR_RETURN(const std::string_view expected_name,
                     given.GetString(kKey));
    if (name != expected_name) {
      return error(kKey, " is \"", ToAbsl(name), "\", but in ", given.path(),
                   " \"", ToAbsl(expected_name), "\"");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<GgufModel::Part> GgufModel::OpenPart(const std::string& path) {
  ASSIGN_OR_RETURN(MappedFile mapping, MappedFile::Open(path));
  ASSIGN_OR_RETURN(GgufFile file, GgufFile::Parse(mapping.bytes(), path));
  return Part{std::move(mapping), std::move(file)};
}

absl::StatusOr<GgufModel> GgufModel::Open(const std::string& path) {
  ASSIGN_OR_RETURN(Part given, OpenPart(path));
  ASSIGN_OR_RETURN(const GgufSplit split, ReadGgufSplit(given.file));
  RETURN_IF_ERROR(
      CheckGgufPartName(path, split, given.file.Has("split.count")));
  GgufModel model;
  for (std::int64_t number = 0; number < split.count; ++number) {
    if (number == split.number) continue;
    const std::string part_path = GgufPartPath(path, number, split.count);
    absl::StatusOr<Part> part = OpenPart(part_path);
    if (absl::IsNotFound(part.status())) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, ": is part ", split.number + 1, " of ", split.count, "; part ",
          number + 1, " is missing: ", part_path));
    }
    RETURN_IF_ERROR(part.status());
    RETURN_IF_ERROR(CheckPart(part->file, number, split, given.file));
    model.parts_.push_back(*std::move(part));
  }
  model.parts_.insert(model.parts_.begin() + split.number, std::move(given));
  RETURN_IF_ERROR(model.IndexTensors());
  if (split.tensors.has_value() &&
      *split.tensors != static_cast<std::int64_t>(model.tensors_.size())) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": split.tensors.count is ", *split.tensors, ", but the ",
        split.count, " part(s) hold ", model.tensors_.size(), " tensors"));
  }
  return model;
}

absl::Status GgufModel::IndexTensors() {
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    for (const auto& [name, tensor] : parts_[i].file.tensors()) {
      if (!tensors_.emplace(name, Place{&tensor, i}).second) {
        return absl::InvalidArgumentError(
            absl::StrCat(DescribeTensor(parts_[i].file.path(), name),
                         " is also in ", Where(name)));
      }
    }
  }
  return absl::OkStatus();
}

const GgufTensor* GgufModel::FindTensor(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : found->second.tensor;
}

std::vector<std::string_view> GgufModel::TensorNames() const {
  std::vector<std::string_view> names;
  for (const auto& [name, unused] : tensors_) names.push_back(name);
  return names;
}

std::string GgufModel::Where(std::string_view name) const {
  const auto found = tensors_.find(name);
  const std::size_t part = found == tensors_.end() ? 0 : found->second.part;
  return DescribeTensor(parts_[part].file.path(), name);
}

}  // namespace apollo

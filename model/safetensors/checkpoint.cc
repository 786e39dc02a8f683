#include "model/safetensors/checkpoint.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <cstddef>
#include <filesystem>
#include <system_error>
#include <utility>

#include "common/check.h"
#include "common/json.h"
#include "common/mapped_file.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace apollo {
namespace {

constexpr char kSingleFile[] = "model.safetensors";
constexpr char kIndexFile[] = "model.safetensors.index.json";
constexpr std::size_t kMaxIndexBytes = 64 << 20;
constexpr std::size_t kMaxShards = 4096;

bool Exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

// Returns a file name of an index without the "./" that some tools write.
std::string_view WithoutDot(std::string_view name) {
  while (name.starts_with("./")) name.remove_prefix(2);
  return name;
}

// An index may be untrusted: it must not refer to files outside its directory.
bool IsPlainFileName(std::string_view name) {
  constexpr std::size_t kMaxLength = 255;
  return name.size() <= kMaxLength &&
         name.find_first_of(std::string_view("/\\\0", 3)) ==
             std::string_view::npos &&
         name.find("..") == std::string_view::npos &&
         name.ends_with(".safetensors");
}

}  // namespace

absl::StatusOr<Checkpoint> Checkpoint::Open(const std::string& directory) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(directory, ignored)) {
    return absl::NotFoundError(
        absl::StrCat(directory, " is not a directory; a model directory holds ",
                     kSingleFile, " or ", kIndexFile));
  }
  Checkpoint checkpoint(directory);
  const std::string single = absl::StrCat(directory, "/", kSingleFile);
  const std::string index = absl::StrCat(directory, "/", kIndexFile);
  if (Exists(single)) {
    RETURN_IF_ERROR(checkpoint.AddSingle(single));
  } else if (Exists(index)) {
    RETURN_IF_ERROR(checkpoint.AddShards(index));
  } else {
    return absl::NotFoundError(absl::StrCat(directory, " holds neither ",
                                            kSingleFile, " nor ", kIndexFile));
  }
  return checkpoint;
}

absl::Status Checkpoint::AddSingle(const std::string& path) {
  ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::Open(path));
  files_.push_back(std::make_unique<SafetensorsFile>(std::move(file)));
  for (const auto& [name, view] : files_.back()->tensors()) {
    tensors_.emplace(name, &view);
  }
  return absl::OkStatus();
}

absl::Status Checkpoint::AddShards(const std::string& index_path) {
  ASSIGN_OR_RETURN(const std::string text,
                   ReadFile(index_path, kMaxIndexBytes));
  ASSIGN_OR_RETURN(const Json index, ParseJson(text, index_path));
  const auto error = [&](const auto&... parts) {
    return absl::InvalidArgumentError(absl::StrCat(index_path, ": ", parts...));
  };
  if (!index.is_object() || !index.contains("weight_map") ||
      !index["weight_map"].is_object() || index["weight_map"].empty()) {
    return error(
        "must be an object with \"weight_map\", an object that maps each "
        "tensor "
        "to its file");
  }
  std::map<std::string, const SafetensorsFile*> shards;  // Null: no such file.
  for (const auto& [name, file] : index["weight_map"].items()) {
    const std::string where = DescribeTensor(index_path, name);
    if (!file.is_string()) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": the file must be a string"));
    }
    const std::string file_name(WithoutDot(file.get_ref<const std::string&>()));
    if (!IsPlainFileName(file_name)) {
      return absl::InvalidArgumentError(absl::StrCat(
          where,
          ": the file must be a plain name ending in .safetensors, in the "
          "same directory"));
    }
    auto shard = shards.find(file_name);
    if (shard == shards.end()) {
      if (shards.size() == kMaxShards) {
        return error("lists more than ", kMaxShards, " files");
      }
      ASSIGN_OR_RETURN(const SafetensorsFile* opened, OpenShard(file_name));
      shard = shards.emplace(file_name, opened).first;
    }
    const TensorView* view =
        shard->second == nullptr ? nullptr : shard->second->Find(name);
    if (view != nullptr) {
      tensors_.emplace(name, view);
    } else {
      absent_.emplace(
          name,
          absl::StrCat(where, " is listed as part of ", file_name,
                       shard->second == nullptr ? ", which does not exist"
                                                : ", which does not have it"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<const SafetensorsFile*> Checkpoint::OpenShard(
    const std::string& file_name) {
  const std::string path = absl::StrCat(directory_, "/", file_name);
  if (!Exists(path)) return nullptr;
  ASSIGN_OR_RETURN(SafetensorsFile opened, SafetensorsFile::Open(path));
  files_.push_back(std::make_unique<SafetensorsFile>(std::move(opened)));
  return files_.back().get();
}

const TensorView* Checkpoint::Find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : found->second;
}

absl::StatusOr<const TensorView*> Checkpoint::Get(std::string_view name) const {
  const TensorView* view = Find(name);
  if (view != nullptr) return view;
  if (const auto absent = absent_.find(name); absent != absent_.end()) {
    return absl::NotFoundError(absent->second);
  }
  return absl::NotFoundError(
      absl::StrCat(DescribeTensor(directory_, name), " is missing"));
}

void Checkpoint::Replace(
    const std::string& name,
    std::vector<std::pair<std::string, TensorView>> parts) {
  APOLLO_CHECK(tensors_.erase(name) == 1);
  for (auto& [part, view] : parts) {
    parts_.push_back(std::make_unique<TensorView>(std::move(view)));
    APOLLO_CHECK(tensors_.emplace(part, parts_.back().get()).second);
  }
  replaced_.insert(name);
}

std::vector<std::string> Checkpoint::names() const {
  std::vector<std::string> names;
  names.reserve(tensors_.size());
  for (const auto& [name, unused] : tensors_) names.push_back(name);
  return names;
}

}  // namespace apollo

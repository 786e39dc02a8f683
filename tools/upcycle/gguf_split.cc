#include "tools/upcycle/gguf_split.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include "common/status_macros.h"
#include "common/strings.h"

namespace apollo {
namespace {

// As many as the five digits in a name can count.
constexpr std::int64_t kMaxParts = 99999;

std::string NameEnd(std::int64_t number, std::int64_t count) {
  return absl::StrFormat("-%05d-of-%05d.gguf", number + 1, count);
}

constexpr std::size_t kNameEndSize = sizeof("-00001-of-00003.gguf") - 1;

// Returns true if the path ends like that of a part of several.
bool LooksLikeAPart(std::string_view path) {
  if (path.size() < kNameEndSize) return false;
  std::string end(path.substr(path.size() - kNameEndSize));
  for (char& c : end) {
    if (c >= '0' && c <= '9') c = '0';
  }
  return end == "-00000-of-00000.gguf" && !path.ends_with("-of-00001.gguf");
}

}  // namespace

absl::StatusOr<GgufSplit> ReadGgufSplit(const GgufFile& file) {
  const auto error = [&](std::string_view key, const auto&... parts) {
    return absl::InvalidArgumentError(
        absl::StrCat(DescribeGgufKey(file.path(), key), parts...));
  };
  GgufSplit split;
  if (const char* key = "split.tensors.count"; file.Has(key)) {
    ASSIGN_OR_RETURN(split.tensors, file.GetInt(key));
  }
  constexpr char kCount[] = "split.count";
  if (file.Has(kCount)) {
    ASSIGN_OR_RETURN(split.count, file.GetInt(kCount));
    if (split.count < 0 || split.count > kMaxParts) {
      return error(kCount, " is ", split.count, "; it must be from 1 to ",
                   kMaxParts);
    }
    if (split.count == 0) split.count = 1;  // As some writers mark whole files.
  }
  constexpr char kNumber[] = "split.no";
  if (split.count > 1 || file.Has(kNumber)) {
    ASSIGN_OR_RETURN(split.number, file.GetInt(kNumber));
    if (split.number < 0 || split.number >= split.count) {
      return error(kNumber, " is ", split.number, "; it must be from 0 to ",
                   split.count - 1, ", below split.count");
    }
  }
  return split;
}

absl::Status CheckGgufPartName(std::string_view path, const GgufSplit& split,
                               bool has_keys) {
  if (split.count == 1) {
    if (has_keys || !LooksLikeAPart(path)) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        ToAbsl(path), ": the name is that of a part of a split model, but the ",
        "key split.count is missing; without it the model may be incomplete"));
  }
  const std::string end = NameEnd(split.number, split.count);
  if (path.ends_with(end)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      ToAbsl(path), ": is part ", split.number + 1, " of ", split.count,
      " (split.no, split.count), so its name must end in \"", end,
      "\" for the other parts to be found"));
}

std::string GgufPartPath(std::string_view path, std::int64_t number,
                         std::int64_t count) {
  return absl::StrCat(ToAbsl(path.substr(0, path.size() - kNameEndSize)),
                      NameEnd(number, count));
}

}  // namespace apollo

#include "tools/upcycle/dense_base.h"

#include <absl/strings/str_cat.h>

#include <filesystem>
#include <system_error>

#include "tools/upcycle/gguf_base.h"
#include "tools/upcycle/hf_base.h"

namespace apollo {

absl::StatusOr<std::unique_ptr<DenseBase>> OpenDenseBase(
    const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return OpenHfBase(path);
  if (!std::filesystem::exists(path, ignored)) {
    return absl::NotFoundError(
        absl::StrCat(path,
                     " does not exist; expected a GGUF file or a Hugging Face "
                     "directory"));
  }
  return OpenGgufBase(path);
}

}  // namespace apollo

#include "model/tokenizer/json_field.h"

#include <absl/strings/str_cat.h>

#include "common/strings.h"

namespace apollo {
namespace {

constexpr std::size_t kMaxValueBytes = 60;

const Json& Null() {
  static const Json null;
  return null;
}

std::string Place(std::string_view source, const std::string& path,
                  std::string_view what) {
  return absl::StrCat(ToAbsl(source), ": ", path, path.empty() ? "" : ": ",
                      ToAbsl(what));
}

}  // namespace

absl::StatusOr<JsonField> JsonField::Member(std::string_view key) const {
  if (!value_->is_object()) return Invalid("expected an object");
  std::string path = absl::StrCat(path_, path_.empty() ? "" : ".", ToAbsl(key));
  const auto found = value_->find(std::string(key));
  return JsonField(found == value_->end() ? Null() : *found, source_,
                   std::move(path));
}

JsonField JsonField::Element(std::size_t index) const {
  return JsonField((*value_)[index], source_,
                   absl::StrCat(path_, "[", index, "]"));
}

JsonField JsonField::At(std::size_t index) const {
  return JsonField(Null(), source_, absl::StrCat(path_, "[", index, "]"));
}

absl::StatusOr<bool> JsonField::Bool(std::optional<bool> otherwise) const {
  if (absent() && otherwise.has_value()) return *otherwise;
  if (!value_->is_boolean()) return Invalid("expected true or false");
  return value_->get<bool>();
}

absl::StatusOr<std::string> JsonField::String(
    std::optional<std::string> otherwise) const {
  if (absent() && otherwise.has_value()) return *otherwise;
  if (!value_->is_string()) return Invalid("expected a string");
  return value_->get<std::string>();
}

absl::Status JsonField::ExpectArray() const {
  return value_->is_array() ? absl::OkStatus() : Invalid("expected an array");
}

absl::Status JsonField::Refused(std::string_view what) const {
  std::string value = value_->dump(-1, ' ', /*ensure_ascii=*/true);
  if (value.size() > kMaxValueBytes) {
    value.resize(kMaxValueBytes);
    value += "...";
  }
  return Unsupported(absl::StrCat("is ", value, "; ", ToAbsl(what)));
}

absl::Status JsonField::Invalid(std::string_view what) const {
  return absl::InvalidArgumentError(Place(source_, path_, what));
}

absl::Status JsonField::Unsupported(std::string_view what) const {
  return absl::UnimplementedError(Place(source_, path_, what));
}

}  // namespace apollo

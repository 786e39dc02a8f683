#include "model/safetensors/header.h"

#include <absl/status/status.h>
#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "common/json.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace apollo {
namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kMaxRank = 16;

// A safetensors header has three levels: file, tensor, shape.
constexpr JsonLimits kJsonLimits = {.max_depth = 3};

std::uint64_t ReadLittleEndian64(const std::uint8_t* bytes) {
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | bytes[i];
  return value;
}

// Describes a JSON value without quoting long text.
std::string Describe(const Json& value) {
  if (value.is_number()) return value.dump();
  return absl::StrCat("a value of type ", value.type_name());
}

class TensorParser {
 public:
  TensorParser(std::string_view path, const std::string& name,
               std::span<const std::uint8_t> data)
      : path_(path), name_(name), data_(data) {}

  absl::StatusOr<TensorView> Parse(const Json& json) const {
    if (!json.is_object()) {
      return Error("must be an object, is ", Describe(json));
    }
    for (const auto& [key, unused] : json.items()) {
      if (key != "dtype" && key != "shape" && key != "data_offsets") {
        return Error("has a key other than dtype, shape and data_offsets");
      }
    }
    TensorView view;
    view.name = name_;
    view.file = std::string(path_);
    RETURN_IF_ERROR(ParseDType(json, view));
    RETURN_IF_ERROR(ParseShape(json, view));
    ASSIGN_OR_RETURN(const std::optional<std::size_t> bytes, BytesOf(view));
    RETURN_IF_ERROR(ParseOffsets(json, bytes, view));
    return view;
  }

 private:
  template <typename... Parts>
  absl::Status Error(const Parts&... parts) const {
    return absl::InvalidArgumentError(
        absl::StrCat(DescribeTensor(path_, name_), ": ", parts...));
  }

  // Types that are not known may occur in tensors that nobody reads.
  absl::Status ParseDType(const Json& json, TensorView& view) const {
    constexpr std::size_t kMaxName = 32;
    const auto dtype = json.find("dtype");
    if (dtype == json.end()) return Error("dtype is missing");
    if (!dtype->is_string()) {
      return Error("dtype must be a string, is ", Describe(*dtype));
    }
    view.dtype_name = dtype->get<std::string>();
    if (view.dtype_name.empty() || view.dtype_name.size() > kMaxName ||
        !std::all_of(
            view.dtype_name.begin(), view.dtype_name.end(),
            [](char c) { return absl::ascii_isalnum(c) || c == '_'; })) {
      return Error(
          "dtype is not the name of a type; F32, F16 and BF16 can be used");
    }
    view.dtype = DTypeFromName(view.dtype_name);
    return absl::OkStatus();
  }

  absl::Status ParseShape(const Json& json, TensorView& view) const {
    const auto shape = json.find("shape");
    if (shape == json.end()) return Error("shape is missing");
    if (!shape->is_array()) {
      return Error("shape must be an array, is ", Describe(*shape));
    }
    if (shape->size() > kMaxRank) {
      return Error("shape has ", shape->size(), " dimensions; at most ",
                   kMaxRank, " are accepted");
    }
    for (const Json& size : *shape) {
      ASSIGN_OR_RETURN(const std::int64_t value, ParseSize(size, "shape"));
      view.shape.push_back(value);
    }
    return absl::OkStatus();
  }

  // Returns the number of bytes that the shape needs; nullopt if the size of
  // the type is not known.
  absl::StatusOr<std::optional<std::size_t>> BytesOf(
      const TensorView& view) const {
    const std::optional<std::size_t> bits = DTypeBitsByName(view.dtype_name);
    auto all = static_cast<std::int64_t>(bits.value_or(8));
    for (const std::int64_t size : view.shape) {
      if (__builtin_mul_overflow(all, size, &all)) {
        return Error("shape is too large: its size overflows");
      }
    }
    if (!bits) return std::nullopt;
    if (all % 8 != 0) {
      return Error("shape ", ShapeToString(view.shape), " of ", view.dtype_name,
                   " needs ", all, " bits, which are not whole bytes");
    }
    return static_cast<std::size_t>(all / 8);
  }

  // `bytes`: those of the shape, if they are known.
  absl::Status ParseOffsets(const Json& json, std::optional<std::size_t> bytes,
                            TensorView& view) const {
    const auto offsets = json.find("data_offsets");
    if (offsets == json.end()) return Error("data_offsets is missing");
    if (!offsets->is_array() || offsets->size() != 2) {
      return Error(
          "data_offsets must be an array of two numbers, begin and end");
    }
    ASSIGN_OR_RETURN(const std::int64_t begin,
                     ParseSize((*offsets)[0], "data_offsets"));
    ASSIGN_OR_RETURN(const std::int64_t end,
                     ParseSize((*offsets)[1], "data_offsets"));
    const std::string shown =
        absl::StrCat("data_offsets [", begin, ", ", end, "]");
    if (begin > end) return Error(shown, ": the end is before the beginning");
    if (static_cast<std::size_t>(end) > data_.size()) {
      return Error(shown, " reach beyond the ", data_.size(),
                   " bytes of data in the file");
    }
    const std::size_t length = static_cast<std::size_t>(end - begin);
    if (bytes && length != *bytes) {
      return Error(shown, " hold ", length, " bytes, but shape ",
                   ShapeToString(view.shape), " of ", view.dtype_name,
                   " needs ", *bytes);
    }
    view.data = data_.subspan(static_cast<std::size_t>(begin), length);
    return absl::OkStatus();
  }

  absl::StatusOr<std::int64_t> ParseSize(const Json& value,
                                         std::string_view what) const {
    if (!value.is_number_unsigned()) {
      return Error(ToAbsl(what), " must hold whole numbers from 0, holds ",
                   Describe(value));
    }
    const auto number = value.get<std::uint64_t>();
    if (number >
        static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return Error(ToAbsl(what), " holds ", number, ", which is too large");
    }
    return static_cast<std::int64_t>(number);
  }

  const std::string_view path_;
  const std::string& name_;
  const std::span<const std::uint8_t> data_;
};

absl::Status CheckMetadata(const Json& metadata, std::string_view path) {
  const auto is_string = [](const Json& value) { return value.is_string(); };
  if (!metadata.is_object() ||
      !std::all_of(metadata.begin(), metadata.end(), is_string)) {
    return absl::InvalidArgumentError(absl::StrCat(
        ToAbsl(path), ": __metadata__ must be an object of strings"));
  }
  return absl::OkStatus();
}

// All tensors lie inside `data`. Checks that they fill it without overlap or
// gap.
absl::Status CheckLayout(const TensorMap& tensors,
                         std::span<const std::uint8_t> data,
                         std::string_view path) {
  std::vector<const TensorView*> order;
  order.reserve(tensors.size());
  for (const auto& [unused, view] : tensors) order.push_back(&view);
  // An empty tensor precedes the one that begins at the same offset.
  std::sort(order.begin(), order.end(),
            [](const TensorView* a, const TensorView* b) {
              return std::pair(a->data.data(), a->data.size()) <
                     std::pair(b->data.data(), b->data.size());
            });
  std::size_t covered = 0;
  for (const TensorView* view : order) {
    const std::size_t begin =
        static_cast<std::size_t>(view->data.data() - data.data());
    if (begin != covered) {
      return absl::InvalidArgumentError(absl::StrCat(
          DescribeTensor(path, view->name), ": data_offsets begin at ", begin,
          begin < covered ? ", inside" : ", leaving a gap after",
          " the tensor before it, which ends at ", covered));
    }
    covered += view->data.size();
  }
  if (covered != data.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(ToAbsl(path), ": the tensors end at byte ", covered,
                     " of the data, but the file has ", data.size()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TensorMap> ParseSafetensors(std::span<const std::uint8_t> file,
                                           std::string_view path) {
  const auto error = [&](const auto&... parts) {
    return absl::InvalidArgumentError(
        absl::StrCat(ToAbsl(path), ": ", parts...));
  };
  if (file.size() < kLengthBytes) {
    return error("has ", file.size(),
                 " bytes, too few for the length of a safetensors header");
  }
  const std::uint64_t header_bytes = ReadLittleEndian64(file.data());
  if (header_bytes > kMaxSafetensorsHeader) {
    return error("the header claims ", header_bytes, " bytes; at most ",
                 kMaxSafetensorsHeader, " are accepted");
  }
  if (header_bytes > file.size() - kLengthBytes) {
    return error("the header claims ", header_bytes, " bytes, but only ",
                 file.size() - kLengthBytes, " follow; is the file truncated?");
  }
  const std::string_view text(
      reinterpret_cast<const char*>(file.data()) + kLengthBytes, header_bytes);
  const auto data = file.subspan(kLengthBytes + header_bytes);
  ASSIGN_OR_RETURN(
      const Json header,
      ParseJson(text, absl::StrCat(ToAbsl(path), ": header"), kJsonLimits));
  if (!header.is_object()) {
    return error("the header must be a JSON object, is ", Describe(header));
  }
  TensorMap tensors;
  for (const auto& [name, json] : header.items()) {
    if (name == "__metadata__") {
      RETURN_IF_ERROR(CheckMetadata(json, path));
      continue;
    }
    ASSIGN_OR_RETURN(TensorView view,
                     TensorParser(path, name, data).Parse(json));
    tensors.emplace(name, std::move(view));
  }
  RETURN_IF_ERROR(CheckLayout(tensors, data, path));
  return tensors;
}

}  // namespace apollo

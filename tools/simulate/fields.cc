#include "tools/simulate/fields.h"

#include <absl/strings/str_cat.h>

#include <utility>

namespace apollo::simulate {

Fields::Fields(const Json& object, std::string where)
    : object_(object), where_(std::move(where)) {
  if (object.is_object()) return;
  std::string name = where_;
  if (!name.empty() && name.back() == '.') name.pop_back();
  status_ = absl::InvalidArgumentError(
      absl::StrCat(name.empty() ? "the scenario" : name, " is ", object.dump(),
                   "; it must be an object"));
}

const Json* Fields::Get(const char* key) {
  known_.insert(key);
  if (!object_.is_object()) return nullptr;
  const auto it = object_.find(key);
  return it == object_.end() ? nullptr : &*it;
}

void Fields::Fail(const std::string& key, const std::string& reason) {
  status_.Update(
      absl::InvalidArgumentError(absl::StrCat(Path(key), " ", reason)));
}

void Fields::Integer(const char* key, int least, int most, int& value) {
  const Json* const json = Get(key);
  if (json == nullptr) return;
  if (!json->is_number_integer() || *json < least || *json > most) {
    Fail(key, absl::StrCat("is ", json->dump(), "; it must be an integer from ",
                           least, " to ", most));
    return;
  }
  value = json->get<int>();
}

void Fields::Number(const char* key, double least, double most, double& value) {
  const Json* const json = Get(key);
  if (json == nullptr) return;
  if (!json->is_number() || *json < least || *json > most) {
    Fail(key, absl::StrCat("is ", json->dump(), "; it must be a number from ",
                           least, " to ", most));
    return;
  }
  value = json->get<double>();
}

void Fields::String(const char* key, std::string& value) {
  const Json* const json = Get(key);
  if (json == nullptr) return;
  if (!json->is_string()) {
    Fail(key, absl::StrCat("is ", json->dump(), "; it must be a string"));
    return;
  }
  value = json->get<std::string>();
}

void Fields::Flag(const char* key, bool& value) {
  const Json* const json = Get(key);
  if (json == nullptr) return;
  if (!json->is_boolean()) {
    Fail(key, absl::StrCat("is ", json->dump(), "; it must be true or false"));
    return;
  }
  value = json->get<bool>();
}

void Fields::Range(const char* key, int& least, int& most) {
  constexpr int kMost = 1 << 20;
  const Json* const json = Get(key);
  if (json == nullptr) return;
  const auto valid = [](const Json& number) {
    return number.is_number_integer() && number >= 1 && number <= kMost;
  };
  if (valid(*json)) {
    least = most = json->get<int>();
  } else if (json->is_array() && json->size() == 2 && valid((*json)[0]) &&
             valid((*json)[1]) && (*json)[0] <= (*json)[1]) {
    least = (*json)[0].get<int>();
    most = (*json)[1].get<int>();
  } else {
    Fail(key, absl::StrCat("is ", json->dump(), "; it must be an integer from ",
                           "1 to ", kMost,
                           ", or the least and the most of a "
                           "range, such as [20, 200]"));
  }
}

absl::Status Fields::Done() {
  if (!status_.ok()) return status_;
  for (const auto& [key, value] : object_.items()) {
    if (known_.contains(key)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(Path(key), " is unknown; known here: ", [this] {
          std::string names;
          for (const std::string& name : known_) {
            absl::StrAppend(&names, names.empty() ? "" : ", ", name);
          }
          return names;
        }()));
  }
  return absl::OkStatus();
}

}  // namespace apollo::simulate

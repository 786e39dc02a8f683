#pragma once

#include <absl/status/status.h>

#include <set>
#include <string>
#include <vector>

#include "common/json.h"

namespace apollo::simulate {

// Reads the fields of a JSON object. The first error is kept: a value of the
// wrong type or out of range, or, in Done, a key that nothing has asked for.
// Errors name the path of the key, its value and what is valid. The object must
// outlive the reader. Single-threaded.
class Fields {
 public:
  // `where` is the path of the object, for errors.
  Fields(const Json& object, std::string where);

  // Each leaves `value` as it is if there is no such key.
  void Integer(const char* key, int least, int most, int& value);
  void Number(const char* key, double least, double most, double& value);
  void String(const char* key, std::string& value);
  void Flag(const char* key, bool& value);
  // Reads [least, most] with 1 <= least <= most, or one number for both.
  void Range(const char* key, int& least, int& most);
  // Returns the value, or null if there is none. Its path is Path(key).
  const Json* Get(const char* key);

  std::string Path(const std::string& key) const { return where_ + key; }
  // Keeps an error about a key.
  void Fail(const std::string& key, const std::string& reason);
  void Update(const absl::Status& status) { status_.Update(status); }
  bool ok() const { return status_.ok(); }
  // Returns the first error.
  absl::Status Done();

 private:
  const Json& object_;
  const std::string where_;
  std::set<std::string> known_;
  absl::Status status_;
};

}  // namespace apollo::simulate

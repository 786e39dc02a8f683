#include "model/prompt/jinja_functions.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "model/prompt/jinja_is.h"

namespace apollo {
namespace {

using minja::ArgumentsValue;
using minja::Context;
using minja::Value;

// As in Jinja's sandbox.
constexpr std::int64_t kMaxRange = 100000;

using Pointer = std::shared_ptr<Context>;

// Makes a function of `least` to `most` positional arguments.
template <typename Function>
Value Callable(const char* name, std::size_t least, std::size_t most,
               Function function) {
  return Value::callable(
      [name, least, most, function = std::move(function)](
          const Pointer&, ArgumentsValue& arguments) -> Value {
        arguments.expectArgs(name, {least, most}, {0, 0});
        return function(arguments.args);
      });
}

Value Length(const std::vector<Value>& args) {
  if (!args[0].is_string()) {
    return Value(static_cast<std::int64_t>(args[0].size()));
  }
  const auto text = args[0].get<std::string>();
  return Value(static_cast<std::int64_t>(
      std::count_if(text.begin(), text.end(), [](char byte) {
        return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
      })));
}

Value First(const std::vector<Value>& args) {
  if (!args[0].is_array()) throw std::runtime_error("first needs a list");
  return args[0].empty() ? Value() : args[0].at(0);
}

Value Replace(const std::vector<Value>& args) {
  const auto text = args[0].get<std::string>();
  const auto old = args[1].get<std::string>();
  const auto fresh = args[2].get<std::string>();
  if (old.empty()) throw std::runtime_error("replace needs a text to replace");
  std::string out;
  std::size_t done = 0;
  for (std::size_t at = text.find(old); at != text.npos;
       at = text.find(old, done)) {
    out.append(text, done, at - done).append(fresh);
    done = at + old.size();
  }
  return Value(out.append(text, done));
}

Value Range(const std::vector<Value>& args, StepBudget* budget) {
  const std::int64_t start = args.size() > 1 ? args[0].get<std::int64_t>() : 0;
  const std::int64_t end = args[args.size() > 1 ? 1 : 0].get<std::int64_t>();
  const std::int64_t step = args.size() > 2 ? args[2].get<std::int64_t>() : 1;
  if (step == 0) throw std::runtime_error("range() with a step of 0");
  auto numbers = Value::array();
  std::int64_t left = kMaxRange;
  for (std::int64_t i = start; step > 0 ? i < end : i > end;) {
    if (left-- == 0) throw LimitExceeded();
    budget->Spend(1);
    numbers.push_back(Value(i));
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return numbers;
}

// The name of a variable is the argument: its value would not tell whether it
// exists.
Value VariableTest(bool none) {
  return Value::callable(
      [none](const Pointer& context, ArgumentsValue& arguments) -> Value {
        const Value& name = arguments.args.at(0);
        if (!context->contains(name)) return Value(false);
        return Value(!none || context->get(name).is_null());
      });
}

}  // namespace

void AddJinjaFunctions(absl::Time now, absl::TimeZone zone, StepBudget* budget,
                       Value* variables) {
  variables->set("raise_exception",
                 Callable("raise_exception", 1, 1,
                          [](const std::vector<Value>& args) -> Value {
                            throw Raised{args[0].to_str()};
                          }));
  variables->set("strftime_now",
                 Callable("strftime_now", 1, 1, [now, zone](const auto& args) {
                   return Value(absl::FormatTime(
                       args[0].template get<std::string>(), now, zone));
                 }));
  variables->set("range", Callable("range", 1, 3, [budget](const auto& args) {
                   return Range(args, budget);
                 }));
  variables->set("length", Callable("length", 1, 1, Length));
  variables->set("count", Callable("count", 1, 1, Length));
  variables->set("first", Callable("first", 1, 1, First));
  variables->set("replace", Callable("replace", 3, 3, Replace));
  variables->set(kJinjaIsNone, VariableTest(true));
  variables->set(kJinjaIsDefined, VariableTest(false));
}

}  // namespace apollo

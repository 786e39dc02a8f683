#include "tools/apollo/arguments.h"

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "common/nearest_word.h"

namespace apollo::client {
namespace {

const CLI::App* FindCommand(const CLI::App& app, const std::string& name) {
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    if (command->get_name() == name) return command;
  }
  return nullptr;
}

const CLI::Option* FindOption(const CLI::App* app, const std::string& name) {
  return app == nullptr ? nullptr : app->get_option_no_throw(name);
}

bool TakesValue(const CLI::Option& option) {
  return option.get_items_expected_max() > 0;
}

// Returns what is wrong with a value; empty: nothing that is seen here.
std::string WrongNumber(const CLI::Option& option, const std::string& value) {
  const std::string type = option.get_type_name();
  double number = 0;
  std::int64_t whole = 0;
  const char* wanted = nullptr;
  if (type == "FLOAT" &&
      !(absl::SimpleAtod(value, &number) && std::isfinite(number))) {
    wanted = "a number";
  } else if (type == "INT" && !absl::SimpleAtoi(value, &whole)) {
    wanted = "a whole number";
  } else if (type == "UINT" &&
             (value.empty() ||
              !std::all_of(value.begin(), value.end(), absl::ascii_isdigit))) {
    wanted = "a whole number, 0 or more";
  }
  if (wanted == nullptr) return "";
  return absl::StrCat(option.get_name(), " is \"", value, "\"; it must be ",
                      wanted);
}

// Reads the arguments one by one.
class Reader {
 public:
  explicit Reader(const CLI::App& app) : app_(app) {}

  Arguments Read(const std::vector<std::string>& arguments) {
    for (at_ = 0; at_ < arguments.size() && result_.problem.empty(); ++at_) {
      const std::string& argument = arguments[at_];
      if (argument == "--") {
        result_.list.insert(result_.list.end(), arguments.begin() + at_,
                            arguments.end());
        break;
      }
      if (argument.rfind("--", 0) == 0) {
        ReadOption(arguments);
      } else if (argument.size() > 1 && argument[0] == '-') {
        ReadShort(argument);
      } else {
        ReadWord(argument);
      }
    }
    return std::move(result_);
  }

 private:
  // Reads a command, or a text that belongs to one.
  void ReadWord(const std::string& word) {
    if (command_ == nullptr) {
      command_ = FindCommand(app_, word);
      if (command_ == nullptr) {
        std::vector<std::string> known;
        for (const CLI::App* command : app_.get_subcommands(nullptr)) {
          known.push_back(command->get_name());
        }
        Suggest(absl::StrCat("unknown command \"", word, "\""),
                NearestWord(word, known));
        return;
      }
    } else if (const CLI::App* action = FindCommand(*command_, word)) {
      command_ = action;
    }
    result_.list.push_back(word);
  }

  void ReadShort(const std::string& argument) {
    if (FindOption(command_, argument) == nullptr &&
        FindOption(&app_, argument) == nullptr) {
      result_.problem = absl::StrCat(
          "\"", argument,
          "\" is not an option; put a text that begins with \"-\" after "
          "\"--\"");
      return;
    }
    result_.list.push_back(argument);
  }

  void ReadOption(const std::vector<std::string>& arguments) {
    const std::string& argument = arguments[at_];
    const std::size_t equals = argument.find('=');
    std::string name = argument.substr(0, equals);
    std::replace(name.begin() + 2, name.end(), '-', '_');
    const CLI::Option* option = FindOption(command_, name);
    if (option == nullptr) option = FindOption(&app_, name);
    if (option == nullptr) {
      UnknownOption(argument.substr(0, equals), name);
      return;
    }
    std::optional<std::string> value;
    if (equals != std::string::npos) value = argument.substr(equals + 1);
    result_.list.push_back(value ? absl::StrCat(name, "=", *value) : name);
    if (!TakesValue(*option)) return;
    if (!value) {
      if (++at_ >= arguments.size()) {
        result_.problem = absl::StrCat(name, " has no value");
        return;
      }
      value = arguments[at_];
      result_.list.push_back(*value);
    }
    result_.problem = WrongNumber(*option, *value);
  }

  void UnknownOption(const std::string& written, const std::string& name) {
    std::vector<std::string> owners;
    for (const CLI::App* command : app_.get_subcommands(nullptr)) {
      if (FindOption(command, name) != nullptr) {
        owners.push_back(command->get_name());
      }
    }
    if (!owners.empty()) {
      const std::string commands = absl::StrJoin(owners, ", ");
      result_.problem =
          command_ == nullptr
              ? absl::StrCat(name, " must follow the command (", commands, ")")
              : absl::StrCat(name, " is not an option of ",
                             command_->get_name(), ", but of ", commands);
      return;
    }
    std::vector<std::string> known;
    for (const CLI::App* app : {command_, &app_}) {
      if (app == nullptr) continue;
      for (const CLI::Option* option : app->get_options()) {
        for (const std::string& known_name : option->get_lnames()) {
          known.push_back("--" + known_name);
        }
      }
    }
    Suggest(absl::StrCat("unknown option \"", written, "\""),
            NearestWord(name, known));
  }

  void Suggest(const std::string& problem, const std::string& best) {
    result_.problem = problem;
    if (!best.empty()) {
      absl::StrAppend(&result_.problem, "; did you mean \"", best, "\"?");
    }
  }

  const CLI::App& app_;
  const CLI::App* command_ = nullptr;
  std::size_t at_ = 0;
  Arguments result_;
};

}  // namespace

Arguments ReadArguments(const CLI::App& app,
                        const std::vector<std::string>& arguments) {
  return Reader(app).Read(arguments);
}

std::string CommandIn(const CLI::App& app,
                      const std::vector<std::string>& arguments) {
  // The value of an option may equal a command's name.
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--") return "";
    const CLI::Option* option = arguments[i].rfind("--", 0) == 0
                                    ? FindOption(&app, arguments[i])
                                    : nullptr;
    if (option != nullptr && TakesValue(*option)) {
      ++i;
    } else if (FindCommand(app, arguments[i]) != nullptr) {
      return arguments[i];
    }
  }
  return "";
}

}  // namespace apollo::client

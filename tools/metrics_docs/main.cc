// Prints the tables of all metrics, or brings docs/metrics.md up to date.

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "tools/metrics_docs/markdown.h"
#include "tools/metrics_docs/metric_list.h"

namespace apollo {
namespace {

// Returns the exit code.
int Update(const std::string& path, const std::string& tables) {
  std::ifstream in(path);
  const std::string old((std::istreambuf_iterator<char>(in)),
                        std::istreambuf_iterator<char>());
  if (!in) {
    std::cerr << "cannot read " << path << "\n";
    return 1;
  }
  const absl::StatusOr<std::string> text = WithTables(old, tables);
  if (!text.ok()) {
    std::cerr << path << ": " << text.status().message() << "\n";
    return 1;
  }
  std::ofstream out(path);
  out << *text;
  if (!out.flush()) {
    std::cerr << "cannot write " << path << "\n";
    return 1;
  }
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App app("Prints the tables of docs/metrics.md, made from the code.");
  std::string document;
  bool names = false;
  app.add_option("--update", document,
                 "Replaces the tables in this file instead of printing them.");
  app.add_flag("--names", names,
               "Prints the name and the type of each metric, one a line.");
  CLI11_PARSE(app, argc, argv);
  const auto metrics = ListMetrics();
  if (!document.empty()) return Update(document, ToMarkdown(metrics));
  std::cout << (names ? ToNames(metrics) : ToMarkdown(metrics));
  return 0;
}

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) { return apollo::Main(argc, argv); }

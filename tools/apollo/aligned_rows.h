#pragma once

#include <string>
#include <vector>

namespace apollo::client {

// The cells of a line of a table. All rows of a table have as many.
using TableRow = std::vector<std::string>;

// Returns a line for each row, without line feeds. Each column begins two
// spaces behind the longest cell of the one before. `rows` is not empty.
std::vector<std::string> AlignedRows(const std::vector<TableRow>& rows);

}  // namespace apollo::client

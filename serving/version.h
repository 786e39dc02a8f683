#pragma once

namespace apollo {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace apollo

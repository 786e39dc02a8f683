#pragma once

#include <string_view>
#include <vector>

#include "model/language/detector.h"

namespace apollo {

// Detects the language in which to answer a chat: that of the user's last
// message. Earlier messages of the user are a prior, used only as far as the
// last one has no language (Detection::neutral), as in "ok, 20 mg?".
// `user_messages` holds the user's messages in the order of the chat; if empty,
// there are no candidates. Considers only the last 4 messages.
Detection DetectChat(const LanguageDetector& detector,
                     const std::vector<std::string_view>& user_messages);

}  // namespace apollo

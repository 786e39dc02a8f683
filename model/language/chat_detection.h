#pragma once

#include <string_view>
#include <vector>

#include "model/language/detector.h"

namespace apollo {

// The language in which a chat should be answered: that of the user's last
// message. Earlier messages of the user are a prior that decides only what the
// last one leaves open ("ok, 20 mg?"): as far as that is in no language
// (Detection::neutral), they say it all. `user_messages` is in the order of the
// chat, without those of the assistant or the system; empty gives no
// candidates. Looks at no more than the last 4 messages.
Detection DetectChat(const LanguageDetector& detector,
                     const std::vector<std::string_view>& user_messages);

}  // namespace apollo

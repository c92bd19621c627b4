// Texts as Java counts and hashes them.
#pragma once

#include <string>
#include <string_view>

namespace moldau {

// The UTF-16 units of a UTF-8 text. What is no UTF-8 becomes U+FFFD, byte by byte.
std::u16string to_utf16(std::string_view text);

}  // namespace moldau

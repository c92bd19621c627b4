// Texts for people, in replies.
#pragma once

#include <algorithm>
#include <string>

#include "wire/reader.h"

namespace moldau::wire {

// `text`, no longer than a string may be and without half a character at its end: names that peers chose
// stand in it, and those may be as long as that already.
inline std::string sayable(std::string text) {
  auto size = std::min(text.size(), static_cast<std::size_t>(kMaxStringBytes));
  while (size > 0 && size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  text.resize(size);
  return text;
}

}  // namespace moldau::wire

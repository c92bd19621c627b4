// Subscriptions by regular expression (KIP-848): RE2's syntax, as Kafka's RE2/J has it, matched against whole
// topic names. RE2 takes time in proportion to pattern and text, and its memory is bounded: no pattern
// explodes.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "metadata/image.h"

namespace moldau::group {

// What is wrong with it; nullopt: nothing.
std::optional<std::string> regex_error(std::string_view regex);

// The topics of `image` that match; none for what is no regular expression.
std::set<std::string, std::less<>> matching_topics(std::string_view regex, const metadata::Image& image);

}  // namespace moldau::group

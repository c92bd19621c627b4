// How many descriptors this process may have.
#pragma once

#include <cstdint>

namespace moldau::os {

// Raises the limit of open files as far as this process may by itself (RLIMIT_NOFILE, soft to hard), as a JVM
// does at its start. The limit that holds from now on.
std::uint64_t raise_open_file_limit();

}  // namespace moldau::os

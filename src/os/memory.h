// What the allocator keeps for itself.
#pragma once

namespace moldau::os {

// Gives back to the system what the calling thread has freed and the allocator has kept for its next
// allocations. For threads that come to rest; costs up to a millisecond. With an allocator other than
// mimalloc it does nothing.
void give_back_memory();

}  // namespace moldau::os

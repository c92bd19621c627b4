#include "os/memory.h"

extern "C" void mi_collect(bool force) __attribute__((weak));

namespace moldau::os {

void give_back_memory() {
  if (mi_collect != nullptr) mi_collect(true);
}

}  // namespace moldau::os

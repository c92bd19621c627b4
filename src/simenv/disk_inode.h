// A file of the simulated disk: what it holds, and what of that would survive. For disk.cc.
//
// `content` is what is read; `platter` what was synced. The sectors of `dirty` may differ between them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <set>

#include "simenv/disk.h"

namespace moldau::simenv {

inline constexpr std::uint64_t kSector = 512;
inline constexpr std::uint64_t kPage = 4096;

struct Disk::Inode {
  Bytes content;
  Bytes platter;
  std::set<std::uint64_t> dirty;  // sectors of `content` that differ or may differ from `platter`
  std::set<std::uint64_t> cold;   // pages of `content` that are not in memory
  std::int64_t modified_ms = 0;
  bool size_dirty = false;

  void forget() {
    for (std::uint64_t page = 0; page * kPage < content.size(); ++page) cold.insert(page);
  }
  bool in_memory(std::uint64_t from, std::uint64_t to) const {
    const auto first = cold.lower_bound(from / kPage);
    return first == cold.end() || *first * kPage >= std::min<std::uint64_t>(to, content.size());
  }
  void bring_in(std::uint64_t from, std::uint64_t to) {
    cold.erase(cold.lower_bound(from / kPage), cold.lower_bound((to + kPage - 1) / kPage));
  }
  void touch(std::uint64_t from, std::uint64_t to) {
    bring_in(from, to);
    for (std::uint64_t s = from / kSector; s * kSector < to; ++s) dirty.insert(s);
  }
  void copy_sector(std::uint64_t sector, const Bytes& from, Bytes& to) const {
    const std::uint64_t begin = sector * kSector;
    const std::uint64_t end = std::min<std::uint64_t>({begin + kSector, from.size(), to.size()});
    if (begin < end) std::memcpy(to.data() + begin, from.data() + begin, end - begin);
  }
  void sync() {
    platter.resize(content.size());
    for (const std::uint64_t sector : dirty) copy_sector(sector, content, platter);
    dirty.clear();
    size_dirty = false;
  }
  void lose_power(Random& random) {
    if (!size_dirty && dirty.empty()) return;
    Bytes survivor = platter;
    std::uint64_t size = content.size();
    if (size_dirty && random.one_in(2)) size = platter.size();
    if (size_dirty && size > platter.size() && random.one_in(2))
      size = platter.size() + random.below(size - platter.size() + 1);
    survivor.resize(size);  // what was never written there reads as zeros
    const bool most = random.one_in(2);
    for (const std::uint64_t sector : dirty) {
      if (most ? !random.one_in(8) : random.one_in(2)) copy_sector(sector, content, survivor);
    }
    content = platter = std::move(survivor);
    dirty.clear();
    size_dirty = false;
  }
};

}  // namespace moldau::simenv

#include "log/aborted_index.h"

namespace moldau::log {

Bytes format_aborted(const AbortedEntry& entry) {
  Bytes out(kAbortedEntryBytes);
  store_be(out.data(), std::int16_t{0});
  store_be(out.data() + 2, entry.producer.value);
  store_be(out.data() + 10, entry.first_offset.value);
  store_be(out.data() + 18, entry.last_offset.value);
  store_be(out.data() + 26, entry.last_stable_offset.value);
  return out;
}

Result<std::vector<AbortedEntry>> parse_aborted(ByteView bytes, const std::string& path) {
  std::vector<AbortedEntry> entries;
  for (; bytes.size() >= kAbortedEntryBytes; bytes = bytes.subspan(kAbortedEntryBytes)) {
    const auto version = load_be<std::int16_t>(bytes.data());
    const auto field = [&](std::size_t at) { return load_be<std::int64_t>(bytes.data() + at); };
    if (version != 0)
      return fail(ErrorKind::kCorrupt,
                  path + ": expected entries of version 0, found " + std::to_string(version));
    const AbortedEntry entry{ProducerId{field(2)}, Offset{field(10)}, Offset{field(18)}, Offset{field(26)}};
    if (!entries.empty() && entry.last_offset <= entries.back().last_offset)
      return fail(ErrorKind::kCorrupt, path + ": expected a last offset above " +
                                           std::to_string(entries.back().last_offset.value) + ", found " +
                                           std::to_string(entry.last_offset.value));
    entries.push_back(entry);
  }
  return entries;
}

}  // namespace moldau::log

#include "sim/ledger.h"

#include <algorithm>
#include <utility>

namespace moldau::sim {

std::string to_string(RecordId id) {
  return "record " + std::to_string(id.number) + " of writer " + std::to_string(id.writer);
}

std::string to_string(const Watched& w) {
  return "start " + std::to_string(w.start) + ", high watermark " + std::to_string(w.high_watermark) +
         ", end " + std::to_string(w.end) + ", recovery point " + std::to_string(w.recovery_point);
}

std::optional<env::Instant> Partition::readable_since(std::int64_t offset) const {
  const auto found = std::ranges::upper_bound(reached, offset, {}, &Reached::high_watermark);
  return found == reached.end() ? std::nullopt : std::optional(found->when);
}

Topic& Ledger::add_topic(const std::string& name) {
  topics_.push_back(std::make_unique<Topic>());
  topics_.back()->name = name;
  return *topics_.back();
}

Topic* Ledger::find(const std::string& name) {
  const auto found = std::ranges::find(topics_, name, [](const auto& topic) { return topic->name; });
  return found == topics_.end() ? nullptr : found->get();
}

Partition& Ledger::partition(Topic& topic, std::int32_t index) {
  const auto at = static_cast<std::size_t>(index);
  while (topic.partitions.size() <= at) {
    topic.partitions.push_back(std::make_unique<Partition>());
    topic.partitions.back()->topic = &topic;
    topic.partitions.back()->index = static_cast<std::int32_t>(topic.partitions.size() - 1);
  }
  return *topic.partitions[at];
}

Writer& Ledger::add_writer(const std::string& topic, std::int32_t partition) {
  writers_.push_back(
      {.id = static_cast<std::uint32_t>(writers_.size()), .topic = topic, .partition = partition});
  return writers_.back();
}

const Writer* Ledger::writer(std::uint32_t id) const {
  return id < writers_.size() ? &writers_[id] : nullptr;
}

// The one place where an offset gets its record.
void Ledger::learn(Partition& p, std::int64_t offset, RecordId id, const char* how) {
  const Writer* const by = writer(id.writer);
  if (by == nullptr || by->topic != p.topic->name || by->partition != p.index || id.number >= by->sent)
    return violate(std::string(how) + " " + p.name() + " at offset " + std::to_string(offset) + ": " +
                   to_string(id) + ", which nobody has sent there");
  if (offset < 0)
    return violate(std::string(how) + " " + p.name() + " at the offset " + std::to_string(offset));
  if (p.log.size() <= static_cast<std::size_t>(offset)) p.log.resize(static_cast<std::size_t>(offset) + 1);
  Known& known = p.log[static_cast<std::size_t>(offset)];
  if (known.id && *known.id != id)
    return violate(std::string(how) + " " + p.name() + " at offset " + std::to_string(offset) + ": " +
                   to_string(id) + ", where " + to_string(*known.id) +
                   (known.acked ? " was acknowledged" : " was seen"));
  known.id = id;
  if (by->transactional && (p.first_transactional == kNowhere || offset < p.first_transactional))
    p.first_transactional = offset;
  if (!by->once) return;
  const auto [at, is_new] = p.where.try_emplace(id, offset);
  if (!is_new && at->second != offset && at->second >= (p.watched ? p.watched->start : 0))
    violate(std::string(how) + " " + p.name() + ": " + to_string(id) + " at offset " +
            std::to_string(offset) + ", and before at offset " + std::to_string(at->second));
  at->second = offset;
}

void Ledger::acked(Partition& p, RecordId first, std::uint32_t count, std::int64_t base) {
  if (p.topic->dying) return;
  if (p.watched && base + count > p.watched->end)
    return violate("acknowledged " + p.name() + " offsets " + std::to_string(base) + " to " +
                   std::to_string(base + count - 1) + ", and the log ends at " +
                   std::to_string(p.watched->end));
  for (std::uint32_t i = 0; i < count; ++i) {
    learn(p, base + i, {first.writer, first.number + i}, "acknowledged in");
    if (static_cast<std::size_t>(base + i) < p.log.size())
      p.log[static_cast<std::size_t>(base + i)].acked = true;
  }
  records_acked_ += count;
  p.acked_end = std::max(p.acked_end, base + count);
  if (p.topic->flush_each) p.durable_end = std::max(p.durable_end, base + count);
}

void Ledger::observed(Partition& p, std::int64_t offset, RecordId id, std::int64_t timestamp) {
  ++records_observed_;
  learn(p, offset, id, "a reader saw in");
  if (offset < 0 || static_cast<std::size_t>(offset) >= p.log.size()) return;
  Known& known = p.log[static_cast<std::size_t>(offset)];
  if (timestamp >= 0 && known.timestamp >= 0 && known.timestamp != timestamp)
    violate("a reader saw in " + p.name() + " at offset " + std::to_string(offset) + " the timestamp " +
            std::to_string(timestamp) + ", and an earlier one " + std::to_string(known.timestamp));
  if (timestamp >= 0) known.timestamp = timestamp;
  // What was shown must stay where everything that is shown is on disk.
  if (p.topic->flush_each && !p.topic->dying) p.durable_end = std::max(p.durable_end, offset + 1);
}

OwnerBook& Ledger::add_owners(const std::string& group, const std::vector<const Topic*>& topics) {
  std::map<std::string, GroupBook*> commits;
  for (const Topic* topic : topics)
    commits.emplace(topic->name,
                    &add_group(group, *topic, static_cast<std::int32_t>(topic->partitions.size())));
  return owners_.emplace_back(group, std::move(commits), violate_);
}

std::uint64_t Ledger::partitions_taken() const {
  std::uint64_t taken = 0;
  for (const OwnerBook& owners : owners_) taken += owners.taken();
  return taken;
}

void Ledger::died(Death death) {
  for (GroupBook& group : groups_) group.died(death);
  for (OwnerBook& owners : owners_) owners.died(death);
  for (const auto& topic : topics_) {
    for (const auto& p : topic->partitions) {
      p->died = std::max(p->died.value_or(Death::kClean), death);
      p->watched.reset();
    }
  }
}

void Ledger::watch(Partition& p, const Watched& now, env::Instant when) {
  if (p.died) restarted(p, now, *std::exchange(p.died, std::nullopt));
  if (p.watched && *p.watched == now) return;
  const auto complain = [&](const std::string& what) {
    violate(p.name() + ": " + what + " (" + to_string(now) + ")");
  };
  if (now.start > now.high_watermark || now.high_watermark > now.end)
    complain("expected start <= high watermark <= end");
  if (now.recovery_point > now.end) complain("the recovery point is above the end");
  if (p.topic->flush_each && now.high_watermark > std::max({now.recovery_point, p.durable_end, now.start}))
    complain("flush.messages=1, and the high watermark is above what is on disk");
  if (p.watched) {
    if (now.start < p.watched->start)
      complain("the start went back from " + std::to_string(p.watched->start));
    if (now.high_watermark < p.watched->high_watermark)
      complain("the high watermark went back from " + std::to_string(p.watched->high_watermark));
    if (now.end < p.watched->end) complain("the end went back from " + std::to_string(p.watched->end));
  }
  if (now.start > p.delete_asked && !p.topic->retention && !p.topic->dying && !p.lost_something &&
      !p.rotted)  // the bit may be one of a time, and retention goes by that
    complain("records were deleted that nobody asked to delete above offset " +
             std::to_string(p.delete_asked));
  if (p.reached.empty() || now.high_watermark > p.reached.back().high_watermark)
    p.reached.push_back({when, now.high_watermark});
  p.end_ever = std::max(p.end_ever, now.end);
  p.durable_end = std::max(p.durable_end, now.recovery_point);
  p.watched = now;
}

void Ledger::restarted(Partition& p, const Watched& now, Death death) {
  const std::string end = std::to_string(now.end);
  if (!p.rotted) {
    if (death != Death::kPower && now.end < p.end_ever)
      violate(p.name() + ": written up to offset " + std::to_string(p.end_ever) + " before the " +
              (death == Death::kKill ? "kill" : "clean stop") + ", found an end at " + end);
    if (death == Death::kPower && now.end < p.durable_end)
      violate(p.name() + ": on disk up to offset " + std::to_string(p.durable_end) +
              " before the power went, found an end at " + end);
  }
  if (now.end < p.end_ever) p.lost_something = true;
  // Between segments that were not synced a compacted log may have a hole: nobody knows what compaction has
  // taken.
  if (death == Death::kPower && p.topic->compacted && p.durable_end < p.end_ever) {
    p.lost_something = true;
    for (std::int64_t o = p.durable_end; o < std::ssize(p.log); ++o) p.log[static_cast<std::size_t>(o)] = {};
    std::erase_if(p.where, [&](const auto& item) { return item.second >= p.durable_end; });
    if (p.first_transactional >= p.durable_end) p.first_transactional = kNowhere;
  }
  forget_from(p, now.end);
  p.end_ever = now.end;
  p.reached.clear();
  p.watched.reset();
}

void Ledger::forget_from(Partition& p, std::int64_t end) {
  if (p.log.size() > static_cast<std::size_t>(end)) p.log.resize(static_cast<std::size_t>(end));
  std::erase_if(p.where, [&](const auto& item) { return item.second >= end; });
  p.acked_end = std::min(p.acked_end, end);
  p.durable_end = std::min(p.durable_end, end);
  if (p.first_transactional >= end) p.first_transactional = kNowhere;
}

void Ledger::audited(Partition& p, std::int64_t start, const std::vector<std::optional<RecordId>>& ids) {
  std::map<std::uint32_t, std::uint32_t> next;  // of each ordered writer
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!ids[i]) continue;  // rotten
    const std::int64_t offset = start + static_cast<std::int64_t>(i);
    learn(p, offset, *ids[i], "lies in");
    const Writer* by = writer(ids[i]->writer);
    // Where records were lost, the broker no longer knows the producer, and takes any sequence from it.
    if (by == nullptr || !by->ordered || p.lost_something || p.rotted || p.topic->compacted) continue;
    const auto [expected, is_first] = next.try_emplace(ids[i]->writer, ids[i]->number);
    if (is_first && start == 0) expected->second = 0;
    if (ids[i]->number < expected->second || (ids[i]->number > expected->second && !by->gaps))
      violate(p.name() + " at offset " + std::to_string(offset) + ": expected record " +
              std::to_string(expected->second) + " of the idempotent writer " +
              std::to_string(ids[i]->writer) + ", found its record " + std::to_string(ids[i]->number));
    expected->second = ids[i]->number + 1;
  }
}

bool Ledger::deletes(RecordId id) const {
  const Writer* const by = writer(id.writer);
  return by != nullptr && by->deletes && deletes_its_key(id);
}

// Whether a record that deletes this key was sent, and nobody knows where it is, or was: it may have come
// later than all that is known, and have gone since.
bool Ledger::may_be_deleted(const Partition& p, const Bytes& key) const {
  std::set<RecordId> placed;
  for (const Known& known : p.log)
    if (known.id) placed.insert(*known.id);
  for (const Writer& by : writers_) {
    if (!by.deletes || by.topic != p.topic->name || by.partition != p.index) continue;
    for (RecordId id{by.id, 0}; id.number < by.sent; ++id.number)
      if (deletes_its_key(id) && compacted_key_of(id) == key && !placed.contains(id)) return true;
  }
  return false;
}

void Ledger::audited_compacted(Partition& p, std::int64_t start,
                               const std::vector<std::optional<RecordId>>& ids) {
  if (p.rotted) return;
  struct Key {
    std::int64_t told = kNowhere;                    // the newest record that anybody was told of
    std::int64_t first = kNowhere, last = kNowhere;  // of those that are there
  };
  std::map<Bytes, Key> keys;
  const std::int64_t end = start + std::ssize(ids);
  const std::int64_t readable = p.watched ? p.watched->high_watermark : end;
  for (std::int64_t o = start; o < std::min<std::int64_t>(readable, std::ssize(p.log)); ++o)
    if (const auto& id = p.log[static_cast<std::size_t>(o)].id) keys[compacted_key_of(*id)].told = o;
  for (std::int64_t o = start; o < end; ++o) {
    const auto& id = ids[static_cast<std::size_t>(o - start)];
    if (!id) continue;
    Key& key = keys[compacted_key_of(*id)];
    if (key.first == kNowhere) key.first = o;
    key.last = o;
  }
  for (const auto& [bytes, key] : keys) {
    if (key.told == kNowhere || key.last >= key.told) continue;
    const RecordId newest = *p.log[static_cast<std::size_t>(key.told)].id;
    const std::string what = p.name() + " offset " + std::to_string(key.told) + ": " + to_string(newest);
    if (!deletes(newest) && may_be_deleted(p, bytes)) continue;
    if (!deletes(newest))
      violate(what + ", the newest of its key, is gone");
    else if (key.last != kNowhere)
      violate(what + ", which deleted its key, is gone, and an older record is there at offset " +
              std::to_string(key.last));
  }
}

void Ledger::must_be_whole(const Partition& p) {
  const std::int64_t end = p.watched ? p.watched->high_watermark : 0;
  if (end < p.acked_end && !p.topic->dying && !p.rotted)
    violate(p.name() + ": acknowledged up to offset " + std::to_string(p.acked_end) +
            ", and readers get to " + std::to_string(end));
}

void Ledger::given(std::int64_t producer_id) {
  if (producer_id < 0 || !producer_ids_.insert(producer_id).second)
    violate("the producer id " + std::to_string(producer_id) + " was given twice, or is none");
}

void Ledger::looked_up(Partition& p, std::int64_t timestamp, std::int64_t offset, std::int64_t end) {
  if (p.topic->dying || p.rotted) return;
  const std::int64_t start = p.watched ? p.watched->start : 0;
  const std::int64_t limit = p.topic->compacted ? start : offset == kNowhere ? end : offset;
  for (std::int64_t o = start; o < limit && o < static_cast<std::int64_t>(p.log.size()); ++o) {
    const Known& known = p.log[static_cast<std::size_t>(o)];
    if (known.timestamp >= timestamp)
      return violate(p.name() + ": the first record from time " + std::to_string(timestamp) +
                     " on was told at offset " + std::to_string(offset) + ", and a reader saw the time " +
                     std::to_string(known.timestamp) + " at offset " + std::to_string(o));
  }
  if (offset < 0 || static_cast<std::size_t>(offset) >= p.log.size()) return;
  const Known& known = p.log[static_cast<std::size_t>(offset)];
  if (known.timestamp >= 0 && known.timestamp < timestamp)
    violate(p.name() + ": the first record from time " + std::to_string(timestamp) +
            " on was told at offset " + std::to_string(offset) + ", where a reader saw the time " +
            std::to_string(known.timestamp));
}

}  // namespace moldau::sim

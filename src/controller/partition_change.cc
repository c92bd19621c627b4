#include "controller/partition_change.h"

#include <algorithm>

#include "metadata/features.h"
#include "metadata/records.h"
#include "wire/gen/metadata_records.h"

namespace moldau::controller {
namespace {

using Brokers = std::vector<BrokerId>;

bool contains(const Brokers& brokers, BrokerId id) { return std::ranges::find(brokers, id) != brokers.end(); }

std::vector<std::int32_t> numbers(const Brokers& brokers) {
  std::vector<std::int32_t> out;
  for (const BrokerId id : brokers) out.push_back(id.value);
  return out;
}

// Who would be in sync, eligible and leading afterwards.
class Target {
 public:
  explicit Target(const PartitionChange& change)
      : change_(change), partition_(change.partition), isr(change.target_isr) {
    if (change.elr_enabled) find_eligible();
    elect();
    if (change.elr_enabled) remember_last_leader();
  }

 private:
  const PartitionChange& change_;
  const metadata::Partition& partition_;

 public:
  Brokers isr, elr, last_known;
  BrokerId leader = kNoBroker;
  bool unclean = false;

 private:
  void find_eligible() {
    last_known = partition_.last_known_elr;
    if (isr.size() >= static_cast<std::size_t>(change_.min_insync_replicas)) return;
    for (const Brokers* from : {&partition_.eligible_leader_replicas, &partition_.isr})
      for (const BrokerId id : *from)
        if (!contains(elr, id) && !contains(isr, id) && !contains(change_.unclean_shutdown, id))
          elr.push_back(id);
  }

  bool valid(BrokerId id) const {
    return (contains(isr, id) || (isr.empty() && contains(elr, id))) && change_.acceptable(id);
  }

  void elect() {
    leader = choose();
    if (leader != kNoBroker && (unclean || contains(elr, leader))) {
      isr = {leader};
      std::erase(elr, leader);
      if (unclean) elr.clear();
    }
  }

  BrokerId choose() {
    const Brokers& replicas = partition_.replicas;
    if (change_.election == Election::kPreferred && valid(replicas.front())) return replicas.front();
    if (valid(partition_.leader)) return partition_.leader;
    if (const auto clean = std::ranges::find_if(replicas, [&](BrokerId id) { return valid(id); });
        clean != replicas.end())
      return *clean;
    if (change_.elr_enabled && isr.empty() && elr.empty() && partition_.last_known_elr.size() == 1 &&
        change_.acceptable(partition_.last_known_elr.front())) {
      unclean = true;
      return partition_.last_known_elr.front();
    }
    if (change_.election == Election::kUnclean) {
      const auto any = std::ranges::find_if(replicas, change_.acceptable);
      if (any != replicas.end()) return unclean = true, *any;
    }
    return kNoBroker;
  }

  // last_known_elr holds the last leader while there is none.
  void remember_last_leader() {
    if (leader != kNoBroker) {
      last_known.clear();
    } else if (isr.empty() && partition_.leader != kNoBroker) {
      last_known = {partition_.leader};
    }
  }
};

}  // namespace

std::optional<Bytes> PartitionChange::record() const {
  const Target target(*this);
  wire::PartitionChangeRecord record;
  record.partition_id = partition.index.value;
  record.topic_id = topic_id;
  bool changes = false;
  const auto note = [&](auto& field, const Brokers& before, const Brokers& after) {
    if (before == after) return;
    field = numbers(after);
    changes = true;
  };
  if (target.leader != partition.leader) {
    record.leader = target.leader.value;
    changes = true;
  }
  // Without ELR the ISR keeps its last member, who alone may lead again.
  if (!target.isr.empty() || elr_enabled) note(record.isr, partition.isr, target.isr);
  note(record.eligible_leader_replicas, partition.eligible_leader_replicas, target.elr);
  note(record.last_known_elr, partition.last_known_elr, target.last_known);
  if (target.unclean && partition.leader_recovery_state != 1)
    record.leader_recovery_state = 1, changes = true;
  if (directories && *directories != partition.directories) record.directories = directories, changes = true;
  if (!changes) return std::nullopt;
  return metadata::encode_record(record, metadata::partition_record_version(metadata_version));
}

}  // namespace moldau::controller

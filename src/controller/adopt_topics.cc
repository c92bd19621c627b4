// Topics that stand on the disk but not in the metadata: a directory from ZooKeeper's time. Taken over once.
#include "controller/controller.h"
#include "controller/decision.h"
#include "metadata/records.h"
#include "wire/gen/metadata_records.h"

namespace moldau::controller {

using metadata::Partition;

Outcome<AdoptTopics::Reply> Controller::handle(const AdoptTopics& request, env::Instant,
                                               env::Random& random) const {
  Outcome<AdoptTopics::Reply> outcome;
  // All or nothing, however many batches they fill.
  wire::BeginTransactionRecord begin;
  begin.name = "Topics of an older directory";
  outcome.records.push_back(metadata::encode_record(begin, 0));
  for (const AdoptTopics::Topic& topic : request.topics) {
    if (image_->find_topic(topic.name) != nullptr) continue;
    wire::TopicRecord record;
    record.name = topic.name;
    record.topic_id =
        topic.id.is_zero() || image_->find_topic(topic.id) != nullptr ? random.uuid() : topic.id;
    outcome.records.push_back(metadata::encode_record(record, 0));
    for (const AdoptTopics::Topic::Partition& found : topic.partitions) {
      Partition partition{.index = found.index, .leader = request.broker, .leader_epoch = found.leader_epoch};
      partition.replicas = partition.isr = {request.broker};
      partition.directories = {found.directory_id};
      outcome.records.push_back(metadata::to_record(partition, record.topic_id, image_->metadata_version()));
    }
  }
  if (outcome.records.size() == 1) return {};
  outcome.records.push_back(metadata::encode_record(wire::EndTransactionRecord{}, 0));
  return outcome;
}

}  // namespace moldau::controller

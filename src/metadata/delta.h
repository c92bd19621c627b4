// Delta: takes metadata records and makes the next image, and says what differs from the last.
//
//   Delta delta(image);
//   TRY(delta.apply(record, offset)); …
//   Delta::Result next = delta.finish({last_offset, epoch, timestamp});
//
// Always holds: the base image is untouched; the cost of a delta depends on what it touches, not on how much
// there is. Between BeginTransaction and EndTransaction the records so far must not be shown to anybody:
// in_transaction() is true, and AbortTransaction takes them back (KIP-868). Owned by one thread.
// (Kafka: MetadataDelta, MetadataBatchLoader.)
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "metadata/image.h"

namespace moldau::metadata {

// A topic that came (no before), went (no after) or changed. A topic deleted and made again under its name
// is two of these.
struct TopicChange {
  TopicPtr before, after;
  // Partitions that are new, gone or different, sorted.
  std::vector<PartitionIndex> partitions;
};

struct Changes {
  std::vector<TopicChange> topics;  // deletions first, then the others; each sorted by name
  std::vector<Resource> configs;    // resources whose settings differ, sorted
  std::vector<BrokerId> brokers;    // registrations that are new, gone or different, sorted
  bool features = false;
  bool producer_ids = false;
  bool kept = false;  // quotas, ACLs, SCRAM credentials or tokens

  bool empty() const;
};

class Delta {
 public:
  struct Result {
    ImagePtr image;
    Changes changes;
  };

  explicit Delta(ImagePtr base);
  ~Delta();

  // One record's value with its framing (wire/record_frame.h). kCorrupt: not a metadata record, or one that
  // contradicts the image (a partition of a topic that is not there). kUnsupported: a newer version of a
  // known type, or a metadata.version from after this release. After an error the delta is to be thrown away.
  // Records of unknown types are kept.
  Status apply(ByteView record);

  bool in_transaction() const { return savepoint_ != nullptr; }
  // REQUIRES: !in_transaction(). The delta is used up.
  Result finish(const Provenance& provenance) &&;

 private:
  friend class Replay;
  struct Touched;

  Topic* change_topic(const Uuid& id);
  BrokerRegistration* change_broker(BrokerId id);

  ImagePtr base_;
  Image next_;
  std::unique_ptr<Touched> touched_;
  std::unique_ptr<Image> savepoint_;
};

}  // namespace moldau::metadata

// Delta: takes metadata records and makes the next image, and says what differs from the last.
//
//   Delta delta(image);
//   TRY(delta.apply(record)); …
//   Delta::Next next = std::move(delta).finish({last_offset, epoch, timestamp});
//
// Always holds: the base image is untouched; the cost of a delta depends on what it touches, not on how much
// there is. Between BeginTransaction and EndTransaction the records so far must not be shown to anybody:
// in_transaction() is true, and AbortTransaction takes them back (KIP-868). Owned by one thread.
// (Kafka: MetadataDelta, MetadataBatchLoader.)
#pragma once

#include <map>
#include <memory>
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
  std::vector<PartitionIndex> partitions;  // new, gone or different ones, sorted

  const Topic& any() const { return after ? *after : *before; }
};

struct Changes {
  std::vector<TopicChange> topics;  // those that went first, then the others; each sorted by name
  std::vector<Resource> configs;    // resources whose settings differ, sorted
  std::vector<BrokerId> brokers;    // registrations that are new, gone or different, sorted
  bool controllers = false;
  bool features = false;
  bool producer_ids = false;
  bool kept = false;  // quotas, ACLs, SCRAM credentials, tokens, or records of unknown types

  bool empty() const;
};

// What differs between two images, whatever lies between them.
Changes difference(const Image& before, const Image& after);

class Delta {
 public:
  struct Next {
    ImagePtr image;
    Changes changes;
  };

  explicit Delta(ImagePtr base);
  ~Delta();
  Delta(Delta&&) noexcept;
  Delta& operator=(Delta&&) noexcept;

  // One record's value with its framing (records.h). kCorrupt: not a metadata record, or one that contradicts
  // the image (a partition of a topic that is not there). kUnsupported: a newer version of a known type, or
  // a metadata.version from after this release. After an error the delta is to be thrown away. Records of
  // unknown types are kept.
  Status apply(ByteView record);

  bool in_transaction() const { return savepoint_ != nullptr; }
  // REQUIRES: !in_transaction().
  Next finish(const Provenance& provenance) &&;

 private:
  friend class Replay;

  // What may be changed in place until the next savepoint, and all that was touched.
  struct Touched {
    std::map<Uuid, std::shared_ptr<Topic>> open_topics;
    std::map<Resource, std::shared_ptr<ConfigMap>> open_configs;
    std::set<Uuid> topics;
    std::set<Resource> configs;
    bool kept = false;
  };

  ImagePtr base_;
  Image next_;
  Touched touched_;
  std::unique_ptr<Image> savepoint_;
};

}  // namespace moldau::metadata

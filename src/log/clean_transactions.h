// Which transactions compaction is in the middle of, as it walks over batches in the order of their offsets:
// says of each batch whether it may go. (Kafka: CleanedTransactionMetadata.)
//
//   aborted list ──first offset reached──▶ ongoing aborted ──its marker──▶ gone, or kept with the marker
//   data batch of another producer      ──▶ ongoing committed ──its marker──▶ kept; without data it may go
//
// A marker may go once nothing of its transaction was met. One thread.
#pragma once

#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "log/aborted_index.h"
#include "record/batch.h"
#include "record/control.h"

namespace moldau::log {

class CleanTransactions {
 public:
  // All aborted transactions that reach into what will be read.
  explicit CleanTransactions(std::vector<AbortedEntry> aborted);

  // Whether a batch of data belongs to an aborted transaction, so that its records may go.
  bool data(const record::BatchHeader& header);

  struct Marker {
    bool may_go = false;
    std::optional<AbortedEntry> kept{};  // its transaction stays in the index of aborted ones
  };
  // `type` is nothing for a control batch that was emptied before.
  Marker control(const record::BatchHeader& header, std::optional<record::ControlType> type);

 private:
  struct Ongoing {
    AbortedEntry entry;
    bool met = false;  // a batch of it
  };
  void reach(Offset offset);

  std::vector<AbortedEntry> aborted_;  // by first offset
  std::size_t next_ = 0;
  std::unordered_map<ProducerId, Ongoing> ongoing_;
  std::unordered_set<ProducerId> committed_;
};

}  // namespace moldau::log

// The broker epoch that a clean stop left in `.kafka_cleanshutdown` of every log directory (KIP-966,
// org.apache.kafka.storage.internals.checkpoint.CleanShutdownFileHandler):
//   {"version":0,"brokerEpoch":42}
// A broker that registers with it had lost nothing: its partitions keep their leaders and epochs. Pure, but
// for the files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "env/filesystem.h"

namespace moldau::broker {

// -1 unless all directories agree on one. To be asked before the logs are loaded: loading removes the files.
std::int64_t previous_broker_epoch(env::FileSystem& fs, const std::vector<std::string>& directories);

}  // namespace moldau::broker

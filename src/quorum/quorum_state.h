// The file `quorum-state`: JSON, one line, who led last and in which epoch. (Kafka: FileQuorumStateStore)
//
//   kraft.version 0  {"clusterId":"","leaderId":1,"leaderEpoch":1,"votedId":-1,"appliedOffset":0,
//                     "currentVoters":[{"voterId":1}],"data_version":0}
//   kraft.version 1  {"leaderId":1,"leaderEpoch":1,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA",
//                     "data_version":1}
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "env/filesystem.h"

namespace moldau::quorum {

struct QuorumStateFile {
  BrokerId leader = kNoBroker;
  LeaderEpoch epoch{0};
  std::vector<BrokerId> voters;  // version 0 only
  int version = 1;
};

std::string format_quorum_state(const QuorumStateFile& state);
// kCorrupt, kUnsupported: `path` and what is wrong.
Result<QuorumStateFile> parse_quorum_state(std::string_view text, const std::string& path);

}  // namespace moldau::quorum

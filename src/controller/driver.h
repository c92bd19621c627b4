// The driver: carries a controller's decisions to the quorum and its replies back.
//
//   execute: handle ──records──▶ quorum.append ──▶ apply ──▶ quorum.sync ──▶ follower.image_changed ──▶ reply
//                                    │ error                       │ error
//                                    └──────────────┬──────────────┘
//                                                   ▼
//               the controller is dropped and loaded again from the log; the caller gets the error
//
// Always holds: image() and what the follower saw contain only what cannot be lost; a reply says only what
// the follower has already seen. Blocks in the quorum's sync: call it from Background work, one at a time
// (env::Serial). No thread of its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "controller/controller.h"
#include "env/clock.h"
#include "env/random.h"
#include "metadata/delta.h"
#include "metadata/image.h"
#include "quorum/quorum.h"

namespace moldau::controller {

// What a fresh cluster begins with: the features at their newest levels.
std::vector<Bytes> bootstrap_records();

// Who follows the metadata: the broker. Called by the driver with each new image, in order.
class Follower {
 public:
  virtual ~Follower() = default;
  virtual void image_changed(const metadata::ImagePtr& image, const metadata::Changes& changes) = 0;
};

class Driver {
 public:
  struct Environment {
    quorum::Quorum& quorum;
    const env::Clock& clock;
    env::Random& random;
    Follower& follower;
  };

  // Loads everything from the quorum; the follower sees one image, with everything as its changes.
  static Result<std::unique_ptr<Driver>> open(Environment environment, Options options,
                                              const std::string& cluster_id);

  // Decides, makes durable, tells the follower, replies. An Error: the quorum could not write; nothing was
  // promised, the request may be tried again (NOT_CONTROLLER or COORDINATOR_NOT_AVAILABLE to a client).
  template <typename Request>
  Result<typename Request::Reply> execute(const Request& request);

  // Snapshots if it is time. Call it now and then, and at a clean stop.
  Status maintain();

  // All that cannot be lost.
  const metadata::ImagePtr& image() const { return published_; }
  quorum::QuorumState quorum_state() const { return environment_.quorum.state(); }

 private:
  Driver(const Environment& environment, Options options, std::string cluster_id);
  Status load();
  Status recover_from(const Error& error);
  Status write(const std::vector<Bytes>& records);
  Status write_what_is_missing();

  const Environment environment_;
  const Options options_;
  const std::string cluster_id_;
  std::unique_ptr<Controller> controller_;  // nullptr: to be loaded again first
  metadata::ImagePtr published_;
};

}  // namespace moldau::controller

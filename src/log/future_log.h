// What a partition folder says about moves between log directories, and who may touch a log that is on the
// move.
//
// A move copies the current log of a partition into a future log, `<topic>-<partition>.<32 hex>-future` of
// another directory, and puts that in its place once it has everything. A crash, or a directory that fails,
// may strike between the renames; a file in the folder then says which of two logs is the later one:
//
//   move-generation   0        version
//                     3        of two folders of one partition, the one with the larger number counts
//
// A folder without the file has generation 0. The file is written, durably, before the folder gets the
// partition's name, and goes away when no other folder can be left. Kafka does not look at it.
//
//   <t>-<p>.x-future ──generation n+1──▶ <t>-<p>.x-future ──rename──▶ <t>-<p>       (target directory)
//                                                                      │
//                              <t>-<p>  ◀── still there ──▶ rename ──▶ <t>-<p>.y-delete   (source directory)
//
// If the first rename may or may not be durable and the move is given up, the old folder gets the next
// generation before it is written to again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "env/filesystem.h"
#include "env/serial.h"
#include "log/checkpoint.h"
#include "log/log_manager.h"

namespace moldau::log {

// 0 if there is no such file, or one that a power loss has torn (nothing counts on it then: it is synced
// before the rename that makes it matter).
Result<std::int64_t> load_move_generation(env::FileSystem& fs, const std::string& folder);
// Durable when it returns.
Status store_move_generation(env::FileSystem& fs, const std::string& folder, std::int64_t generation);

// Guards a future log until it takes the place of the current one, and is guarded as that one was from then
// on. Any thread.
class FutureGuard final : public Exclusion {
 public:
  // Runs `work`, or nothing after close(); under the successor's exclusion once there is one.
  void run(const std::function<void()>& work) override;
  // The same for the mover: false, and nothing was run, after close() or succeed().
  bool hold(const std::function<void()>& work);
  // Nobody touches the log any more.
  void close();
  // From within hold(): the log is the current one now.
  void succeed_within(std::shared_ptr<Exclusion> successor);

 private:
  struct State {
    bool closed = false;
    std::shared_ptr<Exclusion> successor;
  };
  env::Serial<State> state_;
  std::shared_ptr<Exclusion> coming_;  // set within hold(), taken over when it ends
};

}  // namespace moldau::log

#include "sim/crew.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <malloc.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "sim/run.h"

namespace moldau::sim {
namespace {

constexpr unsigned kSecondsForOneSeed = 60;
constexpr int kKeepBytes = 32 << 20;

// One message of a child: what a seed has come to. Small enough for one write to a pipe.
struct Verdict {
  std::uint64_t seed;
  std::uint64_t events, records_acked, records_observed, lives, taken, cold_reads;
  bool begun, ok;  // begun: only says that the seed is being run
  char why[400];
};

// Every `stride`-th seed from `from` on.
[[noreturn]] void work(int out, std::uint64_t from, std::uint64_t last, std::uint64_t stride, Fault fault) {
  injected_fault = fault;
  // Pieces that the allocator would give back and take again.
  mallopt(M_TRIM_THRESHOLD, kKeepBytes);
  mallopt(M_MMAP_THRESHOLD, kKeepBytes);
  for (std::uint64_t seed = from; seed <= last; seed += stride) {
    Verdict verdict{};
    verdict.seed = seed;
    verdict.begun = true;
    if (write(out, &verdict, sizeof verdict) != sizeof verdict) _exit(3);
    alarm(kSecondsForOneSeed);
    const Report report = run_seed(seed, false);
    verdict = {.seed = seed,
               .events = report.events,
               .records_acked = report.records_acked,
               .records_observed = report.records_observed,
               .lives = report.lives,
               .taken = report.taken,
               .cold_reads = report.cold_reads,
               .begun = false,
               .ok = report.ok()};
    std::strncpy(verdict.why, report.why.c_str(), sizeof verdict.why - 1);
    if (write(out, &verdict, sizeof verdict) != sizeof verdict) _exit(3);
  }
  _exit(0);
}

struct Child {
  pid_t pid = -1;
  int in = -1;
  std::uint64_t running = 0;  // the seed begun last
  bool between = true;        // … and it has ended
};

class Crew {
 public:
  Crew(std::uint64_t last, int children, Fault fault, bool until_first)
      : last_(last),
        stride_(static_cast<std::uint64_t>(children)),
        fault_(fault),
        until_first_(until_first) {}

  CrewReport run(std::uint64_t first) {
    for (std::uint64_t i = 0; i < stride_ && first + i <= last_; ++i) hire(first + i);
    while (!children_.empty()) listen();
    std::ranges::sort(report_.failures, {}, &Failure::seed);
    return std::move(report_);
  }

 private:
  void hire(std::uint64_t from) {
    if (from > last_ || (until_first_ && !report_.failures.empty())) return;
    int ends[2];
    CHECK(pipe(ends) == 0);
    std::fflush(nullptr);
    const pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
      close(ends[0]);
      for (const Child& other : children_) close(other.in);
      work(ends[1], from, last_, stride_, fault_);
    }
    close(ends[1]);
    children_.push_back({.pid = pid, .in = ends[0]});
  }

  void listen() {
    std::vector<pollfd> wanted;
    for (const Child& child : children_) wanted.push_back({.fd = child.in, .events = POLLIN, .revents = 0});
    if (poll(wanted.data(), wanted.size(), -1) < 0) return;
    for (std::size_t i = wanted.size(); i-- > 0;)
      if (wanted[i].revents != 0) hear(i);
  }

  void hear(std::size_t index) {
    Child& child = children_[index];
    Verdict verdict;
    std::size_t have = 0;
    while (have < sizeof verdict) {
      const ssize_t got = read(child.in, reinterpret_cast<char*>(&verdict) + have, sizeof verdict - have);
      if (got <= 0) return dismiss(index);
      have += static_cast<std::size_t>(got);
    }
    child.running = verdict.seed;
    child.between = !verdict.begun;
    if (verdict.begun) return;
    report_.events += verdict.events;
    report_.records_acked += verdict.records_acked;
    report_.records_observed += verdict.records_observed;
    report_.lives += verdict.lives;
    report_.taken += verdict.taken;
    report_.cold_reads += verdict.cold_reads;
    if (verdict.ok) {
      ++report_.passed;
    } else {
      fail(verdict.seed, verdict.why);
    }
  }

  void fail(std::uint64_t seed, std::string why) {
    report_.failures.push_back({seed, std::move(why)});
    if (!until_first_) return;
    for (const Child& child : children_) kill(child.pid, SIGKILL);
  }

  // The child has ended; if in the middle of a seed, that one has failed and another child takes up the rest.
  void dismiss(std::size_t index) {
    const Child child = children_[index];
    children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(index));
    close(child.in);
    int status = 0;
    waitpid(child.pid, &status, 0);
    if (child.between || (until_first_ && !report_.failures.empty())) return;
    const std::string how =
        WIFSIGNALED(status) ? (WTERMSIG(status) == SIGALRM ? "it never ends" : strsignal(WTERMSIG(status)))
                            : "exit code " + std::to_string(WEXITSTATUS(status));
    fail(child.running, "the process ended: " + how);
    hire(child.running + stride_);
  }

  const std::uint64_t last_, stride_;
  const Fault fault_;
  const bool until_first_;
  std::vector<Child> children_;
  CrewReport report_;
};

}  // namespace

CrewReport run_seeds(std::uint64_t first, std::uint64_t last, int children, Fault fault, bool until_first) {
  return Crew(last, children, fault, until_first).run(first);
}

}  // namespace moldau::sim

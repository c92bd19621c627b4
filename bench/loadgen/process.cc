#include "loadgen/process.h"

#include <filesystem>
#include <fstream>
#include <sched.h>
#include <sstream>
#include <string>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "loadgen/clock.h"

namespace moldau::bench {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The number behind "Name:" in a status file; 0 when absent.
std::int64_t status_field(const std::string& status, const std::string& name) {
  const std::size_t at = status.find("\n" + name + ":");
  return at == std::string::npos ? 0 : std::atoll(status.c_str() + at + name.size() + 2);
}

// utime and stime are fields 14 and 15; the command name in field 2 may hold spaces, so count from its ")".
void add_user_and_system(const std::string& stat, ProcessUsage& usage) {
  std::istringstream fields(stat.substr(stat.rfind(')') + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  std::int64_t user = 0, system = 0;
  fields >> user >> system;
  const std::int64_t tick_ns = kSecond / sysconf(_SC_CLK_TCK);
  usage.user_ns = user * tick_ns;
  usage.system_ns = system * tick_ns;
}

void add_threads(const std::string& proc, ProcessUsage& usage) {
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator(proc + "/task", error)) {
    std::int64_t ran = 0, queued = 0;
    std::istringstream(read_file(task.path() / "schedstat")) >> ran >> queued;
    usage.queued_ns += queued;
    usage.switches += status_field(read_file(task.path() / "status"), "voluntary_ctxt_switches");
  }
}

}  // namespace

Result<ProcessUsage> process_usage(int pid) {
  const std::string proc = "/proc/" + std::to_string(pid);
  const std::string status = read_file(proc + "/status");
  clockid_t clock{};
  if (status.empty() || clock_getcpuclockid(pid, &clock) != 0)
    return fail(ErrorKind::kNotFound,
                "expected a running process with pid " + std::to_string(pid) + ", found none");
  ProcessUsage usage;
  usage.cpu_ns = clock_ns(clock);
  usage.threads = status_field(status, "Threads");
  usage.rss_bytes = status_field(status, "VmRSS") * 1024;
  usage.peak_rss_bytes = status_field(status, "VmHWM") * 1024;
  add_user_and_system(read_file(proc + "/stat"), usage);
  add_threads(proc, usage);
  return usage;
}

Status pin_to_cpu(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0)
    return fail(ErrorKind::kInvalid,
                "cannot run on CPU " + std::to_string(cpu) + ": no such CPU, or not ours to use");
  prctl(PR_SET_TIMERSLACK, 1);
  return {};
}

void raise_file_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace moldau::bench

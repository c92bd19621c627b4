// moldau-sim: runs seeds of the simulation.
//
//   moldau-sim --seeds A..B [--fault NAME] [--children N]   many; last line: N passed, N failed
//   moldau-sim --seeds A --trace [--fault NAME]             one, in this process, with everything that
//   happens moldau-sim --faults                                     the names of the mistakes that can be
//   made
#include <charconv>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "sim/crew.h"
#include "sim/faults.h"
#include "sim/run.h"

namespace moldau::sim {
namespace {

struct Arguments {
  std::uint64_t first = 1, last = 100;
  int children = 2;
  bool trace = false, list = false;
  std::optional<KnownFault> fault;
};

bool number(std::string_view text, std::uint64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

bool range(std::string_view text, Arguments& out) {
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) return number(text, out.first) && number(text, out.last);
  return number(text.substr(0, dots), out.first) && number(text.substr(dots + 2), out.last) &&
         out.first <= out.last;
}

bool parse(int argc, char** argv, Arguments& out) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const bool has_value = i + 1 < argc;
    if (name == "--trace") {
      out.trace = true;
    } else if (name == "--faults") {
      out.list = true;
    } else if (name == "--seeds" && has_value) {
      if (!range(argv[++i], out)) return false;
    } else if (name == "--children" && has_value) {
      std::uint64_t children = 0;
      if (!number(argv[++i], children) || children < 1 || children > 64) return false;
      out.children = static_cast<int>(children);
    } else if (name == "--fault" && has_value) {
      out.fault = fault_named(argv[++i]);
      if (!out.fault) return false;
    } else {
      return false;
    }
  }
  return true;
}

// In this process: a CHECK prints its words, a debugger can look.
int trace_one(const Arguments& arguments) {
  injected_fault = arguments.fault ? arguments.fault->fault : Fault::kNone;
  const Report report = run_seed(arguments.first, true);
  for (const std::string& line : report.trace) std::printf("%s\n", line.c_str());
  std::printf(
      "%llu events, %llu records acknowledged, %llu read, %llu lives, %llu partitions taken by members, %llu "
      "cold reads\n",
      static_cast<unsigned long long>(report.events), static_cast<unsigned long long>(report.records_acked),
      static_cast<unsigned long long>(report.records_observed), static_cast<unsigned long long>(report.lives),
      static_cast<unsigned long long>(report.taken), static_cast<unsigned long long>(report.cold_reads));
  std::printf("%d passed, %d failed\n", report.ok() ? 1 : 0, report.ok() ? 0 : 1);
  return report.ok() ? 0 : 1;
}

void tell(const Failure& failure, const Arguments& arguments, bool with_trace) {
  const std::string fault = arguments.fault ? " --fault " + std::string(arguments.fault->name) : "";
  std::printf("seed %llu: %s\n  replay: moldau-sim --seeds %llu --trace%s\n",
              static_cast<unsigned long long>(failure.seed), failure.why.c_str(),
              static_cast<unsigned long long>(failure.seed), fault.c_str());
  if (!with_trace || failure.why.starts_with("the process ended")) return;
  injected_fault = arguments.fault ? arguments.fault->fault : Fault::kNone;
  const Report again = run_seed(failure.seed, true);
  const std::size_t from = again.trace.size() > 40 ? again.trace.size() - 40 : 0;
  for (std::size_t i = from; i < again.trace.size(); ++i) std::printf("    %s\n", again.trace[i].c_str());
}

int run_many(const Arguments& arguments) {
  const CrewReport report = run_seeds(arguments.first, arguments.last, arguments.children,
                                      arguments.fault ? arguments.fault->fault : Fault::kNone, false);
  for (std::size_t i = 0; i < report.failures.size() && i < 20; ++i)
    tell(report.failures[i], arguments, i < 3);
  if (report.failures.size() > 20) std::printf("… and %zu more\n", report.failures.size() - 20);
  std::printf(
      "%llu events, %llu records acknowledged, %llu read, %llu lives of the broker, %llu partitions taken by "
      "members, %llu cold reads\n",
      static_cast<unsigned long long>(report.events), static_cast<unsigned long long>(report.records_acked),
      static_cast<unsigned long long>(report.records_observed), static_cast<unsigned long long>(report.lives),
      static_cast<unsigned long long>(report.taken), static_cast<unsigned long long>(report.cold_reads));
  std::printf("%llu passed, %zu failed\n", static_cast<unsigned long long>(report.passed),
              report.failures.size());
  return report.failures.empty() ? 0 : 1;
}

int run(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    std::fprintf(stderr,
                 "usage: moldau-sim --seeds A..B [--trace] [--fault NAME] [--children N] | --faults\n");
    return 2;
  }
  if (arguments.list) {
    for (const KnownFault& fault : known_faults())
      std::printf("%-24s found within %llu seeds\n", std::string(fault.name).c_str(),
                  static_cast<unsigned long long>(fault.seeds));
    return 0;
  }
  return arguments.trace ? trace_one(arguments) : run_many(arguments);
}

}  // namespace
}  // namespace moldau::sim

int main(int argc, char** argv) { return moldau::sim::run(argc, argv); }

#!/usr/bin/env python3
"""clang-tidy with the checks of .clang-tidy, each an error, over the sources of src/ that changed since REV (default: all).

python3 tools/tidy.py BUILD [REV]
"""
import concurrent.futures, os, pathlib, re, subprocess, sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def sources(rev):
    command = ["git", "diff", "--name-only", "--diff-filter=d", rev, "--", "src"] if rev else ["git", "ls-files", "src"]
    names = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True).stdout.split()
    return [n for n in names if n.endswith(".cc") and not n.endswith(("_test.cc", "_bench.cc"))]


def check(build, name):
    done = subprocess.run(["clang-tidy-19", "-p", build, "--quiet", name], cwd=ROOT, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)
    return name, done.returncode, done.stdout


def main(build, rev=None):
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        for name, code, output in pool.map(lambda n: check(build, n), sources(rev)):
            if code != 0:
                failed += 1
                print("\n".join(l for l in output.splitlines() if re.search(r"error|warning", l)) or f"{name}: clang-tidy ended with {code}")
    print(f"clang-tidy: {failed} files with findings")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

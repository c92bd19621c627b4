#!/usr/bin/env python3
"""Makes the seeds of a fuzz target from the golden vectors: seeds.py TARGET FOLDER. What crashed once lies in
tests/fuzz/regressions/TARGET and is a seed for ever."""
import gzip, io, json, pathlib, shutil, sys, tarfile

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE.parent / "golden"


def lines(name):
    with gzip.open(GOLDEN / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def segments():
    for path in sorted((GOLDEN / "datadirs").glob("*.tar.gz")):
        with tarfile.open(path) as tar:
            for member in tar.getmembers():
                if member.name.endswith(".log") and 0 < member.size < 4096:
                    yield b"\0\0" + tar.extractfile(member).read()


def seeds(target):
    if target == "fuzz_messages":  # the fuzzer finds which message a vector is of by itself: give it all first bytes
        for number, line in enumerate(lines("messages")):
            if number % 23 == 0:
                yield number.to_bytes(2, "big") + bytes([line["version"]]) + bytes.fromhex(line["hex"])
    elif target == "fuzz_frames":
        yield from (bytes.fromhex(line["request"])[4:] for line in lines("frames"))
        yield from (bytes.fromhex(line["hex"])[4:] for line in lines("odd-requests"))
    elif target == "fuzz_batches":
        for name in ("batches/malformed", "batches/controls", "batches/producers", "batches/codecs"):
            for line in lines(name):
                if len(line["hex"]) < 8192:
                    yield b"\x05" + bytes.fromhex(line["hex"])
    elif target == "fuzz_segment":
        yield from segments()
    elif target == "fuzz_text":
        for path in sorted((HERE.parent.parent / "config").rglob("*.properties")):
            yield b"\0" + path.read_bytes()
        yield b"\x01" + b"0\n2\ntopic 0 42\ntopic 1 7\n"
        yield b"\x02" + b"0\n6a7b\n1\ntopic 0 42\n"
        yield b"\x03" + b"version=1\nnode.id=1\ncluster.id=AAAAAAAAAAAAAAAAAAAAAQ\ndirectory.id=BI0VniavN7yBI0VniavN9A\n"


def main(target, folder):
    out = pathlib.Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(target)):
        (out / f"seed-{number:05}").write_bytes(seed)
    for path in (HERE / "regressions" / target).glob("*"):
        shutil.copy(path, out)


if __name__ == "__main__":
    main(*sys.argv[1:])

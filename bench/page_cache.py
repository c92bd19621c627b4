"""A page cache that is full, as on a machine that has run for a while.

A virtual machine's memory is often provided by its hypervisor at the first touch of each page, and taken back when it is
free. Then whoever writes a log into fresh pages is charged for that, several times what the write itself costs. With a
full page cache new pages are recycled ones, on any machine."""
import os

CHUNK = 1 << 20
KEEP_FREE = 600 << 20  # bytes; about what a kernel keeps free by itself on such a machine


def free_bytes():
    for line in open("/proc/meminfo"):
        if line.startswith("MemFree:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/meminfo: no line MemFree")


def fill(path):
    """Brings clean pages of `path`, a file of holes made here, into the cache until little memory is free. They are the
    first that the kernel gives away again."""
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    fd = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.truncate(path, size)
        for offset in range(0, size, CHUNK):
            if offset % (64 * CHUNK) == 0 and free_bytes() < KEEP_FREE:
                break
            os.posix_fadvise(fd, offset, CHUNK, os.POSIX_FADV_WILLNEED)
    finally:
        os.close(fd)

import pathlib, sys, tempfile, unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import page_cache


class Fill(unittest.TestCase):
    def steps(self, free):
        """How many chunks are read ahead when so many bytes are free, as told step by step."""
        with tempfile.TemporaryDirectory() as directory, mock.patch("page_cache.free_bytes", side_effect=free), \
                mock.patch("os.posix_fadvise") as read, mock.patch("os.sysconf", side_effect=lambda name: {"SC_PAGE_SIZE": 4096}.get(name, 1 << 18)):
            page_cache.fill(f"{directory}/holes")
            return read.call_count

    def test_ends_when_little_is_free(self):
        self.assertEqual(self.steps([8 << 30, 1 << 30, 1 << 20]), 128)

    def test_reads_nothing_when_it_is_full_already(self):
        self.assertEqual(self.steps([1 << 20]), 0)

    def test_ends_at_the_size_of_memory(self):
        self.assertEqual(self.steps([8 << 30] * 100), 1024)

    def test_free_memory_is_read_from_the_kernel(self):
        self.assertGreater(page_cache.free_bytes(), 0)


if __name__ == "__main__":
    unittest.main()

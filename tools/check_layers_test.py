"""python3 -m unittest discover -s tools -p '*_test.py'"""
import pathlib, unittest
import check_layers as c

LAYERS = c.read_layers("base core:\nenv core: base\nlog core: env\nos: env  # real\n")


def wrong(folder, text, name="x.cc"):
    return [w for _, w in c.breaches(LAYERS, folder, pathlib.Path(name), text)]


class Layers(unittest.TestCase):
    def test_arrows_point_downwards_only(self):
        self.assertEqual(wrong("log", '#include "base/ids.h"\n#include "env/loop.h"'), [])
        self.assertEqual(len(wrong("env", '#include "log/log.h"')), 1)

    def test_core_has_no_world_of_its_own(self):
        self.assertEqual(len(wrong("log", "#include <mutex>")), 1)
        self.assertEqual(len(wrong("log", "auto t = std::chrono::steady_clock::now();")), 1)
        self.assertEqual(wrong("os", "#include <mutex>"), [])
        self.assertEqual(wrong("log", "#include <thread>", "x_test.cc"), [])

    def test_long_functions_are_found(self):
        self.assertEqual(list(c.long_functions("void f() {\n" + "  x();\n" * 80 + "}\n")), [(1, 81)])
        self.assertEqual(list(c.long_functions("void f() {\n  x();\n}\n")), [])


if __name__ == "__main__":
    unittest.main()

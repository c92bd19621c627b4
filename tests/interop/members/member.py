"""What the Python members share: the words that groups.py reads, and the end of standard input as the sign to close."""
import sys, threading


class Member:
    def __init__(self):
        self.bootstrap, self.group, self.topic, self.protocol = sys.argv[1:5]
        self.ended, self.shown = threading.Event(), None
        threading.Thread(target=self.wait, daemon=True).start()

    def wait(self):
        sys.stdin.read()
        self.ended.set()

    def say(self, *words):
        print(*words, flush=True)

    def assigned(self, partitions):
        now = ",".join(map(str, sorted(partitions)))
        if now != self.shown:
            self.shown = now
            self.say("assigned", now)

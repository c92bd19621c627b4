"""A real Apache Kafka of a given version (its jars fetched by tests/interop/setup kafka VERSION), one node in KRaft mode."""
import os
import shutil
import socket
import subprocess
import time

from .clients import CACHE, HERE


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Kafka:
    def __init__(self, version, directory, port=0, settings=None):
        """`settings`: properties beside, or in place of, those that it needs."""
        node = (settings or {}).get('node.id', 1)
        subprocess.run([os.path.join(HERE, 'setup'), 'kafka', version], check=True)
        self.version, self.directory = version, directory
        self.port = port or free_port()
        self.bootstrap = '127.0.0.1:%d' % self.port
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        controller = self.port + 1 if port else free_port()
        properties = os.path.join(directory, 'server.properties')
        with open(properties, 'w') as f:
            f.write('\n'.join([
                'process.roles=broker,controller', 'node.id=%d' % node, 'controller.quorum.voters=%d@127.0.0.1:%d' % (node, controller),
                'listeners=PLAINTEXT://%s,CONTROLLER://127.0.0.1:%d' % (self.bootstrap, controller),
                'advertised.listeners=PLAINTEXT://' + self.bootstrap, 'controller.listener.names=CONTROLLER',
                'log.dirs=' + os.path.join(directory, 'data'), 'offsets.topic.replication.factor=1',
                'share.coordinator.state.topic.replication.factor=1', 'share.coordinator.state.topic.min.isr=1',
                'transaction.state.log.replication.factor=1', 'transaction.state.log.min.isr=1',
                *('%s=%s' % one for one in (settings or {}).items()), '']))
        self.classpath = os.path.join(CACHE, 'kafka', version, '*')
        log = open(os.path.join(directory, 'server.log'), 'w')
        subprocess.run(['java', '-Xmx256m', '-cp', self.classpath, 'kafka.tools.StorageTool', 'format', '-t', 'bW9sZGF1LWludGVyb3A',
                        '-c', properties], check=True, stdout=log, stderr=log)
        log.close()
        self.start()

    def start(self):
        with open(os.path.join(self.directory, 'server.log'), 'a') as log:
            self.process = subprocess.Popen(['java', '-Xmx1g', '-cp', self.classpath, 'kafka.Kafka', os.path.join(self.directory, 'server.properties')],
                                            stdout=log, stderr=log)
        self.wait_for_port()

    def kill_and_start(self):
        """kill -9, and a new process on what is there."""
        self.process.kill()
        self.process.wait()
        self.start()

    def wait_for_port(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(('127.0.0.1', self.port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        self.stop()
        raise SystemExit('Apache Kafka %s did not open port %d, see %s/server.log' % (self.version, self.port, self.directory))

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

"""The clients of the matrix: what each can do, and the process that runs its adapter."""
import dataclasses
import os
import queue
import subprocess
import threading
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = os.environ.get('MOLDAU_INTEROP_CACHE') or os.path.join(HERE, '..', '..', 'build', 'interop')
CACHE = os.path.abspath(CACHE)
ADAPTERS = os.path.join(HERE, 'adapters')

ANSWER_S = 120  # the adapters' own deadlines are shorter
ALL_CODECS = ('none', 'gzip', 'snappy', 'lz4', 'zstd')
CODECS_BEFORE_ZSTD = ('none', 'gzip', 'snappy', 'lz4')


@dataclasses.dataclass
class Client:
    name: str
    command: list
    short: str                         # heads its column
    codecs: tuple = ALL_CODECS         # those it writes
    reads: tuple = ALL_CODECS          # those it can decompress, from the fetch versions that it knows
    reader: bool = True
    admin: bool = True                 # creates topics
    admin_needs: str = ''              # what its admin client needs of the broker beyond what the rest of it needs
    idempotence: str = 'option'        # 'default' (on unless switched off), 'option', 'none'
    default_acks_told: bool = True     # with acks=1 and all it tells the offset of each record
    writes_timestamps: str = 'given'   # 'given' (by the caller), 'clock' (its own), 'none' (magic 0: stored as -1)
    reads_timestamps: bool = True
    writes_headers: str = 'any'        # 'any', 'no null values', 'none'
    reads_headers: str = 'any'         # 'any', 'text' (n=v,n=v), 'none'
    null_key_and_value: bool = True    # it lets the caller send a record that has neither
    null_key_and_empty_value: bool = True
    magic: int = 2                     # of the batches that it writes and reads
    produce: dict = dataclasses.field(default_factory=dict)  # further fields of its produce commands


def _python(venv, script):
    return [os.path.join(CACHE, 'venv', venv, 'bin', 'python'), os.path.join(ADAPTERS, 'python', script)]


def _java(version, main):
    memory = ['-Xmx400m', '-Xms64m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto', '-Dorg.slf4j.simpleLogger.defaultLogLevel=off']
    path = os.pathsep.join([os.path.join(CACHE, 'classes', version), os.path.join(CACHE, 'java', version, '*')])
    return ['java', *memory, '-cp', path, main]


def _modern_java(version, **more):
    return Client('java-' + version, _java(version, 'Kafka011'), 'j' + version[:4].rstrip('.'), **more)


CLIENTS = [
    Client('kcat', ['python3', os.path.join(ADAPTERS, 'python', 'kcat.py')], 'kcat', admin=False, default_acks_told=False,
           writes_timestamps='clock', reads_headers='text', null_key_and_empty_value=False),
    Client('kafka-python-newest', _python('kafka-python-newest', 'kafka_python.py'), 'kpy-new', idempotence='default',
           writes_headers='no null values', null_key_and_value=False),
    Client('kafka-python-2.0.2', _python('kafka-python-2.0.2', 'kafka_python.py'), 'kpy-2.0', idempotence='none',
           writes_headers='no null values', null_key_and_value=False),
    Client('confluent-kafka', _python('confluent-kafka', 'confluent.py'), 'conflu'),
    _modern_java('4.3.1', idempotence='default'),
    _modern_java('3.9.1', idempotence='default'),
    _modern_java('2.5.1'),
    _modern_java('0.11.0.3', codecs=CODECS_BEFORE_ZSTD, reads=CODECS_BEFORE_ZSTD, admin_needs='CreateTopics before version 2'),
    Client('java-0.10.2.2', _java('0.10.2.2', 'Kafka09'), 'j0.10', codecs=CODECS_BEFORE_ZSTD, reads=CODECS_BEFORE_ZSTD, admin=False,
           idempotence='none', writes_headers='none', reads_headers='none', magic=1),
    Client('java-0.9.0.1', _java('0.9.0.1', 'Kafka09'), 'j0.9', codecs=CODECS_BEFORE_ZSTD, reads=CODECS_BEFORE_ZSTD, admin=False,
           idempotence='none', writes_timestamps='none', reads_timestamps=False, writes_headers='none', reads_headers='none', magic=0),
    Client('java-0.8.2.2', _java('0.8.2.2', 'Kafka08'), 'j0.8', codecs=CODECS_BEFORE_ZSTD, reads=CODECS_BEFORE_ZSTD, admin=False,
           idempotence='none', writes_timestamps='none', reads_timestamps=False, writes_headers='none', reads_headers='none', magic=0),
    Client('scala-0.8.2.2', _java('0.8.2.2', 'Kafka08'), 's0.8', codecs=CODECS_BEFORE_ZSTD, reader=False, admin=False,
           idempotence='none', writes_timestamps='none', writes_headers='none', magic=0, default_acks_told=False,
           produce={'api': 'scala'}),
    Client('franz-go', [os.path.join(CACHE, 'franz-go', 'adapter')], 'franz', idempotence='default'),
    Client('kafkajs', ['node', os.path.join(ADAPTERS, 'js', 'kafkajs.js')], 'kafkajs', writes_headers='no null values'),
]


def refusal(client, served_like):
    """Why Apache Kafka of that version does not serve this client (KIP-896), or ''."""
    if served_like and int(served_like.split('.')[0]) >= 4 and client.magic < 2:
        return 'Kafka %s does not serve Produce before version 3 nor Fetch before version 4' % served_like
    return ''


def admin_refusal(client, served_like):
    if served_like and int(served_like.split('.')[0]) >= 4 and client.admin_needs:
        return 'Kafka %s does not serve %s' % (served_like, client.admin_needs)
    return refusal(client, served_like)


class AdapterError(Exception):
    """What the client answered instead of doing what was asked."""


class Adapter:
    """The process of one client's adapter. Commands from several threads are served one after another."""

    def __init__(self, client, bootstrap, log_directory):
        self.client = client
        self.log = os.path.join(log_directory, client.name + '.log')
        more = [os.path.join(CACHE, 'kafkajs')] if client.name == 'kafkajs' else []
        self.errors = open(self.log, 'w')
        self.process = subprocess.Popen([*client.command, bootstrap, *more], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                        text=True, bufsize=1, env={**os.environ, 'KAFKAJS_NO_PARTITIONER_WARNING': '1'})
        self.turn, self.answers, self.busy_s, self.slow_failures = threading.Lock(), queue.Queue(), 0.0, 0
        threading.Thread(target=self.collect, daemon=True).start()

    def collect(self):
        for line in self.process.stdout:
            self.answers.put(line)
        self.answers.put('')

    def ask(self, verb, **fields):
        line = '\t'.join([verb, *('%s=%s' % (k.replace('__', '.'), v) for k, v in fields.items())])
        with self.turn:
            begin = time.monotonic()
            try:
                self.process.stdin.write(line + '\n')
                self.process.stdin.flush()
                answer = self.answers.get(timeout=ANSWER_S)
            except OSError:
                answer = ''
            except queue.Empty:
                self.process.kill()
                raise AdapterError('no answer to %s within %d s; its adapter was ended' % (verb, ANSWER_S)) from None
            finally:
                self.busy_s += time.monotonic() - begin
        if not answer:
            raise AdapterError('its adapter ended (exit %s), see %s' % (self.process.poll(), self.log))
        kind, _, text = answer.rstrip('\n').partition('\t')
        if kind != 'ok':
            raise AdapterError(text)
        return text

    def stop(self):
        try:
            self.process.stdin.write('quit\n')
            self.process.stdin.close()
        except OSError:
            pass
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()

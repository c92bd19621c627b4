#!/usr/bin/env python3
"""Kafka 4.3.1's own tools against a broker: what they print must be what they print on Apache Kafka 4.3.1.

  tests/interop/tools_431.py --bootstrap HOST:PORT      compare with tests/interop/expected/
  tests/interop/tools_431.py --kafka 4.3.1 [--record]   the same on a real Kafka; --record writes expected/ anew
One JVM runs all tools. Names, ids, addresses, sizes, times are replaced by words before comparing. The last line says
'N passed, N failed'.
"""
import argparse
import base64
import collections
import difflib
import json
import os
import re
import subprocess
import sys
import tempfile
import time

from harness.broker import Kafka
from harness.clients import CACHE, HERE

VERSION = '4.3.1'
EXPECTED = os.path.join(HERE, 'expected')
SETTLE_S = 5  # what one request changed, a later one may see a little later

CLASSES = {
    'kafka-broker-api-versions': 'org.apache.kafka.tools.BrokerApiVersionsCommand',
    'kafka-cluster': 'org.apache.kafka.tools.ClusterTool',
    'kafka-configs': 'kafka.admin.ConfigCommand',
    'kafka-console-consumer': 'org.apache.kafka.tools.consumer.ConsoleConsumer',
    'kafka-console-producer': 'org.apache.kafka.tools.ConsoleProducer',
    'kafka-delete-records': 'org.apache.kafka.tools.DeleteRecordsCommand',
    'kafka-features': 'org.apache.kafka.tools.FeatureCommand',
    'kafka-get-offsets': 'org.apache.kafka.tools.GetOffsetShell',
    'kafka-log-dirs': 'org.apache.kafka.tools.LogDirsCommand',
    'kafka-metadata-quorum': 'org.apache.kafka.tools.MetadataQuorumCommand',
    'kafka-producer-perf-test': 'org.apache.kafka.tools.ProducerPerformance',
    'kafka-topics': 'org.apache.kafka.tools.TopicCommand',
}

# What a broker without groups and transactions serves; of these the newest version that the client uses is compared.
APIS = {0, 1, 2, 3, 10, 18, 19, 20, 21, 22, 23, 32, 33, 34, 35, 37, 44, 55, 57, 60, 61, 74, 75}

# Tool, arguments, standard input. BOOTSTRAP, NODE and JSON(text: a file with that text) are filled in.
STEPS = [
    ('kafka-topics', '--create --topic tools-a --partitions 2 --replication-factor 1 --config retention.ms=86400000'),
    ('kafka-topics', '--create --topic tools-b'),
    ('kafka-topics', '--create --topic tools-a --partitions 2'),
    ('kafka-topics', '--create --topic tools-a --if-not-exists'),
    ('kafka-topics', '--create --topic tools/bad'),
    ('kafka-topics', '--create --topic tools-c --replication-factor 3'),
    ('kafka-topics', '--create --topic tools-c --partitions 0'),
    ('kafka-topics', '--create --topic tools-c --config no.such.config=1'),
    ('kafka-topics', '--create --topic tools-c --config retention.ms=soon'),
    ('kafka-topics', '--create --topic tools.with.dots'),
    ('kafka-topics', '--create --topic tools_with_dots'),
    ('kafka-topics', '--create --topic tools-d --replica-assignment NODE,NODE,NODE'),
    ('kafka-topics', '--list --topic tools.*'),
    ('kafka-topics', '--describe --topic tools-a'),
    ('kafka-topics', '--describe --topic tools-d'),
    ('kafka-topics', '--alter --topic tools-a --partitions 3'),
    ('kafka-topics', '--alter --topic tools-a --partitions 2'),
    ('kafka-topics', '--alter --topic tools-none --partitions 2'),
    ('kafka-topics', '--describe --topic tools-a'),
    ('kafka-topics', '--describe --topic tools-none'),
    ('kafka-topics', '--describe --topics-with-overrides --topic tools.*'),
    ('kafka-topics', '--describe --under-replicated-partitions --topic tools.*'),
    ('kafka-topics', '--describe --unavailable-partitions --topic tools.*'),
    ('kafka-configs', '--describe --entity-type topics --entity-name tools-a'),
    ('kafka-configs', '--alter --entity-type topics --entity-name tools-a --add-config max.message.bytes=2000000,cleanup.policy=[compact,delete]'),
    ('kafka-configs', '--describe --entity-type topics --entity-name tools-a'),
    ('kafka-configs', '--alter --entity-type topics --entity-name tools-a --delete-config cleanup.policy'),
    ('kafka-configs', '--alter --entity-type topics --entity-name tools-a --add-config segment.bytes=many'),
    ('kafka-configs', '--alter --entity-type topics --entity-name tools-a --add-config no.such.config=1'),
    ('kafka-configs', '--alter --entity-type topics --entity-name tools-none --add-config segment.bytes=1048576'),
    ('kafka-configs', '--describe --entity-type topics --entity-name tools-a --all'),
    ('kafka-configs', '--describe --entity-type topics --entity-name tools-none'),
    ('kafka-configs', '--alter --entity-type brokers --entity-default --add-config log.retention.ms=90000000'),
    ('kafka-configs', '--describe --entity-type brokers --entity-default'),
    ('kafka-configs', '--alter --entity-type brokers --entity-name NODE --add-config message.max.bytes=3000000'),
    ('kafka-configs', '--describe --entity-type brokers --entity-name NODE'),
    ('kafka-configs', '--describe --entity-type topics --entity-name tools-b --all'),
    ('kafka-configs', '--alter --entity-type brokers --entity-name NODE --add-config log.dirs=/elsewhere'),
    ('kafka-configs', '--alter --entity-type brokers --entity-name NODE --add-config message.max.bytes=-1'),
    ('kafka-configs', '--alter --entity-type brokers --entity-name NODE --delete-config message.max.bytes'),
    ('kafka-configs', '--alter --entity-type brokers --entity-default --delete-config log.retention.ms'),
    ('kafka-configs', '--describe --entity-type brokers --entity-default'),
    ('kafka-console-producer', '--topic tools-a --reader-property parse.key=true --reader-property key.separator=:',
     ''.join('key%d:value %d\n' % (i % 5, i) for i in range(20))),
    ('kafka-console-producer', '--topic tools-b --reader-property parse.key=true --reader-property parse.headers=true --compression-codec zstd '
     '--reader-property null.marker=NULL', 'h1:a,h2:b\tkey\tvalue\nNULL\tNULL\tno key\nh:\u00fc\tk\tNULL\nh1:c\tk\u0159\u00ed\u010d\t\n'),
    ('kafka-console-producer', '--topic tools-auto --compression-codec gzip', 'one\ntwo\nthree\n'),
    ('kafka-console-producer', '--topic tools-one', 'the only one\n'),
    ('kafka-console-consumer', '--topic tools-a --partition 0 --offset earliest --timeout-ms 3000 --formatter-property print.key=true '
     '--formatter-property print.offset=true --formatter-property print.partition=true'),
    ('kafka-console-consumer', '--topic tools-b --partition 0 --offset 0 --max-messages 4 --timeout-ms 10000 --formatter-property print.key=true '
     '--formatter-property print.headers=true --formatter-property null.literal=NULL --isolation-level read_committed'),
    ('kafka-console-consumer', '--topic tools-auto --partition 0 --offset earliest --max-messages 3 --timeout-ms 10000'),
    ('kafka-console-consumer', '--topic tools-b --partition 0 --offset latest --max-messages 1 --timeout-ms 1000'),
    ('kafka-get-offsets', '--topic tools-a'),
    ('kafka-get-offsets', '--topic-partitions tools-a:0,tools-b:0 --time earliest'),
    ('kafka-get-offsets', '--topic tools-a --time -2'),
    ('kafka-get-offsets', '--topic tools-one --time max-timestamp'),
    ('kafka-get-offsets', '--topic tools-b --time 1'),
    ('kafka-get-offsets', '--topic tools-b --time 4102444800000'),
    ('kafka-get-offsets', '--topic tools-b --time -4'),
    ('kafka-get-offsets', '--topic tools-b --time -5'),
    ('kafka-get-offsets', '--topic tools-none'),
    ('kafka-delete-records', '--offset-json-file JSON({"version":1,"partitions":[{"topic":"tools-b","partition":0,"offset":2}]})'),
    ('kafka-get-offsets', '--topic tools-b --time -2'),
    ('kafka-delete-records', '--offset-json-file JSON({"version":1,"partitions":[{"topic":"tools-b","partition":0,"offset":99}]})'),
    ('kafka-delete-records', '--offset-json-file JSON({"version":1,"partitions":[{"topic":"tools-b","partition":0,"offset":-1}]})'),
    ('kafka-get-offsets', '--topic tools-b --time -2'),
    ('kafka-log-dirs', '--describe --topic-list tools-a,tools-b --broker-list NODE'),
    ('kafka-broker-api-versions', ''),
    ('kafka-cluster', 'cluster-id'),
    ('kafka-cluster', 'list-endpoints'),
    ('kafka-features', 'describe'),
    ('kafka-metadata-quorum', 'describe --status'),
    ('kafka-metadata-quorum', 'describe --replication'),
    ('kafka-producer-perf-test', '--topic tools-a --num-records 2000 --record-size 200 --throughput -1'),
    ('kafka-producer-perf-test', '--topic tools-d --num-records 500 --record-size 1000 --throughput -1 --command-property acks=0'),
    ('kafka-topics', '--delete --topic tools-a'),
    ('kafka-topics', '--delete --topic tools-none'),
    ('kafka-topics', '--delete --topic tools.*'),
    ('kafka-topics', '--list --topic tools.*'),
]


class Tools:
    """The JVM that runs the tools."""

    def __init__(self, bootstrap):
        self.bootstrap, self.node, self.files = bootstrap, '1', []
        path = os.pathsep.join([os.path.join(CACHE, 'classes', 'toolhost-' + VERSION), os.path.join(CACHE, 'kafka', VERSION, '*')])
        self.process = subprocess.Popen(['java', '-Xmx400m', '-XX:TieredStopAtLevel=1', '-cp', path, 'ToolHost'],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        found = re.search(r'\(id: (\d+) ', self.run('kafka-broker-api-versions', '')[1])
        if not found:
            raise SystemExit('kafka-broker-api-versions found no broker at ' + bootstrap)
        self.node = found.group(1)

    def run(self, tool, arguments, text=''):
        """Exit status, standard output, standard error."""
        words = [self.filled(w) for w in arguments.split()]
        server = ['--bootstrap-server', self.bootstrap]
        if tool == 'kafka-producer-perf-test':
            server = ['--command-property', 'bootstrap.servers=' + self.bootstrap]
        if tool in ('kafka-metadata-quorum', 'kafka-features'):
            words = server + words
        else:
            words += server
        line = '\t'.join([CLASSES[tool], *words, '<' + base64.b64encode(text.encode()).decode()])
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()
        answer = self.process.stdout.readline().rstrip('\n').split('\t')
        if len(answer) != 3:
            raise SystemExit('the JVM of the tools ended while running ' + line)
        out, err = (base64.b64decode(part).decode(errors='replace') for part in answer[1:])
        return int(answer[0]), out, err

    def filled(self, word):
        if word.startswith('JSON('):
            f = tempfile.NamedTemporaryFile('w', suffix='.json')
            f.write(word[5:-1])
            f.flush()
            self.files.append(f)
            return f.name
        return word.replace('NODE', self.node) if 'NODE' in word else word

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)


def apis_only(out):
    """Of kafka-broker-api-versions: the APIs that are compared, with the version that the client would use."""
    lines = []
    for name, key, usable in re.findall(r'(\w+)\((\d+)\):.*?\[usable: (\d+)\]', out):
        if int(key) in APIS:
            lines.append('%s(%s): usable %s' % (name, key, usable))
    return '\n'.join(lines) + '\n'


def normal(tools, tool, out):
    """The output with what differs from run to run replaced."""
    out = out.replace('\r', '')
    if tool == 'kafka-broker-api-versions':
        out = apis_only(out)
    host, port = tools.bootstrap.rsplit(':', 1)
    rules = [
        (re.escape(tools.bootstrap), 'BOOTSTRAP'), (r'(?m)^.*tool exits.*\n', ''),
        (r'(?m)^%s +%s +%s +' % (tools.node, re.escape(host), port), 'NODE HOST PORT '),
        (r'"broker":%s\b' % tools.node, '"broker":"NODE"'),
        (r'(?m)^\[?\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d.*\n', ''),                  # log lines
        (r'(?m)^(SLF4J|log4j|WARNING: (A terminally|System::setSecurity|Please consider|sun\.)).*\n', ''),
        (r'\bTopicId: [\w-]{22}', 'TopicId: ID'),
        (r'(?i)(cluster ?id:\s+)\S+', r'\1ID'),
        (r'"directoryId": ?"[\w-]{22}"', '"directoryId": ID'), (r'(?m)^(\S+\s+)[\w-]{22}(\s)', r'\1ID\2'),
        (r'(Leader|Replicas|Isr|LeaderId|NodeId): +%s\b' % tools.node, r'\1: NODE'),
        (r'(?i)\b((?:brokers?|node|broker id|for broker|entity-name|"broker":|"id": ?|id: )\s*)%s\b' % tools.node, r'\1NODE'),
        (r'/tmp/\S+?\.json', 'FILE'),
        (r'"logDir":"[^"]*"', '"logDir":"DIR"'), (r'"(size|totalBytes|usableBytes)":[1-9]\d*', r'"\1":N'),
    ]
    if tool == 'kafka-producer-perf-test':
        rules.append((r'[0-9]+[.,][0-9]+|(?<=, )\d+(?= ms)', 'N'))
        rules.append((r'(?m)^(\d+ records sent, )N records/sec \(N MB/sec\), N ms avg latency, N ms max latency\.\n(?=\d+ records sent)', ''))
    if tool == 'kafka-metadata-quorum':
        rules += [(r'(CurrentVoters:\s+\[\{"id": )\d+.*', r'\1NODE…'), (r'(LeaderEpoch|HighWatermark|MaxFollowerLagTimeMs|MaxFollowerLag):(\s+)-?\d+', r'\1:\2N'), (r'\b\d{2,}\b', 'N'), (r'(?m)^%s(\s)' % tools.node, r'NODE\1')]
    if tool == 'kafka-features':
        rules.append((r'Epoch: \d+', 'Epoch: N'))
    for pattern, word in rules:
        out = re.sub(pattern, word, out)
    lines = out.splitlines()
    if tool in ('kafka-configs', 'kafka-get-offsets', 'kafka-topics'):
        lines.sort()
    if tool == 'kafka-log-dirs':
        lines = [sorted_partitions(line) for line in lines]
    lines = [re.sub(r' +', ' ', line).rstrip() if tool in ('kafka-metadata-quorum', 'kafka-cluster') else line.rstrip() for line in lines]
    return [line for line in lines if line]


def sorted_partitions(line):
    """The JSON of kafka-log-dirs with its partitions by name."""
    if not line.startswith('{'):
        return line
    answer = json.loads(re.sub(r':(NODE|N)\b', r':"\1"', line))
    for broker in answer['brokers']:
        for directory in broker['logDirs']:
            directory['partitions'].sort(key=lambda p: p['partition'])
    return json.dumps(answer)


def transcript(tools, step):
    tool, arguments, text = (*step, '')[:3]
    status, out, err = tools.run(tool, arguments, text)
    lines = ['$ %s %s' % (tool, arguments)] + normal(tools, tool, out)
    lines += ['stderr: ' + line for line in normal(tools, tool, err) if not re.match(r'\tat |\t\.\.\. |Caused by: ', line)]
    return lines + ['exit %d' % status]


def load():
    """{tool: [steps as lists of lines]}"""
    expected = collections.defaultdict(list)
    for tool in CLASSES:
        path = os.path.join(EXPECTED, tool + '.txt')
        if os.path.exists(path):
            for line in open(path).read().splitlines():
                if line.startswith('$ '):
                    expected[tool].append([])
                expected[tool][-1].append(line)
    return expected


def record(tools):
    found = collections.defaultdict(list)
    for step in STEPS:
        time.sleep(0.5)  # let the step before take effect everywhere
        found[step[0]] += transcript(tools, step)
    os.makedirs(EXPECTED, exist_ok=True)
    for tool, lines in found.items():
        with open(os.path.join(EXPECTED, tool + '.txt'), 'w') as f:
            f.write('\n'.join(lines) + '\n')
    print('recorded %d steps in %s' % (len(STEPS), EXPECTED))
    return 0


def compare(tools):
    expected, passed, failed = load(), 0, 0
    for step in STEPS:
        wanted = expected[step[0]].pop(0) if expected[step[0]] else ['nothing recorded: run with --record']
        deadline = time.monotonic() + SETTLE_S
        found = transcript(tools, step)
        while found != wanted and reads_only(step) and time.monotonic() < deadline:
            time.sleep(0.25)
            found = transcript(tools, step)
        if found == wanted:
            passed += 1
            continue
        failed += 1
        print('FAILED ' + ' '.join(step[:2]))
        print('\n'.join('  ' + line for line in difflib.unified_diff(wanted, found, 'on Apache Kafka ' + VERSION, 'found', lineterm='', n=1)))
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed or not passed else 0


def reads_only(step):
    return step[0] in ('kafka-get-offsets', 'kafka-log-dirs') or '--describe' in step[1] or '--list' in step[1]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = p.add_mutually_exclusive_group(required=True)
    where.add_argument('--bootstrap', metavar='HOST:PORT')
    where.add_argument('--kafka', metavar='VERSION', help='start Apache Kafka VERSION and use it')
    p.add_argument('--port', type=int, default=0, help='of the Kafka to start')
    p.add_argument('--record', action='store_true', help='write expected/ from what this broker gives')
    options = p.parse_args()
    subprocess.run([os.path.join(HERE, 'setup'), 'kafka', VERSION], check=True)
    broker = Kafka(options.kafka, os.path.join(CACHE, 'broker-tools'), options.port) if options.kafka else None
    tools = None
    try:
        tools = Tools(broker.bootstrap if broker else options.bootstrap)
        tools.run('kafka-topics', '--delete --if-exists --topic tools.*')  # of an earlier run
        return record(tools) if options.record else compare(tools)
    finally:
        if tools:
            tools.stop()
        if broker:
            broker.stop()


if __name__ == '__main__':
    sys.exit(main())

import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.security.MessageDigest;
import java.util.*;

/**
 * The line protocol of tests/interop (see its README) for the Java clients: reads commands from standard input, calls
 * the client, answers with one line each. The client of each age extends this class; one thread owns everything.
 */
abstract class Adapter {
    static final class Header {
        final String name;
        final byte[] value;
        Header(String name, byte[] value) { this.name = name; this.value = value; }
    }

    static final class Rec {
        byte[] key, value;
        Long timestamp; // null: let the client choose
        List<Header> headers = new ArrayList<>();
    }

    /** The fields of one command by name. */
    static final class Command {
        final String verb;
        final Map<String, String> fields = new LinkedHashMap<>();

        Command(String line) {
            String[] parts = line.split("\t", -1);
            verb = parts[0];
            for (int i = 1; i < parts.length; i++) {
                int eq = parts[i].indexOf('=');
                fields.put(parts[i].substring(0, eq), parts[i].substring(eq + 1));
            }
        }

        String text(String name) {
            String v = fields.get(name);
            if (v == null) throw new IllegalArgumentException(verb + " without " + name);
            return v;
        }
        int number(String name) { return Integer.parseInt(text(name)); }
        long offset(String name) { return Long.parseLong(text(name)); }
        String text(String name, String otherwise) { return fields.getOrDefault(name, otherwise); }
    }

    protected final String bootstrap;

    Adapter(String bootstrap) { this.bootstrap = bootstrap; }

    /** Sends the records in order and answers with the offset of each, -1 where the client was not told. */
    abstract long[] produce(Command c, List<Rec> records) throws Exception;
    /** Hands every record of [from, until) to the sink, in order. */
    abstract void consume(Command c, Sink sink) throws Exception;
    abstract int partitions(Command c) throws Exception;
    abstract long[] offsets(Command c) throws Exception;
    void create(Command c) throws Exception { throw new UnsupportedOperationException("this client creates no topics"); }

    /** Writes records as lines; knows when the range is complete. */
    static final class Sink implements Closeable {
        private final BufferedWriter out;
        private final long until;
        private long next;
        private final int seconds;
        private final long deadline;

        Sink(Command c) throws IOException {
            out = Files.newBufferedWriter(Paths.get(c.text("file")), StandardCharsets.UTF_8);
            next = c.offset("from");
            until = c.offset("until");
            seconds = c.number("deadline");
            deadline = System.currentTimeMillis() + seconds * 1000L;
        }

        boolean done() {
            if (next < until && System.currentTimeMillis() > deadline)
                throw new IllegalStateException("expected records up to offset " + until + ", found none from " + next
                    + " on within " + seconds + " s");
            return next >= until;
        }
        long next() { return next; }

        void add(long offset, byte[] key, byte[] value, Long timestamp, List<Header> headers) throws Exception {
            if (offset >= until) return;
            StringBuilder line = new StringBuilder();
            line.append(offset).append('\t').append(encode(key)).append('\t').append(encode(value)).append('\t');
            line.append(timestamp == null ? "-" : timestamp.toString()).append('\t');
            if (headers.isEmpty()) line.append('-');
            for (int i = 0; i < headers.size(); i++) {
                Header h = headers.get(i);
                line.append(i == 0 ? "" : ",").append(encode(h.name.getBytes(StandardCharsets.UTF_8))).append(':').append(encode(h.value));
            }
            out.write(line.append('\n').toString());
            next = offset + 1;
        }

        @Override public void close() throws IOException { out.close(); }
    }

    static String encode(byte[] bytes) throws Exception {
        if (bytes == null) return "-";
        if (bytes.length <= 4096) return Base64.getEncoder().encodeToString(bytes);
        StringBuilder hex = new StringBuilder("#" + bytes.length + ":");
        for (byte b : MessageDigest.getInstance("SHA-1").digest(bytes)) hex.append(String.format("%02x", b));
        return hex.toString();
    }

    static byte[] decode(String field) { return field.equals("-") ? null : Base64.getDecoder().decode(field); }

    static List<Rec> read(String file) throws IOException {
        List<Rec> records = new ArrayList<>();
        for (String line : Files.readAllLines(Paths.get(file), StandardCharsets.UTF_8)) {
            String[] f = line.split("\t", -1);
            Rec r = new Rec();
            r.key = decode(f[0]);
            r.value = decode(f[1]);
            r.timestamp = f[2].equals("-") ? null : Long.valueOf(f[2]);
            if (!f[3].equals("-"))
                for (String h : f[3].split(",")) {
                    int colon = h.indexOf(':');
                    r.headers.add(new Header(new String(decode(h.substring(0, colon)), StandardCharsets.UTF_8), decode(h.substring(colon + 1))));
                }
            records.add(r);
        }
        return records;
    }

    static String join(long[] numbers) {
        StringJoiner j = new StringJoiner(",");
        for (long n : numbers) j.add(Long.toString(n));
        return j.toString();
    }

    private String answer(Command c) throws Exception {
        switch (c.verb) {
            case "produce": return join(produce(c, read(c.text("file"))));
            case "consume":
                try (Sink sink = new Sink(c)) { consume(c, sink); }
                return "";
            case "create": create(c); return "";
            case "partitions": return Integer.toString(partitions(c));
            case "offsets": return join(offsets(c));
            default: throw new IllegalArgumentException("unknown command " + c.verb);
        }
    }

    static String oneLine(Throwable e) {
        Throwable cause = e;
        while (cause.getCause() != null && (cause instanceof java.util.concurrent.ExecutionException
                || cause instanceof java.lang.reflect.InvocationTargetException)) cause = cause.getCause();
        return cause.toString().replaceAll("[\\t\\r\\n]+", " ");
    }

    void serve() throws IOException {
        PrintStream out = System.out;
        System.setOut(System.err); // what clients print is no answer
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null && !line.equals("quit"); ) {
            String reply;
            try {
                reply = "ok\t" + answer(new Command(line));
            } catch (Throwable e) {
                if (System.getenv("INTEROP_TRACE") != null) e.printStackTrace();
                reply = "error\t" + oneLine(e);
            }
            out.println(reply);
            out.flush();
        }
        System.exit(0);
    }
}

import java.io.*;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs mains of Kafka's tools one after another in one JVM, as tests/interop/tools_431.py asks on standard input: a line
 * "CLASS\tARGUMENT\t…\t<INPUT", INPUT being the tool's standard input in base64. Answers with one line: exit status, then what
 * the tool printed to standard output and to standard error, each in base64. Kafka's Exit is made to throw.
 */
public class ToolHost {
    /** Some tools catch it and print it: the driver leaves out lines that say "tool exits". */
    static final class Exited extends Error {
        Exited() { super("tool exits", null, false, false); }
    }

    /** Of the running tool: the status it first asked to exit with, whatever became of the error thrown then. */
    static Integer status;

    static void exit(int wanted, String message) {
        if (status == null) status = wanted;
        throw new Exited();
    }

    /** Scala's Console keeps the streams that it finds at first use: one stream for the JVM's life, emptied after each tool. */
    static final ByteArrayOutputStream OUT = new ByteArrayOutputStream(), ERR = new ByteArrayOutputStream();

    public static void main(String[] unused) throws Exception {
        PrintStream answers = System.out;
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        System.setOut(new PrintStream(OUT, true, "UTF-8"));
        System.setErr(new PrintStream(ERR, true, "UTF-8"));
        Exit.setExitProcedure(ToolHost::exit);
        Exit.setHaltProcedure(ToolHost::exit);
        for (String line; (line = commands.readLine()) != null; ) {
            String[] words = line.split("\t", -1);
            int last = words.length - 1;
            System.setIn(new ByteArrayInputStream(Base64.getDecoder().decode(words[last].substring(1))));
            OUT.reset();
            ERR.reset();
            status = null;
            int ended = run(words[0], Arrays.copyOfRange(words, 1, last));
            System.out.flush();
            System.err.flush();
            answers.println((status == null ? ended : status) + "\t" + encode(OUT) + "\t" + encode(ERR));
            answers.flush();
        }
        Runtime.getRuntime().halt(0);
    }

    private static int run(String tool, String[] arguments) {
        try {
            Class.forName(tool).getMethod("main", String[].class).invoke(null, (Object) arguments);
            return 0;
        } catch (InvocationTargetException e) {
            if (!(e.getCause() instanceof Exited)) e.getCause().printStackTrace();
            return 1;
        } catch (ReflectiveOperationException e) {
            e.printStackTrace();
            return 127;
        }
    }

    private static String encode(ByteArrayOutputStream bytes) { return Base64.getEncoder().encodeToString(bytes.toByteArray()); }
}

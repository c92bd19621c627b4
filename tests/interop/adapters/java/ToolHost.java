import java.io.*;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.*;

/**
 * Runs mains of Kafka's tools one after another in one JVM, as tests/interop/tools_431.py asks on standard input: a line
 * "CLASS\tARGUMENT\t…" (standard input of the tool in the last field, base64, after "<"). Answers with one line: exit status, then
 * what the tool printed to standard output and to standard error, each base64. System.exit becomes an exception.
 */
public class ToolHost {
    static final class Exited extends SecurityException {
        final int status;
        Exited(int status) { super("exit " + status); this.status = status; }
    }

    @SuppressWarnings("removal")
    static final class NoExit extends SecurityManager {
        @Override public void checkExit(int status) { throw new Exited(status); }
        @Override public void checkPermission(java.security.Permission permission) {}
    }

    @SuppressWarnings("removal")
    public static void main(String[] unused) throws Exception {
        PrintStream answers = System.out;
        PrintStream errors = System.err;
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        SecurityManager before = System.getSecurityManager();
        System.setSecurityManager(new NoExit());
        for (String line; (line = commands.readLine()) != null; ) {
            List<String> words = new ArrayList<>(Arrays.asList(line.split("\t", -1)));
            byte[] input = new byte[0];
            if (words.get(words.size() - 1).startsWith("<"))
                input = Base64.getDecoder().decode(words.remove(words.size() - 1).substring(1));
            ByteArrayOutputStream out = new ByteArrayOutputStream(), err = new ByteArrayOutputStream();
            System.setIn(new ByteArrayInputStream(input));
            System.setOut(new PrintStream(out, true, "UTF-8"));
            System.setErr(new PrintStream(err, true, "UTF-8"));
            int status = run(words.remove(0), words.toArray(new String[0]));
            System.out.flush();
            System.err.flush();
            answers.println(status + "\t" + encode(out) + "\t" + encode(err));
            answers.flush();
        }
        System.setSecurityManager(before);
        System.setErr(errors);
        Runtime.getRuntime().halt(0);
    }

    private static int run(String tool, String[] arguments) {
        try {
            Method main = Class.forName(tool).getMethod("main", String[].class);
            // scala.Console keeps the streams it found at start
            main.invoke(null, (Object) arguments);
            return 0;
        } catch (java.lang.reflect.InvocationTargetException e) {
            for (Throwable t = e.getCause(); t != null; t = t.getCause())
                if (t instanceof Exited) return ((Exited) t).status;
            e.getCause().printStackTrace();
            return 1;
        } catch (ReflectiveOperationException e) {
            e.printStackTrace();
            return 127;
        }
    }

    private static String encode(ByteArrayOutputStream bytes) { return Base64.getEncoder().encodeToString(bytes.toByteArray()); }
}

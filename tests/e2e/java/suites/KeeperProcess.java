package ottla;

import java.io.File;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/** A keeper of ours, started where a test suite of others would start a server within the JVM. */
public final class KeeperProcess {
    private static final Set<Process> RUNNING = ConcurrentHashMap.newKeySet();

    static {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> RUNNING.forEach(Process::destroyForcibly)));
    }

    private final Process process;
    private final int port;

    private KeeperProcess(Process process, int port) {
        this.process = process;
        this.port = port;
    }

    /** Writes `zoo.cfg` into a directory and starts; what the suite gave its JVM as Java properties goes into the file. */
    public static KeeperProcess start(Properties settings, Path directory) throws IOException, InterruptedException {
        settings.put("admin.enableServer", "false");
        for (String name : System.getProperties().stringPropertyNames()) {
            String value = System.getProperty(name);
            if (name.startsWith("zookeeper.") && !name.startsWith("zookeeper.jmx")) {
                settings.putIfAbsent(name.substring("zookeeper.".length()), value);
            } else if (name.startsWith("znode.container.") || name.equals("readonlymode.enabled")) {
                settings.putIfAbsent(name, value);
            }
        }
        settings.putIfAbsent("4lw.commands.whitelist", "*");
        StringBuilder lines = new StringBuilder();
        settings.forEach((key, value) -> lines.append(key).append('=').append(value).append('\n'));
        Files.createDirectories(directory);
        Path config = directory.resolve("zoo.cfg");
        Files.write(config, lines.toString().getBytes(StandardCharsets.UTF_8));
        File log = new File(System.getenv("KEEPERS_LOG"));
        ProcessBuilder builder = new ProcessBuilder(System.getenv("OTTLA_BIN"), "keeper", config.toString());
        Process process = builder.redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.appendTo(log)).start();
        RUNNING.add(process);
        KeeperProcess keeper = new KeeperProcess(process, Integer.parseInt(settings.getProperty("clientPort")));
        keeper.waitFor("", 30_000);
        return keeper;
    }

    /** Waits until the answer to `srvr` has a text in it, or any answer comes; false when the time is over. */
    public boolean waitFor(String text, long millis) throws IOException, InterruptedException {
        long end = System.currentTimeMillis() + millis;
        while (System.currentTimeMillis() < end) {
            try (Socket socket = new Socket()) {
                socket.connect(new InetSocketAddress("127.0.0.1", port), 1_000);
                socket.setSoTimeout(5_000);
                socket.getOutputStream().write("srvr".getBytes(StandardCharsets.US_ASCII));
                if (new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII).contains(text)) {
                    return true;
                }
            } catch (IOException e) {
                if (!process.isAlive()) {
                    throw new IOException("the keeper ended with " + process.exitValue() + ": see its log", e);
                }
            }
            Thread.sleep(20);
        }
        return false;
    }

    public int port() {
        return port;
    }

    public boolean isAlive() {
        return process.isAlive();
    }

    public void stop(boolean kill) {
        try {
            if (kill) {
                process.destroyForcibly().waitFor();
            } else {
                process.destroy();
                if (!process.waitFor(20, TimeUnit.SECONDS)) {
                    throw new IllegalStateException("the keeper does not end");
                }
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        } finally {
            RUNNING.remove(process);
        }
    }
}

package ottla;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;
import java.util.Properties;
import org.apache.zookeeper.server.ServerCnxn;
import org.apache.zookeeper.server.ServerCnxnFactory;
import org.apache.zookeeper.server.ZooKeeperServer;

/** What `zookeeper.serverCnxnFactory` names: instead of listening for the server of the test, it starts a keeper of ours. */
public class ProcessCnxnFactory extends ServerCnxnFactory {
    private InetSocketAddress address;
    private int most;
    private KeeperProcess keeper;

    @Override
    public void startup(ZooKeeperServer server, boolean startServer) throws IOException, InterruptedException {
        setZooKeeperServer(server);
        Path directory = server.getTxnLogFactory().getDataLogDir().toPath().toAbsolutePath().getParent();
        Properties settings = new Properties();
        settings.setProperty("dataDir", directory.toString());
        settings.setProperty("clientPort", String.valueOf(address.getPort()));
        settings.setProperty("tickTime", String.valueOf(server.getTickTime()));
        settings.setProperty("minSessionTimeout", String.valueOf(server.getMinSessionTimeout()));
        settings.setProperty("maxSessionTimeout", String.valueOf(server.getMaxSessionTimeout()));
        settings.setProperty("maxClientCnxns", String.valueOf(most));
        keeper = KeeperProcess.start(settings, directory);
    }

    @Override
    public void shutdown() {
        keeper.stop(false);
    }

    @Override
    public void configure(InetSocketAddress at, int maxClientCnxns, int backlog, boolean secure) {
        address = at;
        most = maxClientCnxns;
    }

    @Override
    public int getLocalPort() {
        return address.getPort();
    }

    @Override
    public InetSocketAddress getLocalAddress() {
        return address;
    }

    @Override
    public int getMaxClientCnxnsPerHost() {
        return most;
    }

    @Override
    public void setMaxClientCnxnsPerHost(int max) {
        most = max;
    }

    @Override
    public int getSocketListenBacklog() {
        return -1;
    }

    @Override
    public Iterable<ServerCnxn> getConnections() {
        return Collections.emptyList();
    }

    @Override
    public Iterable<Map<String, Object>> getAllConnectionInfo(boolean brief) {
        return Collections.emptyList();
    }

    @Override
    public boolean closeSession(long session, ServerCnxn.DisconnectReason reason) {
        return false;
    }

    @Override
    public void closeAll(ServerCnxn.DisconnectReason reason) {}

    @Override
    public void resetAllConnectionStats() {}

    @Override
    public void reconfigure(InetSocketAddress at) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void start() {}

    @Override
    public void join() {}
}

//! What administrators give ZooKeeper's Java machine: `-Dzookeeper.…` in the environment that `zkServer.sh` reads. Many of
//! ZooKeeper's settings are known to its users by that way alone.

/// Where `zkServer.sh` and Kafka's `zookeeper-server-start.sh` look, in the order of Java's command line: the last counts.
pub(super) const VARIABLES: [&str; 3] = ["KAFKA_OPTS", "SERVER_JVMFLAGS", "JVMFLAGS"];

/// ZooKeeper's settings that are Java properties without `zookeeper.` before them.
const WITHOUT_PREFIX: [&str; 3] = ["readonlymode.enabled", "jute.maxbuffer", "znode.container."];
/// Of `zkServer.sh` itself and of ZooKeeper's logging, which is another here.
const OF_LOGGING: [&str; 5] =
    ["zookeeper.log.", "zookeeper.root.", "zookeeper.console.", "zookeeper.tracelog.", "zookeeper.jmx."];

/// ZooKeeper's settings among the flags of a Java machine, as lines of a properties file.
pub(super) fn settings(flags: &str) -> String {
    let given = flags.split_ascii_whitespace().filter_map(|flag| flag.strip_prefix("-D")?.split_once('='));
    let ours = given.filter(|(key, _)| {
        let is_zookeeper = key.starts_with("zookeeper.") && !OF_LOGGING.iter().any(|prefix| key.starts_with(prefix));
        is_zookeeper || WITHOUT_PREFIX.iter().any(|prefix| key.starts_with(prefix))
    });
    ours.map(|(key, value)| format!("{key}={}\n", value.replace('\\', "\\\\"))).collect()
}

/// The same of this process's environment.
pub(super) fn of_environment() -> String {
    let flags = VARIABLES.iter().filter_map(|name| std::env::var(name).ok());
    settings(&flags.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_settings_of_zookeeper() {
        let flags = "-Xmx1g -Dzookeeper.extendedTypesEnabled=true -Dcom.sun.management.jmxremote -Dfile.encoding=UTF-8 \
                     -Dzookeeper.log.dir=/x\t-Djute.maxbuffer=4194304 -Dznode.container.checkIntervalMs=100 -Dzookeeper.x=a=\\b";
        let want = "zookeeper.extendedTypesEnabled=true\njute.maxbuffer=4194304\nznode.container.checkIntervalMs=100\n\
                    zookeeper.x=a=\\\\b\n";
        assert_eq!(settings(flags), want);
        assert_eq!(settings(""), "");
        assert_eq!(settings("-D -Dzookeeper. -D=1 =-Dzookeeper.a=1"), "");
    }
}

//! Who we are and who the servers are: `addauth`, `whoami`, `config`, `reconfig`.

use ottla_client::keeper_client::KeeperClient;

use super::print::{DataForm, data_text, explain, print_stat};
use super::syntax::{self, Arguments};

pub async fn add_auth(client: &KeeperClient, arguments: &Arguments) -> Result<(), String> {
    let scheme = arguments.words.first().map(String::as_str).unwrap_or_default();
    let credentials = arguments.words.get(1).map(String::as_bytes).unwrap_or_default();
    client.add_auth(scheme, credentials).await.map_err(|error| explain(&error, scheme))
}

pub async fn who_am_i(client: &KeeperClient) -> Result<(), String> {
    let known = client.who_am_i().await.map_err(|error| explain(&error, "whoami"))?;
    println!("Auth scheme: User");
    known.iter().for_each(|(scheme, user)| println!("{scheme}: {user}"));
    Ok(())
}

pub async fn config(client: &KeeperClient, arguments: &Arguments) -> Result<(), String> {
    let answer = client.ensemble_config(arguments.has("w")).await;
    let (data, stat) = answer.map_err(|error| explain(&error, "/zookeeper/config"))?;
    let text = data_text(data.as_deref(), DataForm::Plain);
    println!("{}", if arguments.has("c") { client_config(&text) } else { text });
    if arguments.has("s") {
        print_stat(&stat);
    }
    Ok(())
}

/// The version and the servers' client addresses: a connect string.
#[doc(alias = "ConfigUtils.getClientConfigStr")]
fn client_config(text: &str) -> String {
    let lines = || text.lines().filter_map(|line| line.split_once('='));
    let version = lines().find(|(key, _)| key.trim() == "version").map_or("", |(_, value)| value.trim());
    let addresses: Vec<String> = lines()
        .filter(|(key, _)| key.trim().starts_with("server."))
        .filter_map(|(_, value)| value.split_once(';').map(|(_, client)| client.trim()))
        .map(|client| if client.contains(':') { client.to_owned() } else { format!("0.0.0.0:{client}") })
        .collect();
    format!("{version} {}", addresses.join(","))
}

pub async fn reconfig(client: &KeeperClient, arguments: &Arguments) -> Result<(), String> {
    let lower = |name| arguments.value(name).map(str::to_lowercase);
    let (joining, leaving) = (lower("add"), lower("remove"));
    let whole = arguments.value("file").is_some() || arguments.value("members").is_some();
    if whole && (joining.is_some() || leaving.is_some()) {
        return Err("Can't use -file or -members together with -add or -remove (mixing incremental and \
                    non-incremental modes is not allowed)"
            .into());
    }
    if !whole && joining.is_none() && leaving.is_none() {
        return Err(syntax::find("reconfig").map_or_else(String::new, syntax::Syntax::usage_line));
    }
    let members = match (arguments.value("file"), lower("members")) {
        (Some(file), None) => Some(members_of_file(file)?),
        (None, members) => members,
        _ => {
            return Err("Can't use -file and -members together (conflicting non-incremental modes)".into());
        }
    };
    // Versions are written in hexadecimal, as `config` shows them.
    let version = match arguments.value("v") {
        None => -1,
        Some(text) => i64::from_str_radix(text, 16)
            .map_err(|_| format!("-v {text}: this must be a configuration version, as `config` shows it"))?,
    };
    let answer = client.reconfigure(joining, leaving, members, version).await;
    let (data, stat) = answer.map_err(|error| explain(&error, "reconfig"))?;
    println!("Committed new configuration:\n{}", data_text(data.as_deref(), DataForm::Plain));
    if arguments.has("s") {
        print_stat(&stat);
    }
    Ok(())
}

/// The lines of a configuration file that say who the members are.
fn members_of_file(file: &str) -> Result<String, String> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("Error processing {file}: {e}"))?;
    let known = ["server.", "group.", "weight."];
    let members: Vec<&str> =
        text.lines().map(str::trim).filter(|line| known.iter().any(|prefix| line.starts_with(prefix))).collect();
    if members.is_empty() {
        return Err(format!("Error processing {file}: no line server.N=host:port:port;port in it"));
    }
    Ok(members.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_for_clients() {
        let text = "server.1=a:2888:3888:participant;0.0.0.0:2181\nserver.2=b:2888:3888;2182\nversion=100000000";
        assert_eq!(client_config(text), "100000000 0.0.0.0:2181,0.0.0.0:2182");
        assert_eq!(client_config(""), " ");
    }
}

//! `ottla zk`, `zkCli.sh` and `zookeeper-shell.sh`: look into a keeper and change it, one command or many.

mod arguments;
mod commands;
mod quota;
mod words;

use std::io::{BufRead, IsTerminal, Write};
use std::time::Duration;

use clap::{Arg, ArgMatches, Command};
use ottla_client::keeper_client::{ConnectString, KeeperClient, KeeperClientConfig};
use ottla_keeper::ops::KeeperEvent;

use crate::common::{block_on, flag, option, text, texts};
use crate::tool::{Failure, Outcome, Tool};
use commands::Shell;

pub const TOOL: Tool = Tool {
    name: "zk",
    scripts: &["zkCli"],
    classes: &["ZooKeeperMain"],
    about: "Look into a keeper and change it: ls, get, set, create, …",
    flags,
    run: |matches| run(matches, text(matches, "server").unwrap_or("localhost:2181"), words_of(matches)),
};

pub const SHELL: Tool = Tool {
    name: "zookeeper-shell",
    scripts: &["zookeeper-shell"],
    classes: &["ZooKeeperMainWithTlsSupportForKafka"],
    about: "The same as zk, with the server's address first",
    flags: |command| {
        command_words(command.arg(Arg::new("address").value_name("HOST:PORT").required(true).help("The keeper")))
    },
    run: |matches| run(matches, text(matches, "address").unwrap_or_default(), words_of(matches)),
};

fn flags(command: Command) -> Command {
    command_words(
        command
            .arg(option("server", "HOST:PORT,…[/CHROOT]", "The keepers [default: localhost:2181]").short('s'))
            .arg(option("timeout", "MS", "Session timeout [default: 30000]"))
            .arg(flag("readonly", "Be content with a server that is cut off from the others").short('r'))
            .arg(flag("waitforconnection", "Wait until connected; always so").hide(true))
            .arg(option("client-configuration", "FILE", "Without effect").hide(true)),
    )
}

/// What follows the flags is one command for the shell, whatever it looks like.
fn command_words(command: Command) -> Command {
    command
        .arg(
            Arg::new("command")
                .value_name("COMMAND")
                .num_args(0..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true)
                .help(
                    "One command, such as: ls /brokers/ids. Without one a shell opens; `help` there lists the commands",
                ),
        )
        .after_help(commands::HELP)
}

fn words_of(matches: &ArgMatches) -> Vec<String> {
    texts(matches, "command").into_iter().map(str::to_owned).collect()
}

fn run(matches: &ArgMatches, server: &str, command: Vec<String>) -> Outcome {
    let servers = ConnectString::parse(server).map_err(Failure::Usage)?;
    // `zookeeper-shell` has no such flag.
    let timeout = matches.try_get_one::<String>("timeout").ok().flatten().map(|ms| ms.parse()).transpose();
    let timeout = Duration::from_millis(
        timeout.map_err(|_| Failure::Usage("--timeout must be milliseconds".into()))?.unwrap_or(30_000),
    );
    block_on(async move {
        let mut shell = Shell::new(timeout);
        if let Some(flag) = command.first().filter(|word| word.starts_with('-')) {
            return Err(Failure::Usage(format!("{flag}: neither a flag nor a command of the shell")));
        }
        if !command.is_empty() {
            shell.connect(servers, server).await.map_err(Failure::Failed)?;
            let done = shell.execute(&command).await;
            shell.close().await;
            return match done {
                Ok(()) => Ok(()),
                Err(problem) => Err(Failure::Failed(problem)),
            };
        }
        println!("Connecting to {server}");
        println!("Welcome to ZooKeeper!");
        shell.connect(servers, server).await.map_err(Failure::Failed)?;
        shell.announce();
        interact(&mut shell, server).await;
        shell.close().await;
        Ok(())
    })
}

/// Reads commands from standard input until it ends or says `quit`.
async fn interact(shell: &mut Shell, server: &str) {
    let (sender, mut lines) = tokio::sync::mpsc::channel::<String>(1);
    let (proceed, mut turn) = tokio::sync::mpsc::channel::<()>(1);
    let prompt = std::io::stdin().is_terminal().then(|| format!("[zk: {server}(CONNECTED)"));
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() || turn.blocking_recv().is_none() {
                break;
            }
        }
    });
    let mut number = 0;
    loop {
        if let Some(prompt) = &prompt {
            print!("{prompt} {number}] ");
            let _ = std::io::stdout().flush();
        }
        let Some(line) = lines.recv().await else { break };
        let words = words::split(&line);
        if !words.is_empty() {
            shell.remember(&line);
            if words[0] == "quit" {
                break;
            }
            if let Err(problem) = shell.execute(&words).await {
                eprintln!("{problem}");
            }
            number += 1;
        }
        if proceed.send(()).await.is_err() {
            break;
        }
    }
}

/// Starts a session; events of watches are printed unless `printwatches off`.
async fn session(
    servers: ConnectString,
    timeout: Duration,
    events: impl FnMut(KeeperEvent) + Send + 'static,
) -> Result<KeeperClient, String> {
    let seed = crate::time::now_ms() as u64 ^ u64::from(std::process::id()) << 32;
    let client = KeeperClient::spawn(KeeperClientConfig::new(servers, timeout, seed), events);
    client.wait_connected(Duration::from_secs(15)).await?;
    Ok(client)
}

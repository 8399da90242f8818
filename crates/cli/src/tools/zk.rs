//! `ottla zk`, `zkCli.sh` and `zookeeper-shell.sh`: look into a keeper and change it, one command or many.

mod editor;
mod ensemble;
mod nodes;
mod print;
mod quota;
mod shell;
mod syntax;
mod watches;

use std::io::IsTerminal;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command};

use crate::common::{block_on, flag, option, read_properties, text, texts};
use crate::tool::{Failure, Outcome, Tool};
use editor::{Input, LineReader};
use print::Notices;
use shell::{Problem, Shell, ShellOptions};

pub const TOOL: Tool = Tool {
    name: "zk",
    scripts: &["zkCli"],
    classes: &["ZooKeeperMain"],
    about: "Look into a keeper and change it: ls, get, set, create, …",
    flags,
    run: |matches| run(matches, text(matches, "server").unwrap_or("localhost:2181")),
};

pub const SHELL: Tool = Tool {
    name: "zookeeper-shell",
    scripts: &["zookeeper-shell"],
    classes: &["ZooKeeperMainWithTlsSupportForKafka"],
    about: "The same as zk, with the server's address first",
    flags: |command| {
        command_words(command.arg(Arg::new("address").value_name("HOST:PORT").required(true).help("The keeper")))
    },
    run: |matches| run(matches, text(matches, "address").unwrap_or_default()),
};

/// How long a single command, or commands from a pipe, wait for a server.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a person waits for the first prompt; the session goes on looking for a server.
const PATIENCE_OF_A_PERSON: Duration = Duration::from_secs(3);

fn flags(command: Command) -> Command {
    command_words(
        command
            .arg(option("server", "HOST:PORT,…[/CHROOT]", "The keepers [default: localhost:2181]").short('s'))
            .arg(option("timeout", "MS", "Session timeout [default: 30000]"))
            .arg(flag("readonly", "Be content with a server that is cut off from the others").short('r'))
            .arg(flag("waitforconnection", "End with an error when no server is there within the timeout"))
            .arg(option("client-configuration", "FILE", "A properties file of a ZooKeeper client")),
    )
}

/// What follows the flags is one command for the shell, whatever it looks like.
fn command_words(command: Command) -> Command {
    let help = format!(
        "Without a command a shell opens, with history and completion (Tab) on a terminal; otherwise it reads commands from \
         standard input. The exit code is that of the last command: 0, 1 when it failed, 127 when there is none of that \
         name. $OTTLA_ZK_HISTORY names the history's file [~/.ottla_zk_history].\n\nCommands:\n{}",
        syntax::help()
    );
    command
        .arg(
            Arg::new("command")
                .value_name("COMMAND")
                .num_args(0..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true)
                .help("One command, such as: ls /brokers/ids"),
        )
        .after_help(help)
}

fn run(matches: &ArgMatches, server: &str) -> Outcome {
    // `zookeeper-shell` has no such flags.
    let given = |name| matches.try_get_one::<String>(name).ok().flatten();
    let switch = |name| matches.try_get_one::<bool>(name).ok().flatten().is_some_and(|on| *on);
    let timeout = given("timeout").map(|ms| ms.parse()).transpose();
    let timeout = timeout.map_err(|_| Failure::Usage("--timeout must be milliseconds".into()))?.unwrap_or(30_000);
    if let Some(file) = given("client-configuration") {
        check_client_configuration(file)?;
    }
    let command: Vec<String> = texts(matches, "command").into_iter().map(str::to_owned).collect();
    if let Some(flag) = command.first().filter(|word| word.starts_with('-')) {
        return Err(Failure::Usage(format!("{flag}: neither a flag nor a command of the shell")));
    }
    let options = ShellOptions {
        timeout: Duration::from_millis(timeout),
        read_only: switch("readonly"),
        print_states: command.is_empty(),
    };
    let must_connect = switch("waitforconnection");
    block_on(async move {
        match command.is_empty() {
            true => session(options, server, must_connect).await,
            false => single(options, server, &command).await,
        }
    })
}

/// A client's settings that can't be kept to are an error, the others are without effect here.
fn check_client_configuration(file: &str) -> Outcome {
    let secure = ["zookeeper.client.secure", "zookeeper.sasl.client"];
    let on = read_properties(file)?.into_iter().find(|(key, value)| secure.contains(&key.as_str()) && value == "true");
    match on {
        Some((key, _)) => Err(Failure::Failed(format!("{file}: {key}=true: this shell has neither TLS nor SASL yet"))),
        None => Ok(()),
    }
}

async fn single(options: ShellOptions, server: &str, command: &[String]) -> Outcome {
    let mut shell = Shell::new(options, Notices::default());
    // Help needs no server.
    if syntax::find(&command[0]).is_some_and(|c| !matches!(c.name, "help" | "version" | "history" | "quit")) {
        shell.connect(server, PATIENCE).await.map_err(Failure::Failed)?;
    }
    let done = shell.execute(command).await;
    shell.close().await;
    done.map_err(|problem| {
        eprintln!("{}", problem.text);
        Failure::Silent(problem.code)
    })
}

/// Many commands, typed or from a pipe.
async fn session(options: ShellOptions, server: &str, must_connect: bool) -> Outcome {
    let notices = Notices::default();
    let typed = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let timeout = options.timeout;
    let mut shell = Shell::new(options, notices.clone());
    println!("Connecting to {server}");
    println!("Welcome to ZooKeeper!");
    let patience = match (must_connect, typed) {
        (true, _) => timeout,
        (false, true) => PATIENCE_OF_A_PERSON,
        (false, false) => PATIENCE,
    };
    match shell.connect(server, patience).await {
        Err(why) if must_connect || !typed => return Err(Failure::Failed(why)),
        Err(why) => eprintln!("{why} Still trying."),
        Ok(()) => {}
    }
    let mut lines = match typed {
        true => LineReader::on_terminal(shell.shared_client(), &notices).map_err(Failure::Failed)?,
        false => LineReader::on_pipe(),
    };
    let mut code = 0;
    loop {
        let line = match lines.read(shell.prompt()).await {
            Input::Line(line) => line,
            Input::Interrupted => continue,
            Input::End => break,
        };
        match syntax::split(&line).first().map(String::as_str) {
            None => continue,
            Some("quit" | "exit") => break,
            Some(_) => {}
        }
        code = match carry_out(&mut shell, &line, typed).await {
            Ok(()) => 0,
            Err(problem) => {
                eprintln!("{}", problem.text);
                problem.code
            }
        };
    }
    shell.close().await;
    if code == 0 { Ok(()) } else { Err(Failure::Silent(code)) }
}

/// One line. Ctrl-C gives up waiting for its answer when somebody types.
async fn carry_out(shell: &mut Shell, line: &str, typed: bool) -> Result<(), Problem> {
    if !typed {
        return shell.line(line).await;
    }
    tokio::select! {
        done = shell.line(line) => done,
        _ = tokio::signal::ctrl_c() => {
            Err(String::from("\nInterrupted: whether it was done is not known").into())
        }
    }
}

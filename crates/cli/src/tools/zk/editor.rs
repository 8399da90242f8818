//! The line that is being typed: editing, history, completion of commands and paths.
//!
//! The editor blocks, so it has a thread of its own. It is asked for one line at a time; what happens meanwhile (watches)
//! is printed above the line through [`Notices`].

use std::path::PathBuf;
use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use ottla_keeper::ops::{KeeperOp, KeeperReply};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Context, Editor, ExternalPrinter};
use rustyline::{Helper, Highlighter, Hinter, Validator};
use tokio::sync::mpsc;

use super::print::Notices;
use super::shell::SharedClient;
use super::syntax;

/// Lines that the history file keeps.
const HISTORY_LINES: usize = 1_000;
/// How long a completion may wait for the server.
const COMPLETION_WAIT: Duration = Duration::from_secs(2);

/// What came of asking for a line.
#[derive(Debug)]
pub enum Input {
    Line(String),
    /// Ctrl-C: the line is thrown away.
    Interrupted,
    End,
}

/// Asks for lines, on a terminal or not.
pub struct LineReader {
    prompts: std_mpsc::Sender<String>,
    lines: mpsc::UnboundedReceiver<Input>,
}

impl LineReader {
    /// On a terminal.
    pub fn on_terminal(client: SharedClient, notices: &Notices) -> Result<Self, String> {
        let (prompts, asked) = std_mpsc::channel::<String>();
        let (sender, lines) = mpsc::unbounded_channel();
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .history_ignore_space(true)
            .max_history_size(HISTORY_LINES)
            .map_err(|e| e.to_string())?
            .build();
        let mut editor: Editor<PathHelper, FileHistory> = Editor::with_config(config).map_err(|e| e.to_string())?;
        editor.set_helper(Some(PathHelper { client }));
        if let Ok(mut printer) = editor.create_external_printer() {
            let (texts, inbox) = std_mpsc::channel::<String>();
            notices.set_editor(texts);
            std::thread::spawn(move || inbox.into_iter().try_for_each(|text| printer.print(text)));
        }
        let notices = notices.clone();
        std::thread::spawn(move || {
            let history = history_file();
            if let Some(file) = &history {
                // Not there yet, the first time.
                let _ = editor.load_history(file);
            }
            for prompt in asked {
                notices.set_typing(true);
                let typed = editor.readline(&prompt);
                notices.set_typing(false);
                let input = match typed {
                    Ok(line) => Input::Line(line),
                    Err(ReadlineError::Interrupted) => Input::Interrupted,
                    Err(_) => Input::End,
                };
                if let Input::Line(line) = &input {
                    remember(&mut editor, line, history.as_ref());
                }
                if sender.send(input).is_err() {
                    break;
                }
            }
        });
        Ok(Self { prompts, lines })
    }

    /// From a pipe or a file: no prompt, no history.
    pub fn on_pipe() -> Self {
        let (prompts, asked) = std_mpsc::channel::<String>();
        let (sender, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for (_, line) in asked.into_iter().zip(std::io::stdin().lines()) {
                let input = line.map_or(Input::End, Input::Line);
                if sender.send(input).is_err() {
                    break;
                }
            }
        });
        Self { prompts, lines }
    }

    /// The next line.
    pub async fn read(&mut self, prompt: String) -> Input {
        if self.prompts.send(prompt).is_err() {
            return Input::End;
        }
        self.lines.recv().await.unwrap_or(Input::End)
    }
}

/// A line goes into the history and its file, unless it has a password in it.
fn remember(editor: &mut Editor<PathHelper, FileHistory>, line: &str, file: Option<&PathBuf>) {
    if line.trim().is_empty() || line.trim_start().starts_with("addauth") {
        return;
    }
    if editor.add_history_entry(line).is_ok()
        && let Some(file) = file
    {
        // A history that can't be written is no reason to stop.
        let _ = editor.append_history(file);
    }
}

/// `$OTTLA_ZK_HISTORY` (empty: none), else `~/.ottla_zk_history`.
fn history_file() -> Option<PathBuf> {
    match std::env::var_os("OTTLA_ZK_HISTORY") {
        Some(file) => (!file.is_empty()).then(|| PathBuf::from(file)),
        None => std::env::home_dir().map(|home| home.join(".ottla_zk_history")),
    }
}

/// Completes commands, and paths by the children that the server has.
#[derive(Helper, Highlighter, Hinter, Validator)]
struct PathHelper {
    client: SharedClient,
}

impl Completer for PathHelper {
    type Candidate = Pair;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = &line[..position];
        let start = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let token = &before[start..];
        let found = if token.starts_with('/') {
            self.paths(token)
        } else if before[..start].trim().is_empty() {
            commands(token)
        } else {
            Vec::new()
        };
        Ok((start, found))
    }
}

fn commands(token: &str) -> Vec<Pair> {
    let names = syntax::ALL.iter().map(|syntax| syntax.name).filter(|name| name.starts_with(token));
    names.map(|name| Pair { display: name.to_owned(), replacement: format!("{name} ") }).collect()
}

impl PathHelper {
    fn paths(&self, token: &str) -> Vec<Pair> {
        let Some((dir, prefix)) = token.rsplit_once('/') else { return Vec::new() };
        let mut names = self.children(if dir.is_empty() { "/" } else { dir });
        names.retain(|name| name.starts_with(prefix));
        names.sort();
        names.into_iter().map(|name| Pair { replacement: format!("{dir}/{name}"), display: name }).collect()
    }

    fn children(&self, path: &str) -> Vec<String> {
        let client = self.client.lock().ok().and_then(|client| client.clone());
        let Some(client) = client else { return Vec::new() };
        let (sender, answer) = std_mpsc::channel();
        let op = KeeperOp::GetChildren { path: path.to_owned(), watch: false };
        // Nobody listens any more when it took too long.
        client.submit(op, Box::new(move |result| drop(sender.send(result))));
        match answer.recv_timeout(COMPLETION_WAIT) {
            Ok(Ok(KeeperReply::Children { children, .. })) => children,
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completes_commands() {
        let names: Vec<String> = commands("getA").into_iter().map(|pair| pair.replacement).collect();
        assert_eq!(names, ["getAcl ", "getAllChildrenNumber "]);
        assert!(commands("nothing").is_empty());
    }
}

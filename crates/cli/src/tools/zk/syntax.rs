//! The shell's commands: their names, what they take, and how a line is taken apart.

/// What a command takes.
#[derive(Debug)]
pub struct Syntax {
    pub name: &'static str,
    /// As zkCli writes it.
    pub usage: &'static str,
    /// Flags that stand alone, a letter each.
    switches: &'static str,
    /// Flags that take the word after them.
    options: &'static [&'static str],
    /// How many words there must be besides.
    words: usize,
}

const fn syntax(
    name: &'static str,
    usage: &'static str,
    switches: &'static str,
    options: &'static [&'static str],
    words: usize,
) -> Syntax {
    Syntax { name, usage, switches, options, words }
}

/// Every command, sorted by name.
pub const ALL: &[Syntax] = &[
    syntax("addWatch", "[-m PERSISTENT|PERSISTENT_RECURSIVE] path", "", &["m"], 1),
    syntax("addauth", "scheme auth", "", &[], 1),
    syntax("close", "", "", &[], 0),
    syntax("config", "[-c] [-w] [-s]", "cws", &[], 0),
    syntax("connect", "host:port", "", &[], 0),
    syntax("create", "[-s] [-e] [-c] [-t ttl] path [data] [acl]", "sec", &["t"], 1),
    syntax("delete", "[-v version] path", "", &["v"], 1),
    syntax("deleteall", "path [-b batch size]", "", &["b"], 1),
    syntax("delquota", "[-n|-b|-N|-B] path", "nbNB", &[], 1),
    syntax("get", "[-s] [-w] [-b] [-x] path", "swbx", &[], 1),
    syntax("getAcl", "[-s] path", "s", &[], 1),
    syntax("getAllChildrenNumber", "path", "", &[], 1),
    syntax("getEphemerals", "[path]", "", &[], 0),
    syntax("help", "", "", &[], 0),
    syntax("history", "", "", &[], 0),
    syntax("listquota", "path", "", &[], 1),
    syntax("ls", "[-s] [-w] [-R] path", "swR?", &[], 1),
    syntax("printwatches", "on|off", "", &[], 0),
    syntax("quit", "", "", &[], 0),
    syntax(
        "reconfig",
        "[-s] [-v version] [[-file path] | [-members serverID=host:port1:port2;port3[,...]*]] | \
         [-add serverId=host:port1:port2;port3[,...]]* [-remove serverId[,...]*]",
        "s",
        &["v", "file", "members", "add", "remove"],
        0,
    ),
    syntax("redo", "cmdno", "", &[], 1),
    syntax("removewatches", "path [-c|-d|-p|-r|-a] [-l]", "cdpral", &[], 1),
    syntax("set", "path data [-s] [-v version] [-b]", "sb", &["v"], 2),
    syntax("setAcl", "[-s] [-v version] [-R] path acl", "sR", &["v"], 2),
    syntax("setquota", "-n|-b|-N|-B val path", "", &["n", "b", "N", "B"], 1),
    syntax("stat", "[-w] path", "w", &[], 1),
    syntax("sync", "path", "", &[], 1),
    syntax("version", "", "", &[], 0),
    syntax("whoami", "", "", &[], 0),
];

/// Commands under the names that older shells had.
const OLD_NAMES: &[(&str, &str)] = &[("exit", "quit"), ("ls2", "ls"), ("rmr", "deleteall")];

/// The command of this name.
pub fn find(name: &str) -> Option<&'static Syntax> {
    let name = OLD_NAMES.iter().find(|(old, _)| *old == name).map_or(name, |(_, new)| new);
    ALL.iter().find(|syntax| syntax.name == name)
}

/// All commands with what they take, one a line.
pub fn help() -> String {
    ALL.iter().fold(String::new(), |text, syntax| text + "\t" + syntax.name + " " + syntax.usage + "\n")
}

/// A command's words, with its flags taken out.
#[derive(Debug, Default)]
pub struct Arguments {
    flags: Vec<(String, Option<String>)>,
    pub words: Vec<String>,
}

impl Syntax {
    /// What to type, for an error's second line.
    pub fn usage_line(&self) -> String {
        format!("{} {}", self.name, self.usage).trim_end().to_owned()
    }

    /// Takes the words after the command's name apart, in the way of zkCli (Commons CLI): flags may be anywhere, one-letter
    /// flags may be joined (`-sw`), a value may follow its letter at once (`-v3`, `-v=3`), `--` ends the flags.
    pub fn parse(&self, words: &[String]) -> Result<Arguments, String> {
        let mut arguments = Arguments::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let flag = word.strip_prefix('-').filter(|name| !name.is_empty() && name.parse::<f64>().is_err());
            match flag {
                Some("-") => arguments.words.extend(words.by_ref().cloned()),
                Some(name) => self.take_flag(name, &mut words, &mut arguments.flags)?,
                None => arguments.words.push(word.clone()),
            }
        }
        if arguments.words.len() < self.words {
            return Err(self.usage_line());
        }
        Ok(arguments)
    }

    fn take_flag<'a>(
        &self,
        name: &str,
        words: &mut impl Iterator<Item = &'a String>,
        flags: &mut Vec<(String, Option<String>)>,
    ) -> Result<(), String> {
        if self.options.contains(&name) {
            let missing = || format!("Missing argument for option: {name}\n{}", self.usage_line());
            flags.push((name.to_owned(), Some(words.next().ok_or_else(missing)?.clone())));
        } else if name.chars().all(|letter| self.switches.contains(letter)) {
            flags.extend(name.chars().map(|letter| (letter.to_string(), None)));
        } else if let Some((name, value)) = name.split_once('=').filter(|(name, _)| self.options.contains(name)) {
            flags.push((name.to_owned(), Some(value.to_owned())));
        } else if let Some(letter) = name.get(..1).filter(|letter| self.options.contains(letter)) {
            flags.push((letter.to_owned(), Some(name[1..].to_owned())));
        } else {
            return Err(format!("Unrecognized option: -{name}\n{}", self.usage_line()));
        }
        Ok(())
    }
}

impl Arguments {
    pub fn has(&self, name: &str) -> bool {
        self.flags.iter().any(|(flag, _)| flag == name)
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.flags.iter().find(|(flag, _)| flag == name).and_then(|(_, value)| value.as_deref())
    }

    /// The value of `name` as a number; `default` without it.
    pub fn number<T: std::str::FromStr>(&self, name: &str, default: T) -> Result<T, String> {
        match self.value(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| format!("-{name} {text}: this must be a number")),
        }
    }

    /// The first word, which must be a path.
    pub fn path(&self) -> Result<&str, String> {
        match self.words.first().map(String::as_str) {
            None | Some("") => Err("Path length must be > 0".into()),
            Some(path) if !path.starts_with('/') => Err(format!("Path must start with / character: {path}")),
            Some(path) if path.len() > 1 && path.ends_with('/') => {
                Err(format!("Path must not end with / character: {path}"))
            }
            Some(path) => Ok(path),
        }
    }
}

/// A line into words as zkCli does it: white space separates; a word that begins with a quote of either kind goes to the
/// next one. A quote inside a word is a character like any other, so that `{"a":1}` needs no quoting.
pub fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '"' | '\'' => match rest[1..].split_once(first) {
                Some((word, after)) => (Some(word), after),
                None => (None, &rest[1..]),
            },
            _ => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                (Some(&rest[..end]), &rest[end..])
            }
        };
        words.extend(word.map(str::to_owned));
        rest = after.trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(command: &str, line: &str) -> Result<Arguments, String> {
        find(command).ok_or("unknown")?.parse(&split(line))
    }

    #[test]
    fn flags_in_all_places_and_forms() {
        let arguments = parse("set", "-s /a data -v 3").unwrap_or_default();
        assert!(arguments.has("s"));
        assert_eq!(arguments.number("v", -1), Ok(3));
        assert_eq!(arguments.words, ["/a", "data"]);
        assert_eq!(arguments.path(), Ok("/a"));
        assert_eq!(parse("set", "/a data -v3").unwrap_or_default().number("v", -1), Ok(3));
        assert_eq!(parse("set", "/a data -v=3").unwrap_or_default().number("v", -1), Ok(3));
        let joined = parse("ls", "-sw /a").unwrap_or_default();
        assert!(joined.has("s") && joined.has("w") && !joined.has("R"));
        assert_eq!(parse("set", "/a -5").unwrap_or_default().words, ["/a", "-5"]);
        assert_eq!(parse("set", "/a -- -s").unwrap_or_default().words, ["/a", "-s"]);
        for (command, line) in [("ls", "-x /a"), ("ls", "-sx /a"), ("set", "/a b -v"), ("set", "/a"), ("create", "")] {
            assert!(parse(command, line).is_err_and(|error| error.contains(command)), "{command} {line}");
        }
    }

    #[test]
    fn paths() {
        for bad in ["a", "/a/", "\"\""] {
            assert!(parse("get", bad).unwrap_or_default().path().is_err(), "{bad}");
        }
        assert_eq!(parse("get", "/").unwrap_or_default().path(), Ok("/"));
    }

    #[test]
    fn quotes_as_zkcli_has_them() {
        assert_eq!(split("create  /a 'b c' \"\" d\"e f\"\n"), ["create", "/a", "b c", "", "d\"e", "f\""]);
        assert_eq!(split("set /a {\"a\":1}"), ["set", "/a", "{\"a\":1}"]);
        assert_eq!(split("'ä ö'x \"open"), ["ä ö", "x", "open"]);
        assert!(split("   ").is_empty());
    }

    #[test]
    fn sorted_and_found() {
        assert!(ALL.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert_eq!(find("rmr").map(|syntax| syntax.name), Some("deleteall"));
        assert!(help().contains("\tls [-s] [-w] [-R] path\n"));
    }
}

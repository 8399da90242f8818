//! The flags and words of one command of the shell.

/// A command's words, with its flags taken out.
#[derive(Debug, Default)]
pub struct Arguments {
    flags: Vec<(String, Option<String>)>,
    pub words: Vec<String>,
}

impl Arguments {
    /// `switches` stand alone, `options` take the word after them. A word that begins with `-` and is neither is an error.
    pub fn parse(words: &[String], switches: &str, options: &[&str]) -> Result<Self, String> {
        let mut arguments = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.strip_prefix('-').filter(|name| !name.is_empty() && name.parse::<f64>().is_err()) {
                Some(name) if options.contains(&name) => {
                    let value = words.next().ok_or_else(|| format!("Missing argument for option: {name}"))?;
                    arguments.flags.push((name.to_owned(), Some(value.clone())));
                }
                Some(name) if name.len() == 1 && switches.contains(name) => {
                    arguments.flags.push((name.to_owned(), None));
                }
                Some(_) => return Err(format!("Unrecognized option: {word}")),
                None => arguments.words.push(word.clone()),
            }
        }
        Ok(arguments)
    }

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
        match self.words.first() {
            Some(path) if path.starts_with('/') && (path == "/" || !path.ends_with('/')) => Ok(path),
            Some(path) => Err(format!("{path}: a path begins with / and does not end with it")),
            None => Err("a path is missing".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn flags_before_and_after() {
        let arguments = Arguments::parse(&words("-s /a data -v 3"), "s", &["v"]).unwrap_or_default();
        assert!(arguments.has("s"));
        assert_eq!(arguments.number("v", -1), Ok(3));
        assert_eq!(arguments.words, ["/a", "data"]);
        assert_eq!(arguments.path(), Ok("/a"));
        assert!(Arguments::parse(&words("-x /a"), "s", &["v"]).is_err());
        assert!(Arguments::parse(&words("/a -v"), "s", &["v"]).is_err());
        assert_eq!(Arguments::parse(&words("/a -5"), "", &[]).unwrap_or_default().words, ["/a", "-5"]);
    }
}

//! How tools print.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Stdout, Write as _};

use crate::tool::{CLOSED_PIPE, Failure, Outcome};

/// A table whose columns are as wide as their widest cell, separated by a space, as `kafka-consumer-groups.sh` prints it.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|c| rows.iter().filter_map(|row| row.get(c)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$} ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Standard output for much text. When nobody reads any more (`| head`), the tool ends without a word.
pub struct Out(BufWriter<Stdout>);

impl Out {
    pub fn new() -> Self {
        Self(BufWriter::new(io::stdout()))
    }

    pub fn text(&mut self, text: &str) -> Outcome {
        check(self.0.write_all(text.as_bytes()))
    }

    pub fn line(&mut self, text: &str) -> Outcome {
        self.text(text)?;
        self.text("\n")
    }

    /// To be called before waiting for an answer, and at the end.
    pub fn flush(&mut self) -> Outcome {
        check(self.0.flush())
    }
}

fn check(result: io::Result<()>) -> Outcome {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::Silent(CLOSED_PIPE),
        _ => Failure::Failed(format!("standard output: {error}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [vec!["GROUP".into(), "TOPIC".into()], vec!["g".into(), "long-topic".into()]];
        assert_eq!(table(&rows), "GROUP TOPIC\ng     long-topic\n");
    }
}

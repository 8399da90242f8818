//! How tools print.

use std::fmt::Write as _;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [vec!["GROUP".into(), "TOPIC".into()], vec!["g".into(), "long-topic".into()]];
        assert_eq!(table(&rows), "GROUP TOPIC\ng     long-topic\n");
    }
}

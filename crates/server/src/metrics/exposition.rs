//! The text form that Prometheus reads (exposition format 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write;

use super::histogram::{BOUNDS_US, Snapshot};

/// What a number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
    Summary,
}

/// Collects samples; those of one name end up together, as the format wants them, in whatever order they come.
#[derive(Debug, Default)]
pub struct Exposition {
    families: BTreeMap<&'static str, Family>,
}

#[derive(Debug)]
struct Family {
    kind: Kind,
    help: &'static str,
    samples: String,
}

impl Exposition {
    fn family(&mut self, name: &'static str, kind: Kind, help: &'static str) -> &mut String {
        &mut self.families.entry(name).or_insert_with(|| Family { kind, help, samples: String::new() }).samples
    }

    /// Adds one number.
    pub fn sample(&mut self, name: &'static str, kind: Kind, help: &'static str, labels: &[(&str, &str)], value: f64) {
        line(self.family(name, kind, help), name, "", labels, None, value);
    }

    /// Adds a histogram of durations, told in milliseconds.
    pub fn histogram(&mut self, name: &'static str, help: &'static str, labels: &[(&str, &str)], content: &Snapshot) {
        let out = self.family(name, Kind::Histogram, help);
        let mut below = 0;
        for (bound_us, count) in BOUNDS_US.iter().zip(content.buckets) {
            below += count;
            let bound = (*bound_us as f64 / 1_000.0).to_string();
            line(out, name, "_bucket", labels, Some(&bound), below as f64);
        }
        line(out, name, "_bucket", labels, Some("+Inf"), content.count as f64);
        line(out, name, "_sum", labels, None, content.sum_us as f64 / 1_000.0);
        line(out, name, "_count", labels, None, content.count as f64);
    }

    /// Adds a summary: quantiles with their values, then sum and count.
    pub fn summary(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: &[(&str, &str)],
        quantiles: &[(&str, f64)],
        sum: f64,
        count: f64,
    ) {
        let out = self.family(name, Kind::Summary, help);
        for (quantile, value) in quantiles {
            let labels: Vec<(&str, &str)> = labels.iter().copied().chain([("quantile", *quantile)]).collect();
            line(out, name, "", &labels, None, *value);
        }
        line(out, name, "_sum", labels, None, sum);
        line(out, name, "_count", labels, None, count);
    }

    /// The whole text.
    #[must_use]
    pub fn finish(self) -> String {
        let mut out = String::new();
        for (name, family) in self.families {
            let kind = match family.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
                Kind::Summary => "summary",
            };
            // Writing to a string can't fail.
            let _ = writeln!(out, "# HELP {name} {}\n# TYPE {name} {kind}", family.help);
            out.push_str(&family.samples);
        }
        out
    }
}

fn line(out: &mut String, name: &str, suffix: &str, labels: &[(&str, &str)], le: Option<&str>, value: f64) {
    out.push_str(name);
    out.push_str(suffix);
    let mut before = '{';
    for (label, text) in labels.iter().copied().chain(le.map(|le| ("le", le))) {
        out.push(before);
        before = ',';
        out.push_str(label);
        out.push_str("=\"");
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                c => out.push(c),
            }
        }
        out.push('"');
    }
    if before == ',' {
        out.push('}');
    }
    // Writing to a string can't fail.
    let _ = writeln!(out, " {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_stay_together_and_labels_are_escaped() {
        let mut out = Exposition::default();
        out.sample("b", Kind::Gauge, "Second.", &[("topic", "a\"b\\c\nd")], 1.5);
        out.sample("a", Kind::Counter, "First.", &[], 2.0);
        out.sample("b", Kind::Gauge, "Second.", &[("topic", "x"), ("partition", "0")], 3e9);
        assert_eq!(
            out.finish(),
            "# HELP a First.\n# TYPE a counter\na 2\n# HELP b Second.\n# TYPE b gauge\n\
             b{topic=\"a\\\"b\\\\c\\nd\"} 1.5\nb{topic=\"x\",partition=\"0\"} 3000000000\n"
        );
    }
}

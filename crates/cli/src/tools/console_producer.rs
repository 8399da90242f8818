//! `kafka-console-producer.sh`: lines of standard input become records.

use std::io::{BufRead, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::{Arg, ArgMatches, Command};
use ottla_client::producer::{BatchReport, Producer, ProducerRecord};
use ottla_client::{ProducerConfig, Properties};
use ottla_protocol::Header;
use tokio::sync::mpsc;

use crate::common::{
    block_on, connection_flags, flag, option, options, pair, properties, read_properties, text, texts,
};
use crate::tool::{Failure, Outcome, Tool};

pub const TOOL: Tool = Tool {
    name: "console-producer",
    scripts: &["kafka-console-producer"],
    classes: &["ConsoleProducer"],
    about: "Publish the lines of standard input",
    flags,
    run,
};

/// Lines read ahead of what the producer has taken.
const LINES_AHEAD: usize = 1_000;

fn flags(command: Command) -> Command {
    connection_flags(command)
        .arg(option("topic", "TOPIC", "The topic to publish to").required(true))
        .arg(options("command-property", "NAME=VALUE", "A setting of the producer; may be repeated").alias("producer-property"))
        .arg(option("producer.config", "FILE", "The same as --command-config").hide(true))
        .arg(options("reader-property", "NAME=VALUE", "How lines are read: parse.key, key.separator, parse.headers, headers.delimiter, headers.separator, headers.key.separator, null.marker, ignore.error").alias("property"))
        .arg(option("reader-config", "FILE", "The same from a properties file"))
        .arg(Arg::new("compression-codec").long("compression-codec").value_name("CODEC").num_args(0..=1).default_missing_value("gzip").help("none, gzip, snappy, lz4 or zstd [without a value: gzip]"))
        .arg(flag("sync", "Wait for each record's acknowledgement before the next"))
        .arg(option("request-required-acks", "ACKS", "0, 1, -1 or all [default: -1]"))
        .arg(option("request-timeout-ms", "MS", "How long a request may take [default: 1500]"))
        .arg(option("timeout", "MS", "How long a record may wait for others to fill its batch [default: 1000; on a terminal 0]"))
        .arg(option("batch-size", "BYTES", "Bytes of a full batch [default: 16384]").alias("max-partition-memory-bytes"))
        .arg(option("max-memory-bytes", "BYTES", "Bytes that may wait to be acknowledged [default: 33554432]"))
        .arg(option("max-block-ms", "MS", "How long to wait for metadata or room [default: 60000]"))
        .arg(option("message-send-max-retries", "N", "How often to try again [default: 3]"))
        .arg(option("retry-backoff-ms", "MS", "Pause between tries [default: 100]"))
        .arg(option("metadata-expiry-ms", "MS", "How long metadata is believed [default: 300000]"))
        .arg(option("socket-buffer-size", "BYTES", "Without effect: the kernel sizes it").hide(true))
        .arg(option("line-reader", "CLASS", "Only the reader of lines is known").hide(true))
}

fn run(matches: &ArgMatches) -> Outcome {
    let topic = text(matches, "topic").unwrap_or_default();
    if let Some(reader) = text(matches, "line-reader").filter(|class| !class.ends_with("LineMessageReader")) {
        return Err(Failure::Usage(format!(
            "--line-reader {reader}: a Java class cannot be loaded; only LineMessageReader is known"
        )));
    }
    let reader = Arc::new(LineReader::new(matches)?);
    let properties = settings(matches)?;
    if let Some(warning) = properties.warning("producer") {
        eprintln!("WARN {warning}");
    }
    let config = ProducerConfig::from_properties(&properties)?;
    let sync = matches.get_flag("sync");
    block_on(async move {
        let failed = Arc::new(AtomicU64::new(0));
        let count = failed.clone();
        let on_batch = move |report: &BatchReport| {
            if let Err(error) = &report.result {
                count.fetch_add(report.records as u64, Ordering::Relaxed);
                eprintln!(
                    "ERROR {} record(s) for {}-{} were not published: {error}",
                    report.records, report.topic, report.partition
                );
            }
        };
        let limit = config.delivery_timeout;
        let producer = Producer::start(config, Some(Box::new(on_batch))).await?;
        publish(&producer, topic, &reader, sync).await?;
        producer.close(limit + Duration::from_secs(1)).await?;
        if failed.load(Ordering::Relaxed) > 0 { Err(Failure::Silent(1)) } else { Ok(()) }
    })
}

/// The producer's settings: the tool's own flags, then files, then `--command-property`, each over the one before.
fn settings(matches: &ArgMatches) -> Result<Properties, Failure> {
    let mut settings = Properties::default();
    settings.set("client.id", "console-producer");
    settings.set("retries", text(matches, "message-send-max-retries").unwrap_or("3"));
    settings.set(
        "linger.ms",
        text(matches, "timeout").unwrap_or(if std::io::stdin().is_terminal() { "0" } else { "1000" }),
    );
    let flags = [
        ("compression-codec", "compression.type"),
        ("request-required-acks", "acks"),
        ("request-timeout-ms", "request.timeout.ms"),
        ("batch-size", "batch.size"),
        ("max-memory-bytes", "buffer.memory"),
        ("max-block-ms", "max.block.ms"),
        ("retry-backoff-ms", "retry.backoff.ms"),
        ("metadata-expiry-ms", "metadata.max.age.ms"),
    ];
    for (flag, name) in flags {
        if let Some(value) = text(matches, flag) {
            settings.set(name, value);
        }
    }
    for file in ["command-config", "producer.config"].iter().filter_map(|name| text(matches, name)) {
        for (name, value) in read_properties(file)? {
            settings.set(&name, value);
        }
    }
    for property in texts(matches, "command-property") {
        let (name, value) = pair(property)?;
        settings.set(&name, value);
    }
    // Idempotence is for acks=all; here acks may have been lowered.
    if !matches!(settings.get("acks"), None | Some("all" | "-1")) {
        settings.set_default("enable.idempotence", "false");
    }
    if let Some(servers) = properties(matches)?.get("bootstrap.servers") {
        settings.set_default("bootstrap.servers", servers);
        if text(matches, "bootstrap-server").is_some() {
            settings.set("bootstrap.servers", servers);
        }
    }
    Ok(settings)
}

async fn publish(producer: &Producer, topic: &str, reader: &Arc<LineReader>, sync: bool) -> Outcome {
    let topic = producer.topic(topic).await?;
    let mut lines = read_lines();
    while let Some(line) = lines.recv().await {
        let line = line.map_err(|e| Failure::Failed(format!("standard input: {e}")))?;
        let parsed = reader.parse(&line).map_err(Failure::Failed)?;
        let headers: Vec<Header<'_>> =
            parsed.headers.iter().map(|(key, value)| Header { key, value: *value }).collect();
        let record = ProducerRecord { key: parsed.key, value: parsed.value, headers: &headers, ..Default::default() };
        if sync {
            let delivery = topic.send(&record).await?;
            producer.flush().await?;
            // What went wrong, the batch's report has said.
            let _ = delivery.acknowledged().await;
        } else {
            topic.append(&record).await?;
        }
    }
    Ok(())
}

/// The lines of standard input without their ends, read by a thread of their own; with a prompt on a terminal.
fn read_lines() -> mpsc::Receiver<std::io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel(LINES_AHEAD);
    std::thread::spawn(move || {
        let prompt = std::io::stdin().is_terminal();
        let mut stdin = std::io::stdin().lock();
        loop {
            if prompt {
                print!(">");
                let _ = std::io::stdout().flush();
            }
            let mut line = Vec::new();
            let item = match stdin.read_until(b'\n', &mut line) {
                Ok(0) => break,
                Ok(_) => {
                    if line.ends_with(b"\n") {
                        line.pop();
                    }
                    if line.ends_with(b"\r") {
                        line.pop();
                    }
                    Ok(line)
                }
                Err(error) => Err(error),
            };
            if sender.blocking_send(item).is_err() {
                break;
            }
        }
    });
    receiver
}

/// How a line becomes a record.
#[doc(alias = "LineMessageReader")]
struct LineReader {
    parse_key: bool,
    key_separator: String,
    parse_headers: bool,
    headers_delimiter: String,
    headers_separator: String,
    headers_key_separator: String,
    null_marker: Option<String>,
    ignore_error: bool,
}

/// A header's key and value.
type HeaderPart<'a> = (&'a str, Option<&'a [u8]>);

/// A line's parts.
#[derive(Debug, Default, PartialEq)]
struct Parsed<'a> {
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    headers: Vec<HeaderPart<'a>>,
}

impl LineReader {
    fn new(matches: &ArgMatches) -> Result<Self, Failure> {
        let mut properties = match text(matches, "reader-config") {
            Some(file) => read_properties(file)?.into_iter().collect(),
            None => Properties::default(),
        };
        for property in texts(matches, "reader-property") {
            // A separator may be white space: nothing is trimmed here.
            let (name, value) = property
                .split_once('=')
                .ok_or_else(|| Failure::Usage(format!("--reader-property {property}: this must be NAME=VALUE")))?;
            properties.set(name.trim(), value);
        }
        let truth = |name| properties.get(name).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
        let word = |name, default: &str| properties.get(name).unwrap_or(default).replace("\\t", "\t");
        Ok(Self {
            parse_key: truth("parse.key"),
            key_separator: word("key.separator", "\t"),
            parse_headers: truth("parse.headers"),
            headers_delimiter: word("headers.delimiter", "\t"),
            headers_separator: word("headers.separator", ","),
            headers_key_separator: word("headers.key.separator", ":"),
            null_marker: properties.get("null.marker").map(str::to_owned),
            ignore_error: truth("ignore.error"),
        })
    }

    fn parse<'a>(&self, line: &'a [u8]) -> Result<Parsed<'a>, String> {
        let mut rest = line;
        let mut parsed = Parsed::default();
        if self.parse_headers {
            match split_once(rest, &self.headers_delimiter) {
                Some((headers, after)) => {
                    parsed.headers = self.headers(headers)?;
                    rest = after;
                }
                None if self.ignore_error => {}
                None => return Err(no_separator("header delimiter", line)),
            }
        }
        if self.parse_key {
            match split_once(rest, &self.key_separator) {
                Some((key, after)) => {
                    parsed.key = self.or_null(key);
                    rest = after;
                }
                None if self.ignore_error => {}
                None => return Err(no_separator("key separator", line)),
            }
        }
        parsed.value = self.or_null(rest);
        Ok(parsed)
    }

    fn headers<'a>(&self, text: &'a [u8]) -> Result<Vec<HeaderPart<'a>>, String> {
        let text = std::str::from_utf8(text).map_err(|_| "headers must be UTF-8".to_owned())?;
        if self.or_null(text.as_bytes()).is_none() || text.is_empty() {
            return Ok(Vec::new());
        }
        let one = |pair: &'a str| match pair.split_once(self.headers_key_separator.as_str()) {
            Some((key, value)) => Ok((key, self.or_null(value.as_bytes()))),
            None if self.ignore_error => Ok((pair, None)),
            None => Err(no_separator("header key separator", pair.as_bytes())),
        };
        text.split(self.headers_separator.as_str()).map(one).collect()
    }

    fn or_null<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        (self.null_marker.as_ref().is_none_or(|marker| marker.as_bytes() != bytes)).then_some(bytes)
    }
}

fn no_separator(what: &str, line: &[u8]) -> String {
    let shown: String = String::from_utf8_lossy(line).chars().take(100).collect();
    format!("No {what} found in the line '{shown}'")
}

fn split_once<'a>(bytes: &'a [u8], separator: &str) -> Option<(&'a [u8], &'a [u8])> {
    let separator = separator.as_bytes();
    if separator.is_empty() {
        return None;
    }
    let at = bytes.windows(separator.len()).position(|window| window == separator)?;
    Some((&bytes[..at], &bytes[at + separator.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader() -> LineReader {
        LineReader {
            parse_key: true,
            key_separator: ":".into(),
            parse_headers: false,
            headers_delimiter: "\t".into(),
            headers_separator: ",".into(),
            headers_key_separator: "=".into(),
            null_marker: Some("NULL".into()),
            ignore_error: false,
        }
    }

    #[test]
    fn keys_and_nulls() {
        let parsed = |line: &'static [u8]| reader().parse(line).map(|p| (p.key, p.value));
        assert_eq!(parsed(b"a:b:c"), Ok((Some(&b"a"[..]), Some(&b"b:c"[..]))));
        assert_eq!(parsed(b"a:NULL"), Ok((Some(&b"a"[..]), None)));
        assert_eq!(parsed(b":"), Ok((Some(&b""[..]), Some(&b""[..]))));
        assert!(parsed(b"nothing").is_err());
        let lenient = LineReader { ignore_error: true, ..reader() };
        assert_eq!(lenient.parse(b"nothing").map(|p| (p.key, p.value)), Ok((None, Some(&b"nothing"[..]))));
    }

    #[test]
    fn headers() {
        let reader = LineReader { parse_headers: true, ..reader() };
        let parsed = reader.parse(b"a=1,b=NULL\tk:v").unwrap_or_default();
        assert_eq!(parsed.headers, vec![("a", Some(&b"1"[..])), ("b", None)]);
        assert_eq!((parsed.key, parsed.value), (Some(&b"k"[..]), Some(&b"v"[..])));
        assert!(reader.parse(b"a\tk:v").is_err());
    }
}

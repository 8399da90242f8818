//! How a record is printed.

use std::io::{self, Write};

use clap::ArgMatches;
use ottla_base::ids::TopicPartition;
use ottla_client::Properties;
use ottla_protocol::{BatchHeader, Record, TimestampType};

use crate::common::{read_properties, text, texts};
use crate::tool::Failure;

/// What bytes mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deserializer {
    Bytes,
    Long,
    Integer,
    Short,
    Double,
}

impl Deserializer {
    fn parse(class: &str) -> Result<Self, Failure> {
        let short = class.rsplit('.').next().unwrap_or(class);
        Ok(match short {
            "StringDeserializer" | "ByteArrayDeserializer" | "BytesDeserializer" => Self::Bytes,
            "LongDeserializer" => Self::Long,
            "IntegerDeserializer" => Self::Integer,
            "ShortDeserializer" => Self::Short,
            "DoubleDeserializer" => Self::Double,
            _ => {
                return Err(Failure::Usage(format!(
                    "{class}: a Java class cannot be loaded; String, ByteArray, Long, Integer, Short and Double deserializers are known"
                )));
            }
        })
    }

    fn write(self, out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
        let bad = || io::Error::new(io::ErrorKind::InvalidData, format!("{} bytes are not a {self:?}", bytes.len()));
        match self {
            Self::Bytes => out.write_all(bytes),
            Self::Long => write!(out, "{}", i64::from_be_bytes(bytes.try_into().map_err(|_| bad())?)),
            Self::Integer => write!(out, "{}", i32::from_be_bytes(bytes.try_into().map_err(|_| bad())?)),
            Self::Short => write!(out, "{}", i16::from_be_bytes(bytes.try_into().map_err(|_| bad())?)),
            Self::Double => write!(out, "{}", f64::from_be_bytes(bytes.try_into().map_err(|_| bad())?)),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Default,
    Logging,
    Nothing,
}

/// `DefaultMessageFormatter` and its relatives.
pub struct Formatter {
    kind: Kind,
    timestamp: bool,
    partition: bool,
    offset: bool,
    epoch: bool,
    headers: bool,
    key: bool,
    value: bool,
    key_separator: Vec<u8>,
    line_separator: Vec<u8>,
    headers_separator: Vec<u8>,
    null: Vec<u8>,
    key_deserializer: Deserializer,
    value_deserializer: Deserializer,
}

impl Formatter {
    pub fn new(matches: &ArgMatches) -> Result<Self, Failure> {
        let mut properties: Properties = match text(matches, "formatter-config") {
            Some(file) => read_properties(file)?.into_iter().collect(),
            None => Properties::default(),
        };
        for property in texts(matches, "formatter-property") {
            // A separator may be white space: nothing is trimmed here.
            let (name, value) = property
                .split_once('=')
                .ok_or_else(|| Failure::Usage(format!("--formatter-property {property}: this must be NAME=VALUE")))?;
            properties.set(name.trim(), value);
        }
        let class = text(matches, "formatter").unwrap_or("DefaultMessageFormatter");
        let kind = match class.rsplit('.').next().unwrap_or(class) {
            "DefaultMessageFormatter" => Kind::Default,
            "LoggingMessageFormatter" => Kind::Logging,
            "NoOpMessageFormatter" => Kind::Nothing,
            _ => {
                return Err(Failure::Usage(format!(
                    "--formatter {class}: a Java class cannot be loaded; use `ottla dump-log` for internal topics"
                )));
            }
        };
        let truth =
            |name, default: bool| properties.get(name).map_or(default, |v| v.trim().eq_ignore_ascii_case("true"));
        let word = |name, default: &str| {
            properties.get(name).unwrap_or(default).replace("\\t", "\t").replace("\\n", "\n").into_bytes()
        };
        let class = |flag, property| {
            text(matches, flag).or(properties.get(property)).map_or(Ok(Deserializer::Bytes), Deserializer::parse)
        };
        Ok(Self {
            kind,
            timestamp: truth("print.timestamp", false),
            partition: truth("print.partition", false),
            offset: truth("print.offset", false),
            epoch: truth("print.epoch", false),
            headers: truth("print.headers", false),
            key: truth("print.key", false),
            value: truth("print.value", true),
            key_separator: word("key.separator", "\t"),
            line_separator: word("line.separator", "\n"),
            headers_separator: word("headers.separator", ","),
            null: word("null.literal", "null"),
            key_deserializer: class("key-deserializer", "key.deserializer")?,
            value_deserializer: class("value-deserializer", "value.deserializer")?,
        })
    }

    /// Prints one record.
    pub fn write(
        &self,
        out: &mut impl Write,
        partition: &TopicPartition,
        batch: &BatchHeader<'_>,
        record: &Record<'_>,
    ) -> io::Result<()> {
        if self.kind == Kind::Nothing {
            return Ok(());
        }
        if self.kind == Kind::Logging {
            eprintln!(
                "{partition} offset {} key {} value {} bytes",
                record.offset,
                record.key.map_or(0, <[u8]>::len),
                record.value.map_or(0, <[u8]>::len)
            );
        }
        let mut parts = Parts { out, separator: &self.key_separator, first: true };
        if self.timestamp {
            match (record.timestamp, batch.timestamp_type()) {
                (-1, _) => parts.put(format_args!("NO_TIMESTAMP"))?,
                (ms, TimestampType::CreateTime) => parts.put(format_args!("CreateTime:{ms}"))?,
                (ms, TimestampType::LogAppendTime) => parts.put(format_args!("LogAppendTime:{ms}"))?,
            }
        }
        if self.partition {
            parts.put(format_args!("Partition:{}", partition.partition))?;
        }
        if self.offset {
            parts.put(format_args!("Offset:{}", record.offset))?;
        }
        if self.epoch {
            parts.put(format_args!("Epoch:{}", batch.leader_epoch()))?;
        }
        if self.headers {
            self.write_headers(&mut parts, record)?;
        }
        for (wanted, bytes, deserializer) in
            [(self.key, record.key, self.key_deserializer), (self.value, record.value, self.value_deserializer)]
        {
            if wanted {
                parts.begin()?;
                match bytes {
                    Some(bytes) => deserializer.write(parts.out, bytes)?,
                    None => parts.out.write_all(&self.null)?,
                }
            }
        }
        parts.out.write_all(&self.line_separator)
    }

    fn write_headers(&self, parts: &mut Parts<'_, impl Write>, record: &Record<'_>) -> io::Result<()> {
        if record.headers.is_empty() {
            return parts.put(format_args!("NO_HEADERS"));
        }
        parts.begin()?;
        for (i, header) in record.headers.into_iter().enumerate() {
            if i > 0 {
                parts.out.write_all(&self.headers_separator)?;
            }
            write!(parts.out, "{}:", header.key)?;
            parts.out.write_all(header.value.unwrap_or(&self.null))?;
        }
        Ok(())
    }
}

/// The parts of a line, with a separator between them.
struct Parts<'a, W> {
    out: &'a mut W,
    separator: &'a [u8],
    first: bool,
}

impl<W: Write> Parts<'_, W> {
    fn begin(&mut self) -> io::Result<()> {
        if !std::mem::take(&mut self.first) {
            self.out.write_all(self.separator)?;
        }
        Ok(())
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) -> io::Result<()> {
        self.begin()?;
        self.out.write_fmt(text)
    }
}

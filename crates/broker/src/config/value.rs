//! Values of settings: their types, what is valid, and Kafka's words for what is not.

use std::fmt;

use super::settings::Setting;

/// The type of a setting's value.
#[doc(alias = "ConfigDef.Type")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigType {
    Boolean,
    Short,
    Int,
    Long,
    Double,
    String,
    /// Separated by commas.
    List,
    /// A name of a Java class; kept as text.
    Class,
    /// Text that is never shown.
    Password,
}

impl ConfigType {
    /// The number that DescribeConfigs (version 3 and later) has for the type.
    #[must_use]
    pub fn protocol_code(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::String => 2,
            Self::Int => 3,
            Self::Short => 4,
            Self::Long => 5,
            Self::Double => 6,
            Self::List => 7,
            Self::Class => 8,
            Self::Password => 9,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Int => "INT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }
}

/// Which values are valid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Valid {
    Any,
    Min(i64),
    Range(i64, i64),
    RangeF(f64, f64),
    OneOf(&'static [&'static str]),
    OneOfNoCase(&'static [&'static str]),
    /// Every element is one of these.
    ListOf(&'static [&'static str]),
    /// 1 to 9, or -1.
    GzipLevel,
    /// `*`, or `partition:broker` pairs.
    ThrottledReplicas,
}

/// A value that its setting can't have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidValue {
    pub name: String,
    /// `None` when the value may not be shown.
    pub value: Option<String>,
    pub reason: String,
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.as_deref().unwrap_or("[hidden]");
        write!(f, "Invalid value {value} for configuration {}: {}", self.name, self.reason)
    }
}

impl std::error::Error for InvalidValue {}

/// The elements of a list: trimmed, without empty ones.
pub fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// True or false, in any case.
#[must_use]
pub fn parse_bool(text: &str) -> Option<bool> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

impl Setting {
    /// Checks a value against type and range.
    pub fn check(&self, value: &str) -> Result<(), InvalidValue> {
        self.problem(value).map_or(Ok(()), |reason| {
            let shown = (!self.is_sensitive()).then(|| value.to_owned());
            Err(InvalidValue { name: self.name.to_owned(), value: shown, reason })
        })
    }

    fn problem(&self, value: &str) -> Option<String> {
        let text = value.trim();
        let bounds = match self.kind {
            ConfigType::Short => (i64::from(i16::MIN), i64::from(i16::MAX)),
            ConfigType::Int => (i64::from(i32::MIN), i64::from(i32::MAX)),
            ConfigType::Long => (i64::MIN, i64::MAX),
            ConfigType::Double => {
                return match text.parse::<f64>() {
                    Ok(number) if number.is_nan() => Some("Not a number of type DOUBLE".into()),
                    Ok(number) => self.double_problem(number),
                    Err(_) => Some("Not a number of type DOUBLE".into()),
                };
            }
            ConfigType::Boolean => {
                return parse_bool(text).is_none().then(|| "Expected value to be either true or false".into());
            }
            ConfigType::String | ConfigType::List | ConfigType::Class | ConfigType::Password => {
                return self.text_problem(text);
            }
        };
        match text.parse::<i64>() {
            Ok(number) if (bounds.0..=bounds.1).contains(&number) => self.number_problem(number),
            _ => Some(format!("Not a number of type {}", self.kind.name())),
        }
    }

    fn number_problem(&self, number: i64) -> Option<String> {
        match self.valid {
            Valid::Min(min) | Valid::Range(min, _) if number < min => Some(format!("Value must be at least {min}")),
            Valid::Range(_, max) if number > max => Some(format!("Value must be no more than {max}")),
            Valid::GzipLevel if number != -1 && !(1..=9).contains(&number) => {
                Some("Value must be between 1 and 9 or equal to -1".into())
            }
            _ => None,
        }
    }

    fn double_problem(&self, number: f64) -> Option<String> {
        match self.valid {
            Valid::RangeF(min, _) if number < min => Some(format!("Value must be at least {min}")),
            Valid::RangeF(_, max) if number > max => Some(format!("Value must be no more than {max}")),
            _ => None,
        }
    }

    fn text_problem(&self, text: &str) -> Option<String> {
        let must_be = |words: &[&str]| Some(format!("String must be one of: {}", words.join(", ")));
        match self.valid {
            Valid::OneOf(words) if !words.contains(&text) => must_be(words),
            Valid::OneOfNoCase(words) if !words.iter().any(|word| word.eq_ignore_ascii_case(text)) => {
                Some(format!("String must be one of (case insensitive): {}", words.join(", ")))
            }
            Valid::ListOf(words) if list(text).any(|item| !words.contains(&item)) => must_be(words),
            Valid::ThrottledReplicas if text != "*" && !list(text).all(is_partition_and_broker) => Some(
                "Must be the literal '*' or a list of replicas in the following format: \
                 [partitionId]:[brokerId],[partitionId]:[brokerId],..."
                    .into(),
            ),
            _ => None,
        }
    }
}

fn is_partition_and_broker(item: &str) -> bool {
    item.split_once(':')
        .is_some_and(|(partition, broker)| partition.parse::<u32>().is_ok() && broker.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::super::settings::{broker_setting, topic_setting};

    fn topic_problem(name: &str, value: &str) -> Option<String> {
        topic_setting(name).expect("a setting").check(value).err().map(|error| error.to_string())
    }

    #[test]
    fn invalid_values_are_told_in_kafkas_words() {
        let cases = [
            ("retention.ms", "abc", "Invalid value abc for configuration retention.ms: Not a number of type LONG"),
            ("retention.ms", "-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1"),
            (
                "cleanup.policy",
                "delete,shrink",
                "Invalid value delete,shrink for configuration cleanup.policy: String must be one of: compact, delete",
            ),
            (
                "preallocate",
                "si",
                "Invalid value si for configuration preallocate: Expected value to be either true or false",
            ),
            (
                "min.cleanable.dirty.ratio",
                "1.5",
                "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more than 1",
            ),
            (
                "compression.gzip.level",
                "0",
                "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1",
            ),
            (
                "segment.bytes",
                "3000000000",
                "Invalid value 3000000000 for configuration segment.bytes: Not a number of type INT",
            ),
        ];
        for (name, value, problem) in cases {
            assert_eq!(topic_problem(name, value).as_deref(), Some(problem));
        }
    }

    #[test]
    fn valid_values_pass() {
        for (name, value) in [
            ("retention.ms", " -1 "),
            ("cleanup.policy", "compact, delete"),
            ("cleanup.policy", ""),
            ("leader.replication.throttled.replicas", "*"),
            ("leader.replication.throttled.replicas", "0:1,1:2"),
            ("compression.gzip.level", "-1"),
            ("preallocate", "TRUE"),
        ] {
            assert_eq!(topic_problem(name, value), None);
        }
    }

    #[test]
    fn passwords_stay_hidden() {
        let setting = broker_setting("ssl.key.password").expect("a setting");
        assert!(setting.is_sensitive());
    }
}

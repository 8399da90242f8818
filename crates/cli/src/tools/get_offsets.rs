//! `kafka-get-offsets.sh`: the offset of each partition at a time.

use std::collections::BTreeMap;

use clap::{ArgMatches, Command};
use ottla_base::ids::TopicPartition;
use ottla_client::admin::{Admin, OffsetSpec};

use crate::common::{Pattern, block_on, connect, connection_flags, flag, option, text};
use crate::tool::{Failure, Outcome, Tool};

pub const TOOL: Tool = Tool {
    name: "get-offsets",
    scripts: &["kafka-get-offsets"],
    classes: &["GetOffsetShell"],
    about: "Show the offsets of topics: earliest, latest, by time",
    flags,
    run,
};

fn flags(command: Command) -> Command {
    connection_flags(command)
        .arg(option("topic", "PATTERN", "Topics whose name matches"))
        .arg(option("partitions", "0,1,2", "Only these partitions"))
        .arg(option("topic-partitions", "T:0,U:1-3,V", "Topics with ranges of partitions; instead of the two above"))
        .arg(option("time", "MS|WORD", "Milliseconds since 1970, or -1 latest, -2 earliest, -3 max-timestamp, -4 earliest-local, -5 latest-tiered, -6 earliest-pending-upload [default: latest]"))
        .arg(flag("exclude-internal-topics", "Leave Kafka's own topics out"))
}

fn run(matches: &ArgMatches) -> Outcome {
    let spec = parse_time(text(matches, "time").unwrap_or("latest"))?;
    let filter = Filter::new(matches)?;
    let outcome = block_on(async {
        let admin = Admin::new(connect(matches).await?);
        let internal = !matches.get_flag("exclude-internal-topics");
        let mut wanted = BTreeMap::new();
        for topic in admin.list_topics().await?.topics.values().filter(|topic| internal || !topic.is_internal) {
            for partition in &topic.partitions {
                if filter.passes(&topic.name, partition.partition) {
                    wanted.insert(TopicPartition::new(topic.name.clone(), partition.partition), spec);
                }
            }
        }
        if wanted.is_empty() {
            return Err(Failure::Failed("Could not match any topic-partitions with the specified filters".into()));
        }
        for (partition, result) in admin.list_offsets(&wanted, false).await? {
            match result {
                Ok(listed) => match listed.offset {
                    Some(offset) => println!("{}:{}:{offset}", partition.topic, partition.partition),
                    None => println!("{}:{}:", partition.topic, partition.partition),
                },
                Err(error) => eprintln!("Skip getting offsets for topic-partition {partition}: {error}"),
            }
        }
        Ok(())
    });
    outcome.map_err(|failure| match failure {
        Failure::Failed(text) => Failure::Failed(format!("Error occurred: {text}")),
        other => other,
    })
}

fn parse_time(text: &str) -> Result<OffsetSpec, Failure> {
    Ok(match text {
        "latest" | "-1" => OffsetSpec::Latest,
        "earliest" | "-2" => OffsetSpec::Earliest,
        "max-timestamp" | "-3" => OffsetSpec::MaxTimestamp,
        "earliest-local" | "-4" => OffsetSpec::EarliestLocal,
        "latest-tiered" | "-5" => OffsetSpec::LatestTiered,
        "earliest-pending-upload" | "-6" => OffsetSpec::EarliestPendingUpload,
        ms => OffsetSpec::Timestamp(ms.parse().ok().filter(|ms| *ms >= 0).ok_or_else(|| {
            Failure::Usage(format!(
                "--time {ms}: this must be milliseconds since 1970, earliest, latest or max-timestamp"
            ))
        })?),
    })
}

/// Which partitions are wanted: any of the rules.
struct Filter(Vec<Rule>);

struct Rule {
    topic: Option<Pattern>,
    /// From and up to, without the end; empty means all.
    partitions: Vec<(i32, i32)>,
}

impl Filter {
    fn new(matches: &ArgMatches) -> Result<Self, Failure> {
        if let Some(list) = text(matches, "topic-partitions") {
            if text(matches, "topic").is_some() || text(matches, "partitions").is_some() {
                return Err(Failure::Usage("--topic-partitions cannot be used with --topic or --partitions".into()));
            }
            return list.split(',').map(Rule::parse).collect::<Result<_, _>>().map(Self);
        }
        let partitions = match text(matches, "partitions") {
            Some(list) => list.split(',').map(parse_range).collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        Ok(Self(vec![Rule { topic: text(matches, "topic").map(Pattern::new).transpose()?, partitions }]))
    }

    fn passes(&self, topic: &str, partition: i32) -> bool {
        self.0.iter().any(|rule| {
            rule.topic.as_ref().is_none_or(|pattern| pattern.matches(topic))
                && (rule.partitions.is_empty()
                    || rule.partitions.iter().any(|(from, to)| (*from..*to).contains(&partition)))
        })
    }
}

impl Rule {
    /// `TOPIC`, `TOPIC:0`, `TOPIC:1-3`, `:5-`.
    fn parse(text: &str) -> Result<Self, Failure> {
        let (topic, range) = text.rsplit_once(':').map_or((text, None), |(topic, range)| (topic, Some(range)));
        let topic = if topic.is_empty() { None } else { Some(Pattern::new(topic)?) };
        let partitions = range.filter(|range| !range.is_empty()).map(parse_range).transpose()?;
        Ok(Self { topic, partitions: partitions.into_iter().collect() })
    }
}

/// `3`, `1-3` (without 3), `1-`, `-3`.
fn parse_range(text: &str) -> Result<(i32, i32), Failure> {
    let number = |text: &str, default: i32| if text.is_empty() { Ok(default) } else { text.parse() };
    let range = match text.split_once('-') {
        Some((from, to)) => number(from, 0).and_then(|from| Ok((from, number(to, i32::MAX)?))),
        None => text.parse().map(|one: i32| (one, one.saturating_add(1))),
    };
    range.map_err(|_| Failure::Usage(format!("{text}: this must be a partition or a range of them, such as 0 or 1-3")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(parse_range("3").ok(), Some((3, 4)));
        assert_eq!(parse_range("1-3").ok(), Some((1, 3)));
        assert_eq!(parse_range("2-").ok(), Some((2, i32::MAX)));
        assert_eq!(parse_range("-2").ok(), Some((0, 2)));
        assert!(parse_range("x").is_err());
    }

    #[test]
    fn rules() {
        let filter = Filter(vec![
            Rule::parse("a:1-3").unwrap_or_else(|_| panic!("a rule")),
            Rule::parse("b").unwrap_or_else(|_| panic!("a rule")),
        ]);
        assert!(filter.passes("a", 1) && !filter.passes("a", 3) && filter.passes("b", 7) && !filter.passes("c", 0));
    }
}

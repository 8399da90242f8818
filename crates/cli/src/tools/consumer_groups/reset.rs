//! `--reset-offsets`: where to, and whether to do it.

use std::collections::BTreeMap;

use clap::ArgMatches;
use ottla_base::ids::TopicPartition;
use ottla_client::admin::{Admin, CommittedOffset, OffsetSpec};

use crate::common::{number, text};
use crate::output::table;
use crate::time::{parse_datetime, parse_duration_ms};
use crate::tool::{Failure, Outcome};

/// The rule by which a new offset is found.
enum Scenario {
    At(OffsetSpec),
    Offset(i64),
    Shift(i64),
    Current,
    File(BTreeMap<TopicPartition, i64>),
}

pub async fn run(admin: &Admin, matches: &ArgMatches) -> Outcome {
    let execute = matches.get_flag("execute");
    let scenario = scenario(matches)?;
    for group in super::groups(admin, matches).await? {
        if let Ok(description) = admin.describe_group(&group).await
            && !matches!(description.state.as_str(), "Empty" | "Dead")
        {
            return Err(Failure::Failed(format!(
                "Assignments can only be reset if the group '{group}' is inactive, but the current state is {}.",
                description.state
            )));
        }
        let partitions = wanted(admin, matches, &group, &scenario).await?;
        let offsets = resolve(admin, &group, &partitions, &scenario).await?;
        if execute {
            let commits = offsets.iter().map(|(partition, &offset)| {
                (partition.clone(), CommittedOffset { offset, leader_epoch: -1, metadata: String::new() })
            });
            admin.commit_offsets(&group, &commits.collect()).await?;
        } else if !matches.get_flag("dry-run") {
            eprintln!("WARN: No action will be performed as the --execute option is missing.");
        }
        print(matches, &group, &offsets);
    }
    Ok(())
}

fn print(matches: &ArgMatches, group: &str, offsets: &BTreeMap<TopicPartition, i64>) {
    if matches.get_flag("export") {
        for (partition, offset) in offsets {
            println!("{},{},{offset}", partition.topic, partition.partition);
        }
        return;
    }
    let mut rows = vec![["GROUP", "TOPIC", "PARTITION", "NEW-OFFSET"].map(str::to_owned).to_vec()];
    for (partition, offset) in offsets {
        rows.push(vec![
            group.to_owned(),
            partition.topic.to_string(),
            partition.partition.to_string(),
            offset.to_string(),
        ]);
    }
    print!("\n{}", table(&rows));
}

fn scenario(matches: &ArgMatches) -> Result<Scenario, Failure> {
    let mut found = Vec::new();
    if matches.get_flag("to-earliest") {
        found.push(Scenario::At(OffsetSpec::Earliest));
    }
    if matches.get_flag("to-latest") {
        found.push(Scenario::At(OffsetSpec::Latest));
    }
    if matches.get_flag("to-current") {
        found.push(Scenario::Current);
    }
    found.extend(number(matches, "to-offset")?.map(Scenario::Offset));
    found.extend(number(matches, "shift-by")?.map(Scenario::Shift));
    if let Some(value) = text(matches, "to-datetime") {
        found.push(Scenario::At(OffsetSpec::Timestamp(parse_datetime(value).map_err(Failure::Usage)?)));
    }
    if let Some(value) = text(matches, "by-duration") {
        let ago = parse_duration_ms(value).map_err(Failure::Usage)?;
        found.push(Scenario::At(OffsetSpec::Timestamp(crate::time::now_ms() - ago)));
    }
    if let Some(file) = text(matches, "from-file") {
        found.push(Scenario::File(read_file(file)?));
    }
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(scenario), None) => Ok(scenario),
        _ => Err(Failure::Usage(
            "--reset-offsets needs exactly one of --to-offset, --to-datetime, --by-duration, --to-earliest, --to-latest, \
             --shift-by, --from-file, --to-current"
                .into(),
        )),
    }
}

/// Lines `TOPIC,PARTITION,OFFSET`, or `GROUP,TOPIC,PARTITION,OFFSET`.
fn read_file(file: &str) -> Result<BTreeMap<TopicPartition, i64>, Failure> {
    let content = std::fs::read_to_string(file).map_err(|e| Failure::Failed(format!("{file}: {e}")))?;
    let mut offsets = BTreeMap::new();
    for (i, line) in content.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let parsed = match fields[..] {
            [topic, partition, offset] | [_, topic, partition, offset] => {
                partition.parse().ok().zip(offset.parse().ok()).map(|(p, o)| (TopicPartition::new(topic, p), o))
            }
            _ => None,
        };
        let (partition, offset) = parsed
            .ok_or_else(|| Failure::Failed(format!("{file}:{}: this must be TOPIC,PARTITION,OFFSET: {line}", i + 1)))?;
        offsets.insert(partition, offset);
    }
    Ok(offsets)
}

async fn wanted(
    admin: &Admin,
    matches: &ArgMatches,
    group: &str,
    scenario: &Scenario,
) -> Result<Vec<TopicPartition>, Failure> {
    if let Scenario::File(offsets) = scenario {
        return Ok(offsets.keys().cloned().collect());
    }
    if matches.get_flag("all-topics") {
        return Ok(admin.committed_offsets(group, None).await?.into_keys().collect());
    }
    let partitions = super::partitions(admin, matches).await?;
    if partitions.is_empty() {
        return Err(Failure::Usage("--reset-offsets needs --topic, --all-topics or --from-file".into()));
    }
    Ok(partitions)
}

/// The new offsets, kept within what each log holds.
async fn resolve(
    admin: &Admin,
    group: &str,
    partitions: &[TopicPartition],
    scenario: &Scenario,
) -> Result<BTreeMap<TopicPartition, i64>, Failure> {
    let ask = |spec| partitions.iter().map(move |p| (p.clone(), spec)).collect::<BTreeMap<_, _>>();
    let earliest = admin.list_offsets(&ask(OffsetSpec::Earliest), false).await?;
    let latest = admin.list_offsets(&ask(OffsetSpec::Latest), false).await?;
    let found = match scenario {
        Scenario::At(spec) => Some(admin.list_offsets(&ask(*spec), false).await?),
        _ => None,
    };
    let committed = match scenario {
        Scenario::Shift(_) | Scenario::Current => admin.committed_offsets(group, Some(partitions)).await?,
        _ => BTreeMap::new(),
    };
    let mut offsets = BTreeMap::new();
    for partition in partitions {
        let offset_of = |listed: &BTreeMap<TopicPartition, Result<ottla_client::admin::ListedOffset, _>>| match listed
            .get(partition)
        {
            Some(Ok(listed)) => Ok(listed.offset),
            Some(Err(error)) => Err(Failure::Failed(format!("{partition}: {error}"))),
            None => Ok(None),
        };
        let (first, end) = (offset_of(&earliest)?.unwrap_or(0), offset_of(&latest)?.unwrap_or(0));
        let current = || match committed.get(partition) {
            Some(Ok(committed)) if committed.offset >= 0 => Some(committed.offset),
            _ => None,
        };
        let wanted = match scenario {
            // Nothing at or after that time: the end.
            Scenario::At(_) => found.as_ref().map(&offset_of).transpose()?.flatten().unwrap_or(end),
            Scenario::Offset(offset) => *offset,
            Scenario::File(file) => file.get(partition).copied().unwrap_or(end),
            Scenario::Current => current().unwrap_or(end),
            Scenario::Shift(by) => {
                let Some(current) = current() else {
                    return Err(Failure::Failed(format!(
                        "Cannot shift offset for partition {partition} since there is no current committed offset"
                    )));
                };
                current + by
            }
        };
        offsets.insert(partition.clone(), clamp(partition, wanted, first, end));
    }
    Ok(offsets)
}

fn clamp(partition: &TopicPartition, offset: i64, first: i64, end: i64) -> i64 {
    if offset > end {
        eprintln!(
            "WARN New offset ({offset}) is higher than latest offset for topic partition {partition}. Value will be set to {end}"
        );
    } else if offset < first {
        eprintln!(
            "WARN New offset ({offset}) is lower than earliest offset for topic partition {partition}. Value will be set to {first}"
        );
    }
    offset.clamp(first, end.max(first))
}

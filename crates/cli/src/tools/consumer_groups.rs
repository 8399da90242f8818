//! `kafka-consumer-groups.sh`: list and describe groups, move and delete their offsets, delete groups.

mod describe;
mod reset;

use clap::{Arg, ArgAction, ArgMatches, Command};
use ottla_base::ids::TopicPartition;
use ottla_client::admin::Admin;

use crate::common::{Pattern, block_on, connect, connection_flags, flag, option, options, text, texts};
use crate::output::table;
use crate::tool::{Failure, Outcome, Tool};

pub const TOOL: Tool = Tool {
    name: "consumer-groups",
    scripts: &["kafka-consumer-groups"],
    classes: &["ConsumerGroupCommand"],
    about: "List, describe, reset and delete consumer groups",
    flags,
    run,
};

const ACTIONS: [&str; 5] = ["list", "describe", "delete", "reset-offsets", "delete-offsets"];

fn flags(command: Command) -> Command {
    let optional = |name, value, help| {
        Arg::new(name).long(name).value_name(value).num_args(0..=1).default_missing_value("").help(help)
    };
    connection_flags(command)
        .arg(flag("list", "List the groups"))
        .arg(flag("describe", "Show offsets and lag, or --members, or --state"))
        .arg(flag("delete", "Delete groups without members"))
        .arg(flag("reset-offsets", "Move the offsets of a group without members"))
        .arg(flag("delete-offsets", "Forget the offsets of a group for topics"))
        .arg(options("group", "GROUP", "The group; may be repeated"))
        .arg(flag("all-groups", "Every group"))
        .arg(options("topic", "TOPIC[:0,1]", "The topic, or some of its partitions; may be repeated"))
        .arg(flag("all-topics", "Every topic that the group has offsets for"))
        .arg(flag("members", "With --describe: the members"))
        .arg(flag("offsets", "With --describe: the offsets; the default"))
        .arg(optional("state", "STATE", "With --describe: the state; with --list: show states, or only those given"))
        .arg(optional("type", "TYPE", "With --list: show types, or only those given"))
        .arg(flag("verbose", "More columns"))
        .arg(option("validate-regex", "PATTERN", "Say whether this is a valid pattern for a subscription"))
        .arg(flag("to-earliest", "Reset to the first record"))
        .arg(flag("to-latest", "Reset to the end"))
        .arg(flag("to-current", "Reset to where the group is"))
        .arg(option("to-offset", "N", "Reset to this offset"))
        .arg(option("to-datetime", "YYYY-MM-DDTHH:mm:SS.sss", "Reset to the first record at or after this time"))
        .arg(option("by-duration", "PnDTnHnMnS", "Reset to the first record of the last while"))
        .arg(option("shift-by", "N", "Reset by so many records, forward or back"))
        .arg(option("from-file", "FILE", "Reset to the offsets of a file that --export printed"))
        .arg(flag("execute", "Do it"))
        .arg(flag("dry-run", "Only show what would be done; the default"))
        .arg(flag("export", "Print the new offsets as lines TOPIC,PARTITION,OFFSET"))
        .arg(option("timeout", "MS", "How long to wait").hide(true))
        .arg(Arg::new("force").long("force").hide(true).action(ArgAction::SetTrue))
}

fn run(matches: &ArgMatches) -> Outcome {
    if let Some(pattern) = text(matches, "validate-regex") {
        Pattern::new(pattern)?;
        println!("The regular expression `{pattern}` is valid.");
        return Ok(());
    }
    let mut actions = ACTIONS.iter().filter(|action| matches.get_flag(action));
    let (Some(&action), None) = (actions.next(), actions.next()) else {
        return Err(Failure::Usage(
            "Command must include exactly one action: --list, --describe, --delete, --reset-offsets, --delete-offsets"
                .into(),
        ));
    };
    let outcome = block_on(async {
        let admin = Admin::new(connect(matches).await?);
        match action {
            "list" => list(&admin, matches).await,
            "describe" => describe::run(&admin, matches).await,
            "delete" => delete(&admin, matches).await,
            "reset-offsets" => reset::run(&admin, matches).await,
            _ => delete_offsets(&admin, matches).await,
        }
    });
    outcome.map_err(|failure| match failure {
        Failure::Failed(text) => Failure::Failed(format!("\nError: {text}")),
        other => other,
    })
}

/// The groups that the flags name.
async fn groups(admin: &Admin, matches: &ArgMatches) -> Result<Vec<String>, Failure> {
    if matches.get_flag("all-groups") {
        let mut groups: Vec<String> = admin.list_groups(&[], &[]).await?.into_iter().map(|g| g.group_id).collect();
        groups.sort();
        return Ok(groups);
    }
    let groups: Vec<String> = texts(matches, "group").into_iter().map(str::to_owned).collect();
    if groups.is_empty() {
        return Err(Failure::Usage("--group or --all-groups is missing".into()));
    }
    Ok(groups)
}

/// The partitions that `--topic T` and `--topic T:0,1` name.
async fn partitions(admin: &Admin, matches: &ArgMatches) -> Result<Vec<TopicPartition>, Failure> {
    let metadata = admin.list_topics().await?;
    let mut found = Vec::new();
    for wanted in texts(matches, "topic") {
        let (topic, list) = match wanted.rsplit_once(':') {
            Some((topic, list)) if list.split(',').all(|p| p.parse::<i32>().is_ok()) => (topic, Some(list)),
            _ => (wanted, None),
        };
        let known = metadata.topics.get(topic);
        let known = known.ok_or_else(|| Failure::Failed(format!("there is no topic {topic}")))?;
        let listed: Vec<i32> = match list {
            Some(list) => list.split(',').filter_map(|p| p.parse().ok()).collect(),
            None => known.partitions.iter().map(|p| p.partition).collect(),
        };
        for partition in listed {
            if known.partition(partition).is_none() {
                return Err(Failure::Failed(format!("topic {topic} has no partition {partition}")));
            }
            found.push(TopicPartition::new(topic, partition));
        }
    }
    Ok(found)
}

async fn list(admin: &Admin, matches: &ArgMatches) -> Outcome {
    let words = |name| -> Vec<String> {
        let list = text(matches, name).unwrap_or_default();
        list.split(',').map(str::trim).filter(|s| !s.is_empty()).map(capitalized).collect()
    };
    let mut groups = admin.list_groups(&words("state"), &words("type")).await?;
    groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
    // Connect's workers have groups too; this tool is for consumers.
    groups.retain(|group| group.protocol_type.is_empty() || group.protocol_type == "consumer");
    let (state, kind) = (matches.contains_id("state"), matches.contains_id("type"));
    if !state && !kind {
        groups.iter().for_each(|group| println!("{}", group.group_id));
        return Ok(());
    }
    let row = |group: &str, group_type: &str, group_state: &str| {
        let mut row = vec![group.to_owned()];
        row.extend(kind.then(|| group_type.to_owned()));
        row.extend(state.then(|| group_state.to_owned()));
        row
    };
    let mut rows = vec![row("GROUP", "TYPE", "STATE")];
    rows.extend(groups.iter().map(|group| row(&group.group_id, &group.group_type, &group.state)));
    print!("{}", table(&rows));
    Ok(())
}

/// `stable` and `STABLE` are `Stable`; `preparingrebalance` is `PreparingRebalance`.
fn capitalized(word: &str) -> String {
    let known = [
        "PreparingRebalance",
        "CompletingRebalance",
        "Stable",
        "Dead",
        "Empty",
        "Assigning",
        "Reconciling",
        "Classic",
        "Consumer",
    ];
    known.iter().find(|k| k.eq_ignore_ascii_case(word)).map_or_else(|| word.to_owned(), |k| (*k).to_owned())
}

async fn delete(admin: &Admin, matches: &ArgMatches) -> Outcome {
    let groups = groups(admin, matches).await?;
    let (mut deleted, mut failed) = (Vec::new(), Vec::new());
    for group in groups {
        match admin.delete_group(&group).await {
            Ok(()) => deleted.push(format!("'{group}'")),
            Err(error) => failed.push(format!("* Group '{group}' could not be deleted due to: {error}")),
        }
    }
    if failed.is_empty() {
        println!("Deletion of requested consumer groups ({}) was successful.", deleted.join(", "));
        return Ok(());
    }
    if !deleted.is_empty() {
        println!("These consumer groups were deleted successfully: {}", deleted.join(", "));
    }
    Err(Failure::Failed(format!("Deletion of some consumer groups failed:\n{}", failed.join("\n"))))
}

async fn delete_offsets(admin: &Admin, matches: &ArgMatches) -> Outcome {
    let groups = groups(admin, matches).await?;
    let [group] = groups.as_slice() else {
        return Err(Failure::Usage("--delete-offsets works on one --group".into()));
    };
    let partitions = partitions(admin, matches).await?;
    if partitions.is_empty() {
        return Err(Failure::Usage("--delete-offsets needs --topic".into()));
    }
    let results = admin.delete_offsets(group, &partitions).await?;
    let failed = results.iter().any(|(_, result)| result.is_err());
    let mut rows = vec![vec!["TOPIC".to_owned(), "PARTITION".to_owned(), "STATUS".to_owned()]];
    for (partition, result) in &results {
        let status = result.as_ref().map_or_else(|e| format!("Error: {e}"), |()| "Successful".to_owned());
        rows.push(vec![partition.topic.to_string(), partition.partition.to_string(), status]);
    }
    if failed {
        println!("Encountered some partition level error, see the follow-up details:");
    } else {
        println!("Request succeeded for deleting offsets from group {group}.");
    }
    print!("\n{}", table(&rows));
    if failed { Err(Failure::Silent(1)) } else { Ok(()) }
}

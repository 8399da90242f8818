//! `--describe`: offsets and lag, members, state.

use std::collections::{BTreeMap, BTreeSet};

use clap::ArgMatches;
use ottla_base::ids::TopicPartition;
use ottla_client::admin::{Admin, GroupDescription, GroupMember, OffsetSpec};

use crate::output::table;
use crate::tool::{Failure, Outcome};

pub async fn run(admin: &Admin, matches: &ArgMatches) -> Outcome {
    let mut failed = false;
    for group in super::groups(admin, matches).await? {
        let description = match admin.describe_group(&group).await {
            Ok(description) if description.state == "Dead" => {
                failed = true;
                eprintln!("\nError: Consumer group '{group}' does not exist.");
                continue;
            }
            Ok(description) => description,
            Err(error) => {
                failed = true;
                eprintln!("\nError: {error}");
                continue;
            }
        };
        match description.state.as_str() {
            "Empty" => println!("\nConsumer group '{group}' has no active members."),
            "PreparingRebalance" | "CompletingRebalance" => {
                println!("\nWarning: Consumer group '{group}' is rebalancing.")
            }
            _ => {}
        }
        println!();
        if matches.get_flag("members") {
            print!("{}", members(&description, matches.get_flag("verbose")));
        } else if matches.contains_id("state") {
            print!("{}", state(&description));
        } else {
            print!("{}", offsets(admin, &description, matches.get_flag("verbose")).await?);
        }
    }
    if failed { Err(Failure::Silent(1)) } else { Ok(()) }
}

fn members(group: &GroupDescription, verbose: bool) -> String {
    let with_instance = group.members.iter().any(|member| member.group_instance_id.is_some());
    let mut head = vec!["GROUP", "CONSUMER-ID"];
    head.extend(with_instance.then_some("GROUP-INSTANCE-ID"));
    head.extend(["HOST", "CLIENT-ID", "#PARTITIONS"]);
    head.extend(verbose.then_some("ASSIGNMENT"));
    let mut rows = vec![head.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for member in &group.members {
        let mut row = vec![group.group_id.clone(), member.member_id.clone()];
        row.extend(with_instance.then(|| member.group_instance_id.clone().unwrap_or_else(dash)));
        row.extend([member.client_host.clone(), member.client_id.clone(), member.assignment.len().to_string()]);
        row.extend(verbose.then(|| assignment(&member.assignment)));
        rows.push(row);
    }
    table(&rows)
}

/// `topic(0,1), other(2)`.
fn assignment(partitions: &[TopicPartition]) -> String {
    let mut by_topic: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
    for partition in partitions {
        by_topic.entry(&partition.topic).or_default().insert(partition.partition);
    }
    if by_topic.is_empty() {
        return dash();
    }
    let one = |(topic, ids): (&str, BTreeSet<i32>)| {
        format!("{topic}({})", ids.iter().map(i32::to_string).collect::<Vec<_>>().join(","))
    };
    by_topic.into_iter().map(one).collect::<Vec<_>>().join(", ")
}

fn dash() -> String {
    "-".to_owned()
}

fn state(group: &GroupDescription) -> String {
    let coordinator = group.coordinator.as_ref();
    let coordinator =
        coordinator.map_or_else(dash, |broker| format!("{}:{} ({})", broker.host, broker.port, broker.id));
    let assignor = if group.assignor.is_empty() { dash() } else { group.assignor.clone() };
    let head = ["GROUP", "COORDINATOR (ID)", "ASSIGNMENT-STRATEGY", "STATE", "#MEMBERS"].map(str::to_owned).to_vec();
    let row = vec![group.group_id.clone(), coordinator, assignor, group.state.clone(), group.members.len().to_string()];
    table(&[head, row])
}

async fn offsets(admin: &Admin, group: &GroupDescription, verbose: bool) -> Result<String, Failure> {
    let committed = admin.committed_offsets(&group.group_id, None).await?;
    let mut owners: BTreeMap<&TopicPartition, &GroupMember> = BTreeMap::new();
    for member in &group.members {
        owners.extend(member.assignment.iter().map(|partition| (partition, member)));
    }
    let partitions: BTreeSet<&TopicPartition> = committed.keys().chain(owners.keys().copied()).collect();
    let wanted = partitions.iter().map(|p| ((*p).clone(), OffsetSpec::Latest)).collect();
    let ends = admin.list_offsets(&wanted, false).await?;
    let mut head = vec!["GROUP", "TOPIC", "PARTITION"];
    head.extend(verbose.then_some("LEADER-EPOCH"));
    head.extend(["CURRENT-OFFSET", "LOG-END-OFFSET", "LAG", "CONSUMER-ID", "HOST", "CLIENT-ID"]);
    let mut rows = vec![head.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for partition in partitions {
        let at = committed.get(partition).and_then(|result| result.as_ref().ok()).filter(|c| c.offset >= 0);
        let current = at.map(|committed| committed.offset);
        let end = ends.get(partition).and_then(|result| result.as_ref().ok()).and_then(|listed| listed.offset);
        let show = |number: Option<i64>| number.map_or_else(dash, |number| number.to_string());
        let mut row = vec![group.group_id.clone(), partition.topic.to_string(), partition.partition.to_string()];
        let epoch = at.map(|committed| i64::from(committed.leader_epoch)).filter(|epoch| *epoch >= 0);
        row.extend(verbose.then(|| show(epoch)));
        row.extend([show(current), show(end), show(end.zip(current).map(|(end, current)| end - current))]);
        match owners.get(partition) {
            Some(m) => row.extend([m.member_id.clone(), m.client_host.clone(), m.client_id.clone()]),
            None => row.extend([dash(), dash(), dash()]),
        }
        rows.push(row);
    }
    Ok(table(&rows))
}

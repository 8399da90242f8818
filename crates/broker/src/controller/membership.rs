//! Brokers that come, go, or come back under a new epoch, and log directories that fail.

use std::collections::BTreeSet;

use ottla_base::ids::TopicPartition;
use ottla_keeper::ops::{KeeperOp, KeeperResult};

use super::ControllerStep;
use super::election::live_brokers;
use super::requests::RequestBatch;
use crate::control_plane::{ControlPlane, Then};
use crate::lifecycle::{children, children_of, data_of, get};
use crate::znodes;

impl ControlPlane {
    pub(crate) fn read_broker_list(&mut self) {
        self.controller_keeper(vec![children(znodes::BROKER_IDS, true)], ControllerStep::BrokerList);
    }

    pub(crate) fn on_broker_list(&mut self, result: &KeeperResult) {
        let ids = children_of(result).to_vec();
        let ops = ids.iter().map(|id| get(format!("{}/{id}", znodes::BROKER_IDS), true)).collect();
        self.controller_keeper(ops, ControllerStep::Brokers { ids });
    }

    #[doc(alias = "processBrokerChange")]
    pub(crate) fn on_brokers(&mut self, ids: &[String], results: &[KeeperResult]) {
        let live = live_brokers(ids, results);
        let context = &mut self.controller.context;
        // A broker under a new epoch has been away in between, whether or not that was seen.
        let gone: Vec<i32> = context
            .brokers
            .iter()
            .filter(|(id, before)| live.get(id).is_none_or(|now| now.epoch != before.epoch))
            .map(|(id, _)| *id)
            .collect();
        for id in &gone {
            tracing::info!(broker = id, "broker is gone");
            context.brokers.remove(id);
            context.offline_replicas.retain(|(broker, _)| broker != id);
            self.controller.channels.remove(id);
        }
        let mut came = BTreeSet::new();
        let mut moved = false;
        for (id, broker) in live {
            match self.controller.context.brokers.get_mut(&id) {
                None => {
                    tracing::info!(broker = id, epoch = broker.epoch, "broker is alive");
                    came.insert(id);
                    self.add_live_broker(id, broker);
                }
                Some(before) if before.registration != broker.registration => {
                    *before = broker;
                    moved = true;
                }
                Some(_) => {}
            }
        }
        if gone.is_empty() && came.is_empty() && !moved {
            return self.event_done();
        }
        self.tell_newcomers(&came);
        self.resume_deletions(&came);
        // In one go: leaders for what the gone ones led, ISRs without them, and partitions that only the new ones can lead.
        self.elect_offline(None);
    }

    /// The new brokers get to know every partition and what they are to do, the others that they are there.
    #[doc(alias = "onBrokerStartup")]
    fn tell_newcomers(&mut self, came: &BTreeSet<i32>) {
        let context = &self.controller.context;
        // A broker that came back may remember topics whose deletion it has missed.
        let mut everybody = if came.is_empty() { RequestBatch::default() } else { RequestBatch::full() };
        everybody.update_metadata(context, None);
        for (partition, known) in context.partitions().filter(|(_, known)| !came.is_empty() && known.state.is_some()) {
            everybody.update_metadata(context, Some(&partition));
            for id in known.assignment.replicas.iter().filter(|id| came.contains(id)) {
                everybody.leader_and_isr_to(*id, &partition, false);
            }
        }
        self.send_batch(everybody);
    }

    pub(crate) fn read_log_dir_events(&mut self) {
        self.controller_keeper(vec![children(znodes::LOG_DIR_EVENTS, true)], ControllerStep::LogDirEventList);
    }

    pub(crate) fn on_log_dir_event_list(&mut self, result: &KeeperResult) {
        let names = children_of(result).to_vec();
        let ops = names.iter().map(|name| get(format!("{}/{name}", znodes::LOG_DIR_EVENTS), false)).collect();
        self.controller_keeper(ops, ControllerStep::LogDirEvents { names });
    }

    /// The broker is told all its partitions again: its answer says which ones it can't serve.
    #[doc(alias = "processLogDirEventNotification")]
    pub(crate) fn on_log_dir_events(&mut self, names: &[String], results: &[KeeperResult]) {
        let brokers: BTreeSet<i32> =
            results.iter().filter_map(|result| znodes::decode_log_dir_event(data_of(result)?).ok()).collect();
        let mut batch = RequestBatch::default();
        let context = &self.controller.context;
        let of_broker = |id: i32| -> Vec<TopicPartition> {
            let on = context
                .partitions()
                .filter(|(_, known)| known.state.is_some() && known.assignment.replicas.contains(&id));
            on.map(|(partition, _)| partition).collect()
        };
        for id in brokers.into_iter().filter(|id| context.brokers.contains_key(id)) {
            for partition in of_broker(id) {
                batch.leader_and_isr_to(id, &partition, false);
            }
        }
        self.send_batch(batch);
        let delete =
            |name: &String| KeeperOp::Delete { path: format!("{}/{name}", znodes::LOG_DIR_EVENTS), version: -1 };
        self.keeper(names.iter().map(delete).collect(), Then::Nothing);
        self.event_done();
    }
}

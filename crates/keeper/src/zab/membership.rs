//! Who the members are: the configuration that was committed last, and what was proposed after it and may be committed.
//! While there are both, nothing is decided without a quorum of each (Shraer, Reed, Malkhi, Junqueira: *Dynamic
//! Reconfiguration of Primary/Backup Clusters*, USENIX ATC 2012).

use super::journal::counter_of;
use super::quorum_verifier::QuorumVerifier;
use crate::config::{Role, ServerSpec};
use crate::proto::OpCode;
use crate::txn::{self, TxnEntry};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The configurations that a server goes by.
#[derive(Clone, Debug)]
pub struct Membership {
    /// `reconfigEnabled`: else the configuration of the start stays.
    dynamic: bool,
    /// Committed (`QuorumPeer.getQuorumVerifier`).
    active: Arc<QuorumVerifier>,
    /// The active one as text, as it goes into notifications.
    text: Vec<u8>,
    /// Known here, not known to be committed, in the order of versions (`QuorumPeer.getLastSeenQuorumVerifier` is the last
    /// of them). The version is the zxid of the transaction, or, for the first version of all, the beginning of an epoch.
    proposed: Vec<Arc<QuorumVerifier>>,
    /// Acknowledged by this server once, but not in its log any more, as a leader's history has taken its place: committed and
    /// overtaken, or never committed. Until that leader is known to have a quorum, they are asked; they are never activated.
    overtaken: Vec<Arc<QuorumVerifier>>,
    /// Counts changes.
    generation: u64,
}

impl Membership {
    /// Members that never change.
    #[must_use]
    pub fn fixed(active: Arc<QuorumVerifier>) -> Self {
        let text = active.to_string().into_bytes();
        Self { dynamic: false, active, text, proposed: Vec::new(), overtaken: Vec::new(), generation: 0 }
    }

    /// Members that may change; `proposed` is a later configuration that a former life logged.
    #[must_use]
    pub fn dynamic(active: Arc<QuorumVerifier>, proposed: Option<Arc<QuorumVerifier>>) -> Self {
        let mut membership = Self { dynamic: true, ..Self::fixed(active) };
        if let Some(proposed) = proposed {
            membership.propose(proposed);
        }
        membership
    }

    #[must_use]
    pub fn is_dynamic(&self) -> bool {
        self.dynamic
    }

    /// Committed last.
    #[must_use]
    pub fn active(&self) -> &Arc<QuorumVerifier> {
        &self.active
    }

    /// The active one as text.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Proposed last, else committed last.
    #[doc(alias = "getLastSeenQuorumVerifier")]
    #[must_use]
    pub fn last_seen(&self) -> &Arc<QuorumVerifier> {
        self.proposed.last().unwrap_or(&self.active)
    }

    /// Is a change under way?
    #[must_use]
    pub fn is_changing(&self) -> bool {
        !self.proposed.is_empty()
    }

    /// Texts of those that may be committed.
    #[must_use]
    pub fn undecided(&self) -> Vec<String> {
        self.overtaken.iter().chain(&self.proposed).map(|verifier| verifier.to_string()).collect()
    }

    /// Another number after each change.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Does the server vote in the active configuration?
    #[must_use]
    pub fn is_voter(&self, sid: i64) -> bool {
        self.active.is_voter(sid)
    }

    /// Who is in no configuration follows too, without a vote; only who is named an observer is one.
    #[must_use]
    pub fn is_observer(&self, sid: i64) -> bool {
        self.active.members().get(&sid).is_some_and(|spec| spec.role == Role::Observer)
    }

    fn all(&self) -> impl Iterator<Item = &QuorumVerifier> {
        std::iter::once(&self.active).chain(&self.proposed).chain(&self.overtaken).map(AsRef::as_ref)
    }

    /// Does the server vote in any of the configurations?
    #[doc(alias = "getCurrentAndNextConfigVoters")]
    #[must_use]
    pub fn is_any_voter(&self, sid: i64) -> bool {
        self.all().any(|verifier| verifier.is_voter(sid))
    }

    /// Those who vote in any of the configurations.
    #[must_use]
    pub fn all_voters(&self) -> BTreeSet<i64> {
        self.all().flat_map(|verifier| verifier.voters().iter().copied()).collect()
    }

    /// May the server lead at all?
    #[must_use]
    pub fn has_weight(&self, sid: i64) -> bool {
        self.all().any(|verifier| verifier.weight(sid) != 0)
    }

    /// A quorum of every configuration that may be committed.
    #[doc(alias = "hasAllQuorums")]
    #[must_use]
    pub fn has_quorums(&self, sids: &BTreeSet<i64>) -> bool {
        self.has_quorums_for(i64::MAX, sids)
    }

    /// What the transaction `zxid` needs: those before a reconfiguration need the old members only, it and those after it
    /// the new ones too.
    #[must_use]
    pub fn has_quorums_for(&self, zxid: i64, sids: &BTreeSet<i64>) -> bool {
        self.active.contains_quorum(sids)
            && self.proposed.iter().all(|verifier| verifier.version > zxid || verifier.contains_quorum(sids))
            && self.overtaken.iter().all(|verifier| verifier.contains_quorum(sids))
    }

    /// Where a server is.
    #[must_use]
    pub fn spec(&self, sid: i64) -> Option<&ServerSpec> {
        self.all().find_map(|verifier| verifier.members().get(&sid))
    }

    /// A configuration that may be committed; true when it is new.
    pub(crate) fn propose(&mut self, verifier: Arc<QuorumVerifier>) -> bool {
        if !self.dynamic || verifier.version <= self.last_seen().version {
            return false;
        }
        self.proposed.push(verifier);
        self.generation += 1;
        true
    }

    /// What a transaction proposes, if it does and this is new.
    pub(crate) fn propose_txn(&mut self, txn: &[u8]) -> bool {
        let Some(text) = configuration_of(txn).filter(|_| self.dynamic) else { return false };
        self.parse(text).is_some_and(|verifier| self.propose(verifier))
    }

    /// Reads a configuration; an unreadable one is told of.
    pub(super) fn parse(&self, text: &[u8]) -> Option<Arc<QuorumVerifier>> {
        let read = std::str::from_utf8(text).map_err(|e| e.to_string()).and_then(QuorumVerifier::parse);
        match read {
            Ok(verifier) if !verifier.voters().is_empty() => Some(Arc::new(verifier)),
            Ok(_) => None,
            Err(why) => {
                tracing::error!(
                    "the ensemble's new configuration can't be read ({why}); this server keeps the old one"
                );
                None
            }
        }
    }

    /// A first configuration has version 0, as every file without one: the first leader gives it a version, so that it
    /// counts more than the files of servers that want to join (ZOOKEEPER-1783).
    pub(super) fn number_first(&mut self, epoch_zxid: i64) {
        if self.dynamic && self.active.version == 0 && self.proposed.iter().all(|v| counter_of(v.version) == 0) {
            self.proposed.clear();
            self.propose(Arc::new(self.active.with_version(epoch_zxid)));
        }
    }

    /// A leader's word about what may be committed: its first numbering takes the place of those of leaders before it.
    pub(super) fn told(&mut self, verifier: Arc<QuorumVerifier>) -> bool {
        if counter_of(verifier.version) == 0 {
            self.proposed.retain(|known| counter_of(known.version) != 0);
        }
        self.propose(verifier)
    }

    /// What is committed up to `zxid`: the latest of the proposed ones.
    pub(super) fn committed_by(&self, zxid: i64) -> Option<Arc<QuorumVerifier>> {
        self.proposed.iter().rev().find(|verifier| verifier.version <= zxid).cloned()
    }

    /// It is committed; true when it is later than the active one.
    pub(super) fn activate(&mut self, verifier: &Arc<QuorumVerifier>) -> bool {
        if !self.dynamic || verifier.version <= self.active.version {
            return false;
        }
        self.active = Arc::clone(verifier);
        self.text = verifier.to_string().into_bytes();
        self.proposed.retain(|proposed| proposed.version > verifier.version);
        self.overtaken.retain(|overtaken| overtaken.version > verifier.version);
        self.generation += 1;
        true
    }

    /// Another history takes the log's place, and is not known to be that of a quorum yet.
    pub(super) fn overtake(&mut self) {
        self.overtaken.append(&mut self.proposed);
        self.generation += 1;
    }

    /// As [`Self::overtake`], in a former life.
    pub(crate) fn was_overtaken(&mut self, verifier: Arc<QuorumVerifier>) {
        if self.dynamic && verifier.version > self.active.version {
            self.overtaken.push(verifier);
        }
    }

    /// The history is that of an elected leader: what it does not have was never committed.
    pub(super) fn forget_overtaken(&mut self) {
        if !self.overtaken.is_empty() {
            self.overtaken.clear();
            self.generation += 1;
        }
    }

    /// The log ends here: what was proposed after it never was.
    pub(super) fn truncate(&mut self, zxid: i64) {
        self.proposed.retain(|proposed| proposed.version <= zxid);
        self.generation += 1;
    }
}

/// The text of the configuration that a transaction proposes, when it does.
#[must_use]
pub fn configuration_of(txn: &[u8]) -> Option<&[u8]> {
    // The type is the last field of the header.
    if *txn.get(28..32)? != OpCode::Reconfig.code().to_be_bytes() {
        return None;
    }
    match TxnEntry::decode(txn).ok()?.txn {
        txn::Txn::SetData(txn) => txn.data,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jute::Jute;
    use crate::txn::{SetDataTxn, TxnHeader};

    fn verifier(sids: &[i64], version: i64) -> Arc<QuorumVerifier> {
        let lines: String = sids.iter().map(|sid| format!("server.{sid}=h{sid}:1:2:participant\n")).collect();
        Arc::new(QuorumVerifier::parse(&format!("{lines}version={version:x}")).expect("good"))
    }

    fn quorums(membership: &Membership, sids: &[i64]) -> bool {
        membership.has_quorums(&sids.iter().copied().collect())
    }

    #[test]
    fn both_configurations_decide_until_one_is_committed() {
        let mut membership = Membership::dynamic(verifier(&[1, 2, 3], 5), None);
        assert!(quorums(&membership, &[1, 2]) && !membership.is_changing());
        assert!(membership.propose(verifier(&[3, 4, 5], 9)) && !membership.propose(verifier(&[1], 9)));
        assert!(!quorums(&membership, &[1, 2]) && !quorums(&membership, &[4, 5]) && quorums(&membership, &[2, 3, 4]));
        assert!(membership.has_quorums_for(8, &BTreeSet::from([1, 2])), "before the reconfiguration");
        assert!(!membership.has_quorums_for(9, &BTreeSet::from([1, 2])));
        assert!(membership.is_any_voter(5) && !membership.is_voter(5) && membership.spec(5).is_some());
        let committed = membership.committed_by(9).expect("proposed");
        assert!(membership.committed_by(8).is_none() && membership.activate(&committed));
        assert!(quorums(&membership, &[4, 5]) && !membership.is_changing() && !membership.is_observer(1));
        assert!(!membership.activate(&verifier(&[1], 9)));
    }

    #[test]
    fn what_a_leaders_history_overtook_is_asked_and_never_activated() {
        let mut membership = Membership::dynamic(verifier(&[1, 2, 3], 5), Some(verifier(&[3, 4, 5], 7)));
        membership.overtake();
        assert!(!quorums(&membership, &[1, 2]) && quorums(&membership, &[2, 3, 4]));
        assert!(!membership.has_quorums_for(6, &BTreeSet::from([1, 2])), "nobody knows what it was overtaken by");
        assert!(membership.committed_by(i64::MAX).is_none() && membership.undecided().len() == 1);
        assert!(membership.is_any_voter(5) && membership.last_seen().version == 5);
        // A later one that is committed decides it.
        let (mut later, mut leader) = (membership.clone(), membership);
        assert!(later.activate(&verifier(&[1, 2], 9)) && later.undecided().is_empty() && quorums(&later, &[1, 2]));
        // And so does a leader's history that does not have it.
        leader.forget_overtaken();
        assert!(leader.undecided().is_empty() && quorums(&leader, &[1, 2]));
        // From a former life; what is not later than the committed one is none.
        leader.was_overtaken(verifier(&[4, 5, 6], 5));
        assert!(quorums(&leader, &[1, 2]));
        leader.was_overtaken(verifier(&[4, 5, 6], 6));
        assert!(!quorums(&leader, &[1, 2]));
    }

    #[test]
    fn what_is_truncated_was_never_proposed() {
        let mut membership = Membership::dynamic(verifier(&[1, 2, 3], 5), Some(verifier(&[1], 7)));
        let mut txn = TxnHeader { zxid: 8, txn_type: OpCode::Reconfig.code(), ..TxnHeader::default() }.to_bytes();
        let text = verifier(&[1, 2], 8).to_string();
        SetDataTxn { path: "/zookeeper/config", data: Some(text.as_bytes()), version: -1 }.write(&mut txn);
        assert_eq!((configuration_of(&txn), configuration_of(&txn[..31])), (Some(text.as_bytes()), None));
        assert!(membership.propose_txn(&txn));
        assert!(!quorums(&membership, &[2, 3]), "server 1 alone may be the ensemble");
        membership.truncate(7);
        assert_eq!(membership.last_seen().version, 7);
        membership.truncate(6);
        assert!(quorums(&membership, &[2, 3]));
        for text in [&b"\xff"[..], b"server.1=nowhere", b"version=9"] {
            assert!(membership.parse(text).is_none());
        }
    }

    #[test]
    fn a_first_configuration_gets_a_version() {
        let mut membership = Membership::dynamic(verifier(&[1], 0), None);
        membership.number_first(1 << 32);
        assert_eq!((membership.last_seen().version, membership.active().version), (1 << 32, 0));
        membership.number_first(2 << 32);
        assert_eq!(membership.last_seen().version, 2 << 32);
        // A later leader whose word is an earlier number is not possible; one of a later epoch replaces.
        assert!(membership.told(verifier(&[1], 3 << 32)));
        assert_eq!(membership.committed_by(i64::MAX).expect("one").version, 3 << 32);
        let mut fixed = Membership::fixed(verifier(&[1], 0));
        fixed.number_first(1 << 32);
        assert!(!fixed.is_changing() && !fixed.activate(&verifier(&[1, 2], 1 << 32)));
    }
}

//! What the connections of one broker share, and the way from a frame to its answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ottla_base::random::Random;
use ottla_base::time::Now;
use ottla_protocol::{ApiKey, DecodeErrorKind, RequestHead};
use ottla_storage::LogManager;
use parking_lot::{Mutex, RwLock};

use crate::api;
use crate::config::{BrokerConfig, SharedConfig};
use crate::control::ControlInbox;
use crate::coordinator::group::service::GroupCoordinator;
use crate::fetch_session::FetchSessionCache;
use crate::handlers;
use crate::metadata_cache::MetadataCache;
use crate::metrics::BrokerMetrics;
use crate::purgatory::{Purgatory, Watchers};
use crate::replica_manager::{Identity, ReplicaManager, Shared};
use crate::reply::{Reply, ReplySink};
use crate::request::{ConnectionInfo, RequestContext};

/// What a broker is made of; the driver brings it.
#[derive(Debug)]
pub struct BrokerParts {
    pub config: Arc<SharedConfig>,
    pub logs: Arc<LogManager>,
    pub metadata: Arc<MetadataCache>,
    pub control: Arc<dyn ControlInbox>,
    /// Seed of session ids and the like.
    pub random: Random,
}

/// The broker, as all network threads share it.
#[derive(Debug)]
pub struct Broker {
    pub shared: Arc<Shared>,
    pub replicas: Arc<ReplicaManager>,
    pub fetch_sessions: FetchSessionCache,
    /// Groups and their offsets.
    pub groups: Arc<GroupCoordinator>,
    /// The late [`Broker::tick`] work is done by one thread at a time.
    ticking: Mutex<Ticking>,
}

#[derive(Debug, Default)]
struct Ticking {
    isr_check_due_ms: u64,
}

/// Time between two looks at followers that lag.
const ISR_CHECK_MS: u64 = 1_000;

impl Broker {
    #[must_use]
    pub fn new(parts: BrokerParts) -> Arc<Self> {
        let slots = parts.config.broker().max_incremental_fetch_session_cache_slots.max(0) as usize;
        let shared = Arc::new(Shared {
            identity: Identity::default(),
            config: parts.config,
            metadata: parts.metadata,
            metrics: Arc::default(),
            purgatory: Arc::default(),
            control: parts.control,
            random: Mutex::new(parts.random),
            metadata_watchers: Watchers::default(),
            metadata_listeners: RwLock::default(),
        });
        let replicas = Arc::new(ReplicaManager::new(shared.clone(), parts.logs));
        Arc::new(Self {
            groups: GroupCoordinator::over(&replicas),
            replicas,
            fetch_sessions: FetchSessionCache::new(slots),
            shared,
            ticking: Mutex::default(),
        })
    }

    /// Who this broker is; before any other input.
    pub fn set_identity(&self, cluster_id: &str, broker_id: i32) {
        self.shared.identity.set(cluster_id, broker_id);
    }

    /// The epoch under which this broker is registered: requests for an older one are refused.
    pub fn set_broker_epoch(&self, broker_epoch: i64) {
        self.shared.identity.broker_epoch.store(broker_epoch, Ordering::Release);
    }

    /// [`SharedConfig`] has other settings for this topic.
    pub fn topic_config_changed(&self, topic: &str) {
        self.replicas.topic_config_changed(topic);
    }

    /// [`SharedConfig`] has other settings for the broker.
    pub fn broker_config_changed(&self) {
        self.replicas.broker_config_changed();
    }

    /// The settings as they are now.
    #[must_use]
    pub fn config(&self) -> Arc<BrokerConfig> {
        self.shared.config.broker()
    }

    #[must_use]
    pub fn metrics(&self) -> &BrokerMetrics {
        &self.shared.metrics
    }

    #[must_use]
    pub fn metadata(&self) -> &MetadataCache {
        &self.shared.metadata
    }

    #[must_use]
    pub fn purgatory(&self) -> &Purgatory {
        &self.shared.purgatory
    }

    /// Answers one request. `frame` is the request without its size; a handler may change it. `make_sink` is called at most
    /// once, by a handler that answers later.
    ///
    /// A request that can't be read, of an unknown API or of a version that is not served closes the connection, as
    /// Kafka does; only ApiVersions answers every version.
    pub fn handle(
        &self,
        now: Now,
        frame: &mut [u8],
        connection: &mut ConnectionInfo,
        make_sink: &mut dyn FnMut() -> Box<dyn ReplySink>,
    ) -> Reply {
        let reply = self.dispatch(now, frame, connection, make_sink);
        if matches!(reply, Reply::Close(_)) {
            self.shared.metrics.refused_requests.add(1);
        }
        reply
    }

    fn dispatch(
        &self,
        now: Now,
        frame: &mut [u8],
        connection: &mut ConnectionInfo,
        make_sink: &mut dyn FnMut() -> Box<dyn ReplySink>,
    ) -> Reply {
        let (api_key, api_version, correlation_id, body_at) = match RequestHead::decode(frame) {
            Ok(head) => (head.api_key, head.version, head.correlation_id, head.body.position()),
            Err(error) if error.kind == DecodeErrorKind::UnknownApiKey => {
                let key = frame.first_chunk().map_or(-1, |bytes| i16::from_be_bytes(*bytes));
                return Reply::Close(format!("no API has the key {key}"));
            }
            Err(error) => return Reply::Close(format!("a request's header can't be read: {error}")),
        };
        let Some(api) = api::find(api_key) else {
            return Reply::Close(format!("{} is not served", api_key.name()));
        };
        let (head, body) = frame.split_at_mut(body_at);
        let client_id = RequestHead::decode(head).ok().and_then(|head| head.client_id);
        let mut context = RequestContext {
            now,
            connection,
            api_key,
            api_version,
            correlation_id,
            client_id: client_id.as_deref(),
            make_sink,
        };
        self.shared.metrics.count_request(api_key);
        if api_version < api.versions.0 || api_version > api.versions.1 {
            if api_key == ApiKey::ApiVersions {
                return handlers::api_versions::unsupported_version(self, &mut context);
            }
            let name = api_key.name();
            return Reply::Close(format!("{name} version {api_version} is not served"));
        }
        (api.handle)(self, &mut context, body)
    }

    /// Carries on with what waits for time to pass. Called at least every 100 ms and at [`Broker::next_deadline_ms`], by
    /// any thread.
    pub fn tick(&self, now: Now) {
        let expired = self.shared.purgatory.expire(now);
        self.shared.metrics.expired_requests.add(expired as u64);
        self.groups.tick(now);
        let Some(mut ticking) = self.ticking.try_lock() else { return };
        self.replicas.look_for_failures(now);
        if now.mono_ms() >= ticking.isr_check_due_ms {
            ticking.isr_check_due_ms = now.mono_ms() + ISR_CHECK_MS;
            self.replicas.shrink_isrs(now);
        }
    }

    /// When [`Broker::tick`] has something to do, in milliseconds of the clock that never goes back; another thread may
    /// bring something earlier.
    #[must_use]
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.shared.purgatory.next_deadline_ms().into_iter().chain(self.groups.next_deadline_ms()).min()
    }

    /// Loads a piece of what coordinators keep in their topics; true while there is more. Reads from the disk and may take
    /// its time: for a background thread, which calls again at once while this is true, and every 100 ms otherwise.
    pub fn run_loads(&self, now: Now) -> bool {
        self.groups.run_loads(now)
    }
}

// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::ops::RangeInclusive;

use ottla_base::ids::Uuid;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::writer::Writer;

/// `BrokerHeartbeatRequest`: request of API 63, versions 0 to 2.
#[derive(Clone, Debug, PartialEq)]
pub struct BrokerHeartbeatRequest {
    pub broker_id: i32,
    pub broker_epoch: i64,
    pub current_metadata_offset: i64,
    pub want_fence: bool,
    pub want_shut_down: bool,
    pub offline_log_dirs: Vec<Uuid>,
    pub cordoned_log_dirs: Option<Vec<Uuid>>,
}

impl Default for BrokerHeartbeatRequest {
    fn default() -> Self {
        Self {
            broker_id: 0,
            broker_epoch: -1,
            current_metadata_offset: 0,
            want_fence: false,
            want_shut_down: false,
            offline_log_dirs: Vec::new(),
            cordoned_log_dirs: None,
        }
    }
}

impl BrokerHeartbeatRequest {
    fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        let mut this = Self {
            broker_id: r.i32()?,
            broker_epoch: r.i64()?,
            current_metadata_offset: r.i64()?,
            want_fence: r.bool()?,
            want_shut_down: r.bool()?,
            offline_log_dirs: Vec::new(),
            cordoned_log_dirs: None,
        };
        let mut tags = r.tags()?;
        while let Some(tag) = r.next_tag(&mut tags)? {
            match tag {
                0 if version >= 1 => this.offline_log_dirs = r.array(Reader::uuid)?,
                1 if version >= 2 => this.cordoned_log_dirs = r.nullable_array(Reader::uuid)?,
                _ => r.skip_tag(&tags),
            }
        }
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.broker_id);
        w.i64(self.broker_epoch);
        w.i64(self.current_metadata_offset);
        w.bool(self.want_fence);
        w.bool(self.want_shut_down);
        if version < 1 && !self.offline_log_dirs.is_empty() {
            w.unsupported("BrokerHeartbeatRequest.offline_log_dirs");
        }
        if version < 2 && self.cordoned_log_dirs.is_some() {
            w.unsupported("BrokerHeartbeatRequest.cordoned_log_dirs");
        }
        if w.flexible {
            let mut tags = w.tags();
            if version >= 1 && !self.offline_log_dirs.is_empty() {
                w.tag(&mut tags, 0);
                w.array_len(self.offline_log_dirs.len());
                for item in &self.offline_log_dirs {
                    w.uuid(item);
                }
                w.end_tag(&tags);
            }
            if version >= 2 && self.cordoned_log_dirs.is_some() {
                w.tag(&mut tags, 1);
                w.nullable_array_len(self.cordoned_log_dirs.as_ref().map(Vec::len));
                for item in self.cordoned_log_dirs.iter().flatten() {
                    w.uuid(item);
                }
                w.end_tag(&tags);
            }
        }
    }
}

impl<'a> Message<'a> for BrokerHeartbeatRequest {
    const NAME: &'static str = "BrokerHeartbeatRequest";
    const VERSIONS: RangeInclusive<i16> = 0..=2;
    const FIRST_FLEXIBLE: i16 = 0;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 2), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 2), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Request<'a> for BrokerHeartbeatRequest {
    const KEY: ApiKey = ApiKey::BrokerHeartbeat;
    type Response<'r> = crate::messages::BrokerHeartbeatResponse;
}

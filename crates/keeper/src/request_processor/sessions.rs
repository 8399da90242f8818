//! Who may ask: sessions that all servers know, and with `localSessionsEnabled` those that only one knows
//! (`LeaderSessionTracker`).

use super::{Context, RequestProcessor};
use crate::proto::ErrorCode;
use crate::session_tracker;

impl RequestProcessor {
    /// Sessions may be known to other servers alone, but not one with this highest byte.
    pub fn allow_local_sessions(&mut self, own_server_id: u8) {
        self.local_sessions = Some(own_server_id);
    }
}

impl Context<'_> {
    /// May its session ask for anything?
    pub(super) fn check_session(&mut self) -> Result<(), ErrorCode> {
        if self.request.local {
            return Ok(());
        }
        let id = self.request.session_id;
        match (self.sessions.check(id, self.request.owner), self.local_sessions) {
            (Err(ErrorCode::UnknownSession), Some(own)) if session_tracker::server_id(id) != own => Ok(()),
            (known, _) => known,
        }
    }

    /// As [`Self::check_session`], when all servers have to know the session.
    pub(super) fn check_global_session(&mut self) -> Result<(), ErrorCode> {
        if self.request.local {
            return Err(ErrorCode::EphemeralOnLocalSession);
        }
        match self.sessions.check(self.request.session_id, self.request.owner) {
            Err(ErrorCode::UnknownSession) => Err(ErrorCode::SessionExpired),
            known => known,
        }
    }
}

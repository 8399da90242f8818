//! What the handles of a client ask its task for.

use ottla_keeper::ops::{KeeperError, KeeperResult};
use tokio::sync::oneshot;

use super::super::wire::{Answer, AnyOp};

/// Who waits for an answer.
pub(in super::super) enum Done {
    Op(Box<dyn FnOnce(KeeperResult) + Send>),
    Extra(oneshot::Sender<Result<Answer, KeeperError>>),
}

impl Done {
    pub(super) fn finish(self, result: Result<Answer, KeeperError>) {
        match self {
            // A caller that went away is no error.
            Self::Extra(tx) => drop(tx.send(result)),
            Self::Op(done) => done(match result {
                Ok(Answer::Reply(reply)) => Ok(reply),
                Ok(_) => Err(KeeperError::ConnectionLoss),
                Err(e) => Err(e),
            }),
        }
    }
}

/// What a handle wants.
pub(in super::super) enum Command {
    Op { op: AnyOp, done: Done },
    Auth { scheme: String, credentials: Vec<u8>, done: oneshot::Sender<Result<Answer, KeeperError>> },
    Close { done: oneshot::Sender<()> },
}

impl Command {
    pub(in super::super) fn fail(self, error: &KeeperError) {
        match self {
            Self::Op { done, .. } => done.finish(Err(error.clone())),
            Self::Auth { done, .. } => drop(done.send(Err(error.clone()))),
            Self::Close { done } => {
                let _ = done.send(());
            }
        }
    }
}

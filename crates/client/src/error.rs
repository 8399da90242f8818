//! Why a request to a cluster failed, by what the caller can do about it.

use std::fmt;

use ottla_protocol::ErrorCode;

/// Each prints as one line for a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientError {
    /// No broker could be reached: is one running, is the address right?
    Unreachable(String),
    /// The connection broke while a request was under way: it may have been carried out or not. Trying again may help.
    Disconnected { broker: String, why: String },
    /// No answer in time.
    Timeout { broker: String, what: String },
    /// The broker does not know what was asked, or only in versions that we don't know.
    Unsupported { broker: String, what: String },
    /// The broker's answer (or our request) makes no sense.
    Protocol(String),
    /// The broker refused; `message` is the broker's own, when it sent one.
    Refused { code: ErrorCode, message: Option<String>, what: String },
    /// A setting that can't be.
    Config(String),
    /// This producer, consumer or connection has been closed.
    Closed,
}

/// What most calls give.
pub type Result<T> = std::result::Result<T, ClientError>;

impl ClientError {
    /// The broker's code, when it was the broker who refused.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether trying again may help.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Disconnected { .. } | Self::Timeout { .. } | Self::Unreachable(_) => true,
            Self::Refused { code, .. } => code.is_retriable(),
            Self::Unsupported { .. } | Self::Protocol(_) | Self::Config(_) | Self::Closed => false,
        }
    }
}

/// `Ok` for no error; `what` names what was asked.
pub(crate) fn check(code: i16, message: Option<&str>, what: impl FnOnce() -> String) -> Result<()> {
    match ErrorCode::from_code(code) {
        ErrorCode::None => Ok(()),
        code => Err(ClientError::Refused { code, message: message.map(str::to_owned), what: what() }),
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(text) | Self::Protocol(text) | Self::Config(text) => f.write_str(text),
            Self::Disconnected { broker, why } => write!(f, "lost the connection to {broker}: {why}"),
            Self::Timeout { broker, what } => write!(f, "{broker} did not answer {what} in time"),
            Self::Unsupported { broker, what } => write!(f, "{broker} does not support {what}"),
            Self::Refused { code, message: Some(message), what } if !message.is_empty() => {
                write!(f, "{what}: {message} ({})", code.name())
            }
            Self::Refused { code, what, .. } => write!(f, "{what}: {} ({})", code.message(), code.name()),
            Self::Closed => f.write_str("closed"),
        }
    }
}

impl std::error::Error for ClientError {}

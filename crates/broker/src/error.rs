//! Errors of starting a broker and of the calls on a running one.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::ConfigError;

/// What went wrong, in the words of the caller's settings.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Another process listens on the address.
    #[error("{address} is taken by another process")]
    AddressInUse {
        /// The address of [`crate::Config::listen`].
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address of [`crate::Config::listen`].
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// Another broker uses the data directory.
    #[error("the data directory {} is in use by another broker", .path.display())]
    DirectoryInUse {
        /// The directory of [`crate::Config::data_dir`].
        path: PathBuf,
    },
    /// The data directory cannot be read or written.
    #[error("the broker's data in {} cannot be used: {source}", .path.display())]
    Storage {
        /// File or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// There is a topic of this name.
    #[error("topic {name:?} exists already")]
    TopicExists {
        /// Its name.
        name: String,
    },
    /// There is no topic of this name.
    #[error("there is no topic {name:?}")]
    UnknownTopic {
        /// The name asked for.
        name: String,
    },
    /// The name cannot be a topic's.
    #[error(
        "{name:?} cannot be the name of a topic: 1 to 249 of A-Z a-z 0-9 . _ -, and not . or .."
    )]
    TopicName {
        /// The name asked for.
        name: String,
    },
    /// The number of partitions is not possible.
    #[error("{count} partitions are not possible: {reason}")]
    Partitions {
        /// Number asked for.
        count: i32,
        /// Why not.
        reason: &'static str,
    },
    /// A topic setting is refused.
    #[error(transparent)]
    TopicConfig(#[from] ConfigError),
}

impl BrokerError {
    pub(crate) fn storage(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Storage { path, source }
    }
}

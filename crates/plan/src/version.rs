//! What a server can do, by its version: the one table of gates.

use std::fmt;

use serde::{Deserialize, Serialize};

/// RisingWave's version, without its suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ServerVersion {
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
}

impl ServerVersion {
    /// From its parts.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }

    /// Out of what `SELECT version()` says (`PostgreSQL 13.14.0-RisingWave-2.8.4 (…)`), or of a bare `2.8.4`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = match text.find("RisingWave-") {
            Some(at) => &text[at + "RisingWave-".len()..],
            None => text,
        };
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
        let mut parts = text[..end.unwrap_or(text.len())].split('.');
        let mut next = || parts.next().unwrap_or("0").parse().ok();
        Some(Self::new(next()?, next()?, next()?))
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// Something that not every server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// `ALTER … SWAP WITH`
    Swap,
    /// `CREATE SUBSCRIPTION`
    Subscription,
    /// `CREATE SECRET`
    Secret,
    /// `WITH (backfill_order = FIXED(…))`
    BackfillOrder,
    /// `WAIT MATERIALIZED VIEW <name>` and the like
    WaitForObject,
    /// `REPLACE SINK`
    ReplaceSink,
}

/// The first version that has each feature (dbt-risingwave's README; RisingWave's release notes).
const SINCE: [(Feature, ServerVersion, &str); 6] = [
    (
        Feature::Swap,
        ServerVersion::new(2, 2, 0),
        "ALTER … SWAP WITH",
    ),
    (
        Feature::Subscription,
        ServerVersion::new(2, 0, 0),
        "CREATE SUBSCRIPTION",
    ),
    (
        Feature::Secret,
        ServerVersion::new(2, 0, 0),
        "CREATE SECRET",
    ),
    (
        Feature::BackfillOrder,
        ServerVersion::new(2, 5, 0),
        "backfill_order",
    ),
    (
        Feature::WaitForObject,
        ServerVersion::new(3, 0, 0),
        "WAIT for one object",
    ),
    (
        Feature::ReplaceSink,
        ServerVersion::new(3, 1, 0),
        "REPLACE SINK",
    ),
];

impl Feature {
    fn entry(self) -> (ServerVersion, &'static str) {
        let found = SINCE.iter().find(|(feature, ..)| *feature == self);
        found.map_or((ServerVersion::new(0, 0, 0), ""), |(_, since, name)| {
            (*since, name)
        })
    }

    /// The first version that has it.
    pub fn since(self) -> ServerVersion {
        self.entry().0
    }

    /// Whether a server of this version has it.
    pub fn is_in(self, version: ServerVersion) -> bool {
        version >= self.since()
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.entry().1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_the_server_says() {
        let seen =
            ServerVersion::parse("PostgreSQL 13.14.0-RisingWave-2.8.4 (0123abc)").expect("reads");
        assert_eq!(seen, ServerVersion::new(2, 8, 4));
        assert_eq!(
            ServerVersion::parse("3.1.0-alpha"),
            Some(ServerVersion::new(3, 1, 0))
        );
        assert_eq!(ServerVersion::parse("nightly"), None);
    }

    #[test]
    fn every_feature_has_its_place_in_the_table() {
        for (feature, since, name) in SINCE {
            assert_eq!(
                (feature.since(), feature.to_string().as_str()),
                (since, name)
            );
        }
        assert!(Feature::Swap.is_in(ServerVersion::new(2, 8, 4)));
        assert!(!Feature::ReplaceSink.is_in(ServerVersion::new(2, 8, 4)));
    }
}

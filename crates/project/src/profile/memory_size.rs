//! Amounts of memory, as people write them.

use std::fmt;

/// An amount of memory: `512MB`, `4 GB`, `1500000000`. Units are multiples of 1024, as in PostgreSQL's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemorySize(u64);

/// What a size may look like.
pub(super) const EXPECTED: &str = "a size of at least 64MB, such as 512MB or 4GB";
/// With less than this an engine cannot do its work.
const LEAST: u64 = 64 << 20;
const UNITS: [(&str, u32); 5] = [("b", 0), ("kb", 10), ("mb", 20), ("gb", 30), ("tb", 40)];

impl MemorySize {
    /// Reads an amount; upper and lower case are the same.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected {EXPECTED}");
        let text = text.trim();
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim().to_ascii_lowercase().replace("ib", "b");
        let shift = UNITS
            .iter()
            .find(|(name, _)| unit == *name || unit.is_empty())
            .map(|(_, shift)| *shift)
            .ok_or_else(wrong)?;
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let bytes = number.checked_mul(1 << shift).ok_or_else(wrong)?;
        if bytes < LEAST {
            return Err(wrong());
        }
        Ok(Self(bytes))
    }

    /// In bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for MemorySize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MB", self.0 >> 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_units() {
        let bytes = |text| MemorySize::parse(text).map(MemorySize::bytes);
        assert_eq!(bytes("512MB"), Ok(512 << 20));
        assert_eq!(bytes(" 4 gb "), Ok(4 << 30));
        assert_eq!(bytes("2GiB"), Ok(2 << 30));
        assert_eq!(bytes("70000kB"), Ok(70_000 << 10));
        assert_eq!(bytes("100000000"), Ok(100_000_000));
        for text in [
            "",
            "GB",
            "63MB",
            "4 parsecs",
            "-1GB",
            "1.5GB",
            "99999999999TB",
        ] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}

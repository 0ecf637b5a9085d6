//! Versions of packages (semantic versioning), and the ranges of them that `packages.yml` names.

use std::cmp::Ordering;
use std::fmt;

/// A version: `1.2.3`, `v1.2.3` or `1.2.3-rc1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageVersion {
    numbers: [u64; 3],
    prerelease: Option<String>,
}

impl PackageVersion {
    /// Reads a version; none if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = text.split('+').next()?;
        let (numbers, prerelease) = match text.split_once('-') {
            Some((numbers, prerelease)) => (numbers, Some(prerelease.to_owned())),
            None => (text, None),
        };
        let mut parts = numbers.split('.').map(str::parse::<u64>);
        let mut next = || parts.next()?.ok();
        let numbers = [next()?, next()?, next()?];
        parts.next().is_none().then_some(Self {
            numbers,
            prerelease,
        })
    }

    /// Whether it comes before the version of its numbers.
    pub fn is_prerelease(&self) -> bool {
        self.prerelease.is_some()
    }
}

impl Ord for PackageVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers
            .cmp(&other.numbers)
            .then_with(|| match (&self.prerelease, &other.prerelease) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
                (Some(one), Some(other)) => by_parts(one, other),
            })
    }
}

impl PartialOrd for PackageVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Parts between dots: numbers as such, and before words.
fn by_parts(one: &str, other: &str) -> Ordering {
    let key = |part: &str| match part.parse::<u64>() {
        Ok(number) => (0, number, String::new()),
        Err(_) => (1, 0, part.to_owned()),
    };
    one.split('.').map(key).cmp(other.split('.').map(key))
}

impl fmt::Display for PackageVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        match &self.prerelease {
            Some(prerelease) => write!(f, "-{prerelease}"),
            None => Ok(()),
        }
    }
}

/// What a version must be: all of several bounds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageRange(Vec<(Bound, PackageVersion)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    Is,
    AtLeast,
    Above,
    AtMost,
    Below,
}

impl PackageRange {
    /// Reads `1.1.1`, `>=1.0.0` or `>=1.0.0,<2.0.0`; the text is the error where it is none of these.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bound = |text: &str| {
            let text = text.trim();
            let words = [
                (">=", Bound::AtLeast),
                ("<=", Bound::AtMost),
                (">", Bound::Above),
                ("<", Bound::Below),
                ("=", Bound::Is),
            ];
            let found = words
                .into_iter()
                .find_map(|(word, bound)| Some((bound, text.strip_prefix(word)?)));
            let (bound, version) = found.unwrap_or((Bound::Is, text));
            Some((bound, PackageVersion::parse(version)?))
        };
        let bounds = text.split(',').map(bound).collect::<Option<_>>();
        bounds.map(Self).ok_or_else(|| text.to_owned())
    }

    /// This version and no other.
    pub fn exactly(version: &PackageVersion) -> Self {
        Self(vec![(Bound::Is, version.clone())])
    }

    /// Both at once.
    pub fn and(&mut self, other: &Self) {
        for bound in &other.0 {
            if !self.0.contains(bound) {
                self.0.push(bound.clone());
            }
        }
    }

    /// Whether a version fits.
    pub fn holds(&self, version: &PackageVersion) -> bool {
        self.0.iter().all(|(bound, limit)| {
            let order = version.cmp(limit);
            match bound {
                Bound::Is => order == Ordering::Equal,
                Bound::AtLeast => order != Ordering::Less,
                Bound::Above => order == Ordering::Greater,
                Bound::AtMost => order != Ordering::Greater,
                // Before 2.0.0 does not mean its first release candidate.
                Bound::Below => {
                    order == Ordering::Less
                        && !(version.is_prerelease()
                            && !limit.is_prerelease()
                            && version.numbers == limit.numbers)
                }
            }
        })
    }

    /// Whether a version before a release is named.
    pub fn names_prerelease(&self) -> bool {
        self.0.iter().any(|(_, version)| version.is_prerelease())
    }

    /// The newest version that fits; those before a release only where one is asked for.
    pub fn newest(
        &self,
        versions: impl IntoIterator<Item = PackageVersion>,
        prerelease: bool,
    ) -> Option<PackageVersion> {
        let wanted = prerelease || self.names_prerelease();
        versions
            .into_iter()
            .filter(|version| (wanted || !version.is_prerelease()) && self.holds(version))
            .max()
    }
}

impl fmt::Display for PackageRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (bound, version)) in self.0.iter().enumerate() {
            let word = match bound {
                Bound::Is => "=",
                Bound::AtLeast => ">=",
                Bound::Above => ">",
                Bound::AtMost => "<=",
                Bound::Below => "<",
            };
            let before = if index == 0 { "" } else { "," };
            write!(f, "{before}{word}{version}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest(range: &str, prerelease: bool) -> Option<String> {
        let versions = [
            "0.9.0",
            "1.0.0",
            "1.10.0",
            "1.9.3",
            "2.0.0-rc1",
            "2.0.0-b2",
            "v2.0.0",
            "nonsense",
        ];
        let versions = versions.into_iter().filter_map(PackageVersion::parse);
        let range = PackageRange::parse(range).expect("a range");
        Some(range.newest(versions, prerelease)?.to_string())
    }

    #[test]
    fn the_newest_that_fits_is_found() {
        assert_eq!(newest("1.0.0", false).as_deref(), Some("1.0.0"));
        assert_eq!(newest(">=1.0.0,<2.0.0", false).as_deref(), Some("1.10.0"));
        assert_eq!(newest(">1.9.3, <=2.0.0", true).as_deref(), Some("2.0.0"));
        assert_eq!(newest(">=1.0.0,<2.0.0", true).as_deref(), Some("1.10.0"));
        assert_eq!(newest("=2.0.0-rc1", false).as_deref(), Some("2.0.0-rc1"));
        assert_eq!(newest(">2.0.0", false), None);
        assert_eq!(PackageRange::parse("latest"), Err("latest".to_owned()));
    }

    #[test]
    fn ranges_are_joined() {
        let mut range = PackageRange::parse(">=1.0.0").expect("a range");
        range.and(&PackageRange::parse("<1.10.0").expect("a range"));
        range.and(&PackageRange::parse(">=1.0.0").expect("a range"));
        assert_eq!(range.to_string(), ">=1.0.0,<1.10.0");
    }
}

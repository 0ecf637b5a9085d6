//! dbt's package hub: which versions a package has, and the tag of its repository that each one is.

use std::collections::BTreeMap;
use std::time::Duration;

use miette::Diagnostic;
use rwt_project::project::{PackageRange, PackageVersion};
use serde::Deserialize;
use thiserror::Error;

/// Where the hub is, unless the environment names another one.
const HUB: &str = "https://hub.getdbt.com/";

/// The environment variable that names another one.
const HUB_VARIABLE: &str = "DBT_PACKAGE_HUB_URL";

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a package of the hub cannot be found.
#[derive(Debug, Error, Diagnostic)]
pub(super) enum HubError {
    #[error("cannot ask the hub for the package {name}: {cause}")]
    #[diagnostic(
        code(rwt::deps::hub),
        help(
            "check the name and the network; without the hub name the package's repository, for example `git: https://github.com/dbt-labs/dbt-utils.git` with `revision: 1.3.0`"
        )
    )]
    Unreachable { name: String, cause: String },
    #[error("the package {name} has no version {range}")]
    #[diagnostic(
        code(rwt::deps::version),
        help(
            "its newest versions are: {known}; `install_prerelease: true` takes those before a release, too"
        )
    )]
    NoVersion {
        name: String,
        range: String,
        known: String,
    },
    #[error("the package {name} {version} lies at {address}, which is no repository of GitHub")]
    #[diagnostic(
        code(rwt::deps::hub_address),
        help("name its repository with `git:` and `revision:` instead")
    )]
    NoRepository {
        name: String,
        version: String,
        address: String,
    },
}

/// A version of a package, as a tag of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Release {
    pub version: PackageVersion,
    pub address: String,
    pub tag: String,
}

/// What the hub says of a package.
#[derive(Debug, Deserialize)]
struct Entry {
    versions: BTreeMap<String, EntryVersion>,
}

#[derive(Debug, Deserialize)]
struct EntryVersion {
    downloads: Downloads,
}

#[derive(Debug, Deserialize)]
struct Downloads {
    tarball: String,
}

/// Asks for the newest version of a package that fits.
pub(super) fn resolve(
    name: &str,
    range: &PackageRange,
    prerelease: bool,
) -> Result<Release, HubError> {
    let entry = ask(name).map_err(|cause| HubError::Unreachable {
        name: name.to_owned(),
        cause,
    })?;
    release(name, &entry, range, prerelease)
}

fn ask(name: &str) -> Result<Entry, String> {
    let hub = std::env::var(HUB_VARIABLE)
        .ok()
        .filter(|hub| !hub.is_empty());
    let hub = hub.unwrap_or_else(|| HUB.to_owned());
    let url = format!("{}/api/v1/{name}.json", hub.trim_end_matches('/'));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .build()
            .map_err(|error| described(&error))?;
        let response = client
            .get(&url)
            .send()
            .await
            .map_err(|error| described(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("{url} answers {status}"));
        }
        let text = response.bytes().await.map_err(|error| described(&error))?;
        serde_json::from_slice(&text).map_err(|error| format!("{url}: {error}"))
    })
}

/// An error with its causes, which its own text leaves out.
fn described(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

fn release(
    name: &str,
    entry: &Entry,
    range: &PackageRange,
    prerelease: bool,
) -> Result<Release, HubError> {
    let known = || {
        entry
            .versions
            .keys()
            .filter_map(|version| PackageVersion::parse(version))
    };
    let Some(version) = range.newest(known(), prerelease) else {
        let mut newest: Vec<PackageVersion> = known().collect();
        newest.sort();
        let shown: Vec<String> = newest
            .iter()
            .rev()
            .take(5)
            .map(ToString::to_string)
            .collect();
        return Err(HubError::NoVersion {
            name: name.to_owned(),
            range: range.to_string(),
            known: shown.join(", "),
        });
    };
    let mut versions = entry.versions.iter();
    let found = versions.find(|(key, _)| PackageVersion::parse(key).as_ref() == Some(&version));
    let tarball = found.map_or("", |(_, found)| found.downloads.tarball.as_str());
    match repository(tarball) {
        Some((address, tag)) => Ok(Release {
            version,
            address,
            tag,
        }),
        None => Err(HubError::NoRepository {
            name: name.to_owned(),
            version: version.to_string(),
            address: tarball.to_owned(),
        }),
    }
}

/// The repository and the tag behind the address of a tarball of GitHub.
fn repository(tarball: &str) -> Option<(String, String)> {
    let path = ["https://codeload.github.com/", "https://github.com/"]
        .iter()
        .find_map(|host| tarball.strip_prefix(host))?;
    let mut parts = path.splitn(3, '/');
    let (owner, name, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let tag = ["tar.gz/", "legacy.tar.gz/", "archive/"]
        .iter()
        .find_map(|before| rest.strip_prefix(before))?;
    let tag = tag.strip_prefix("refs/tags/").unwrap_or(tag);
    let tag = tag.strip_suffix(".tar.gz").unwrap_or(tag);
    Some((
        format!("https://github.com/{owner}/{name}.git"),
        tag.to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let version = |tag: &str| {
            let tarball = format!("https://codeload.github.com/dbt-labs/dbt-utils/tar.gz/{tag}");
            serde_json::json!({"name": "dbt_utils", "downloads": {"tarball": tarball}})
        };
        let json = serde_json::json!({
            "name": "dbt_utils",
            "versions": {"0.8.0": version("0.8.0"), "1.1.1": version("v1.1.1"), "1.2.0-rc1": version("1.2.0-rc1")},
        });
        serde_json::from_value(json).expect("an entry")
    }

    #[test]
    fn a_version_is_a_tag_of_the_repository() {
        let range = PackageRange::parse(">=0.8.0,<2.0.0").expect("a range");
        let found = release("dbt-labs/dbt_utils", &entry(), &range, false).expect("a release");
        assert_eq!(found.version.to_string(), "1.1.1");
        assert_eq!(found.address, "https://github.com/dbt-labs/dbt-utils.git");
        assert_eq!(found.tag, "v1.1.1");
        let found = release("dbt-labs/dbt_utils", &entry(), &range, true).expect("a release");
        assert_eq!(found.tag, "1.2.0-rc1");
    }

    #[test]
    fn a_version_that_is_not_there_is_told_with_those_that_are() {
        let range = PackageRange::parse(">=3.0.0").expect("a range");
        let error = release("dbt-labs/dbt_utils", &entry(), &range, false).expect_err("none");
        let help = error.help().expect("a help").to_string();
        assert!(help.contains("1.2.0-rc1, 1.1.1, 0.8.0"), "{help}");
    }

    #[test]
    fn addresses_of_tarballs_are_read() {
        assert_eq!(
            repository("https://github.com/x/y/archive/refs/tags/1.0.tar.gz"),
            Some(("https://github.com/x/y.git".to_owned(), "1.0".to_owned()))
        );
        assert_eq!(repository("https://example.com/x.tar.gz"), None);
    }
}

//! `rwt debug`

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use clap::Args;
use rwt_plan::counted;
use rwt_project::profile::{LakeCatalog, Target};
use serde::Serialize;

use super::args::{GlobalArgs, Output};
use super::context::Context;
use super::{CommandResult, Exit, Failure};
use crate::stack::state;
use crate::ui::{Printer, check_line};

#[derive(Debug, Args)]
pub(super) struct DebugArgs {
    /// Check the database alone
    #[arg(long)]
    connection: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// What became of one check.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    /// What was looked at.
    pub part: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found.
    pub found: String,
    /// What to do where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Check {
    fn ok(part: &'static str, found: impl Into<String>) -> Self {
        Self {
            part,
            ok: true,
            found: found.into(),
            help: None,
        }
    }

    fn failed(part: &'static str, found: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            part,
            ok: false,
            found: found.into(),
            help: Some(help.into()),
        }
    }
}

pub(super) fn main(global: &GlobalArgs, args: &DebugArgs, printer: &Printer) -> CommandResult {
    let context = Context::load(global, printer)?;
    let checks = if args.connection {
        vec![database(&context)]
    } else {
        checks(&context)?
    };
    if args.output.is_json() {
        printer.document(&checks);
    } else {
        for check in &checks {
            printer.line(check_line(check));
        }
    }
    let failed = checks.iter().filter(|check| !check.ok).count();
    if failed == 0 {
        printer.line("All checks passed!");
        Ok(Exit::Ok)
    } else {
        printer.line(format!("{} failed.", counted(failed, "check")));
        Ok(Exit::Failure)
    }
}

fn checks(context: &Context) -> Result<Vec<Check>, Failure> {
    let target = context.target();
    let project = context.compiler.project();
    let mut checks = vec![
        Check::ok(
            "project",
            format!(
                "{} in {}, {}",
                project.name(),
                project.root.display(),
                counted(project.models.len(), "model")
            ),
        ),
        Check::ok(
            "target",
            format!(
                "{} of profile {}, type {}",
                target.name, target.profile_name, target.kind
            ),
        ),
    ];
    checks.push(database(context));
    if target.kafka.is_some() {
        checks.extend(kafka(context)?);
    }
    if target.lake.is_some() {
        checks.push(catalog(context));
        checks.push(warehouse(context));
    }
    Ok(checks)
}

fn database(context: &Context) -> Check {
    let connector = context.connector();
    match connector.connect() {
        Ok(connection) => match connection.query("select version()") {
            Ok(result) => {
                let version = result.rows.into_iter().flatten().flatten().next();
                Check::ok(
                    "database",
                    format!(
                        "{} answers: {}",
                        connector.address(),
                        version.unwrap_or_default()
                    ),
                )
            }
            Err(error) => Check::failed(
                "database",
                format!("{} refuses a query: {error}", connector.address()),
                "check that this is a RisingWave server",
            ),
        },
        Err(error) => {
            let help = miette::Diagnostic::help(&error).map(|help| help.to_string());
            Check::failed("database", error.to_string(), help.unwrap_or_default())
        }
    }
}

fn kafka(context: &Context) -> Result<Vec<Check>, Failure> {
    let broker = context.required_broker()?;
    let wanted = &context.flows()?.topics;
    let found = match broker.topics() {
        Ok(found) => found,
        Err(error) => {
            let help = miette::Diagnostic::help(&error).map(|help| help.to_string());
            return Ok(vec![Check::failed(
                "broker",
                error.to_string(),
                help.unwrap_or_default(),
            )]);
        }
    };
    let missing: Vec<&str> = wanted
        .iter()
        .filter(|topic| !found.iter().any(|f| f.name == **topic))
        .map(String::as_str)
        .collect();
    let topics = if missing.is_empty() {
        Check::ok("topics", format!("all there: {}", wanted.join(", ")))
    } else {
        Check::failed(
            "topics",
            format!("missing: {}", missing.join(", ")),
            "`rwt up` creates the topics that the project's sources read",
        )
    };
    Ok(vec![
        Check::ok("broker", format!("{} answers", broker.bootstrap)),
        topics,
    ])
}

/// An embedded target's catalog is a file of the stack; a REST catalog answers `GET /v1/config`
/// (<https://iceberg.apache.org/rest-catalog-spec/>).
fn catalog(context: &Context) -> Check {
    const PART: &str = "catalog";
    let target = context.target();
    let Some(lake) = &target.lake else {
        return Check::ok(PART, "none");
    };
    if let Some(place) = context.place() {
        let file = state::lake_dir(&place.data_dir).join("catalog.db");
        return if file.exists() {
            Check::ok(PART, format!("{} is there", file.display()))
        } else {
            Check::failed(
                PART,
                format!("{} is not there", file.display()),
                "`rwt up` starts the embedded stack, which makes it",
            )
        };
    }
    let Some(uri) = lake.local_uri.as_deref().or(lake.uri.as_deref()) else {
        return Check::ok(
            PART,
            format!(
                "{}: kept by RisingWave, nothing to reach from here",
                lake.catalog.as_str()
            ),
        );
    };
    let help = "start the catalog, or give its address as this machine sees it: `lake: {local_uri: …}` in profiles.yml";
    if lake.catalog != LakeCatalog::Rest {
        return match reachable(uri) {
            Ok(()) => Check::ok(PART, format!("{uri} accepts connections")),
            Err(reason) => Check::failed(PART, format!("{uri}: {reason}"), help),
        };
    }
    let config = format!(
        "{}/v1/config?warehouse={}",
        uri.trim_end_matches('/'),
        encode(&lake.warehouse)
    );
    match status_of(context, &config) {
        Ok(200) => Check::ok(PART, format!("{uri} knows warehouse {}", lake.warehouse)),
        Ok(401 | 403) => Check::ok(
            PART,
            format!("{uri} answers and wants credentials, which the database sends"),
        ),
        Ok(404 | 400) => Check::failed(
            PART,
            format!(
                "{uri} answers, but does not know warehouse {}",
                lake.warehouse
            ),
            "create the warehouse in the catalog, or correct `lake: {warehouse: …}` in profiles.yml",
        ),
        Ok(status) => Check::failed(
            PART,
            format!("{uri} answers with HTTP status {status}"),
            help,
        ),
        Err(reason) => Check::failed(PART, format!("{uri}: {reason}"), help),
    }
}

fn warehouse(context: &Context) -> Check {
    const PART: &str = "warehouse";
    if let Some(place) = context.place() {
        let dir = state::lake_dir(&place.data_dir).join("warehouse");
        return if writable(&dir) {
            Check::ok(
                PART,
                format!("{} is there and may be written", dir.display()),
            )
        } else {
            Check::failed(
                PART,
                format!("{} is not there or may not be written", dir.display()),
                "`rwt up` makes it; check the permissions of the data directory",
            )
        };
    }
    storage(context.target())
}

fn storage(target: &Target) -> Check {
    const PART: &str = "warehouse";
    let s3 = target.lake.as_ref().and_then(|lake| lake.s3.as_ref());
    let Some(s3) = s3 else {
        return Check::ok(PART, "its storage is known to the catalog only");
    };
    let Some(endpoint) = s3.local_endpoint.as_deref().or(s3.endpoint.as_deref()) else {
        return Check::ok(PART, format!("S3 of AWS in {}", s3.region));
    };
    match reachable(endpoint) {
        Ok(()) => Check::ok(PART, format!("S3 at {endpoint} accepts connections")),
        Err(reason) => Check::failed(
            PART,
            format!("S3 at {endpoint}: {reason}"),
            "start the storage, or give its address as this machine sees it: `lake: {s3: {local_endpoint: …}}` in profiles.yml",
        ),
    }
}

fn writable(dir: &std::path::Path) -> bool {
    nix::unistd::access(dir, nix::unistd::AccessFlags::W_OK).is_ok()
}

/// Host and port of a URL.
fn address(url: &str) -> Result<(String, u16), String> {
    let (scheme, rest) = url.split_once("://").ok_or("this is no URL")?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let default = if scheme == "https" { 443 } else { 80 };
    match authority.rsplit_once(':') {
        Some((host, port)) => port
            .parse()
            .map(|port| (host.to_owned(), port))
            .map_err(|_| format!("`{port}` is no port")),
        None => Ok((authority.to_owned(), default)),
    }
}

const TIMEOUT: Duration = Duration::from_secs(5);

fn reachable(url: &str) -> Result<(), String> {
    let (host, port) = address(url)?;
    let addresses = (host.as_str(), port)
        .to_socket_addrs()
        .map_err(|error| format!("{host} cannot be resolved: {error}"))?;
    let mut last = format!("{host} has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(_) => return Ok(()),
            Err(error) => last = error.to_string(),
        }
    }
    Err(last)
}

/// The status of a GET.
fn status_of(context: &Context, url: &str) -> Result<u16, String> {
    let text = |error: reqwest::Error| {
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text = cause.to_string();
            source = cause.source();
        }
        text
    };
    let client = reqwest::Client::builder()
        .timeout(TIMEOUT)
        .build()
        .map_err(text)?;
    let response = context
        .runtime()
        .block_on(async { client.get(url).send().await })
        .map_err(text)?;
    Ok(response.status().as_u16())
}

/// Percent-encodes all but unreserved characters (RFC 3986, 2.3).
fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_out_of_urls() {
        assert_eq!(
            address("http://lake:8181/catalog/"),
            Ok(("lake".to_owned(), 8181))
        );
        assert_eq!(address("https://lake/x"), Ok(("lake".to_owned(), 443)));
        assert!(address("lake:8181").is_err());
        assert_eq!(encode("a b/c"), "a%20b%2Fc");
    }
}

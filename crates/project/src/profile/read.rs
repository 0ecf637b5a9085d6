//! An output of `profiles.yml` to a [`Target`].

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::Value;

use super::cover::is_secret_key;
use super::error::ProfileError;
use super::secret::{Secret, replace_markers};
use super::session::SESSION_KEYS;
use super::target::{Kafka, Lake, LakeCatalog, S3, Setting, SslMode, Stack, Target, TargetKind};
use crate::environment::Environment;
use crate::yaml::{Fields, Location, Warning, Yaml, YamlError, nearest};

/// What reading an output gives besides the target.
#[derive(Default)]
pub(super) struct Findings {
    pub yaml: RefCell<Vec<YamlError>>,
    pub profile: RefCell<Vec<ProfileError>>,
    pub warnings: Vec<Warning>,
}

impl Findings {
    fn count(&self) -> usize {
        self.yaml.borrow().len() + self.profile.borrow().len()
    }
}

/// An output before and after rendering; before, because the names of secrets come from their `env_var`.
pub(super) struct Output<'a> {
    pub profile_name: &'a str,
    pub name: &'a str,
    pub raw: &'a Yaml,
    pub rendered: &'a Yaml,
    pub environment: &'a Environment,
}

/// Reads the output. None if there are errors; they are in `findings`.
pub(super) fn read(output: &Output<'_>, findings: &mut Findings) -> Option<Target> {
    let before = findings.count();
    let mut warnings = Vec::new();
    let target = {
        let reader = Reader {
            output,
            findings,
            marked: RefCell::default(),
            other_secrets: RefCell::default(),
        };
        reader.target(&mut warnings)
    };
    findings.warnings.append(&mut warnings);
    target.filter(|_| findings.count() == before)
}

struct Reader<'a> {
    output: &'a Output<'a>,
    findings: &'a Findings,
    marked: RefCell<BTreeMap<String, String>>,
    other_secrets: RefCell<BTreeMap<String, String>>,
}

impl<'a> Reader<'a> {
    fn target(&self, warnings: &mut Vec<Warning>) -> Option<Target> {
        let fields = Fields::of(self.output.rendered, self.output.name, &self.findings.yaml)?;
        let kind = self.kind(&fields)?;
        let embedded = kind == TargetKind::Embedded;
        let needed = |names: &[&'static str], shown: &str, default: &str| match self
            .text(&fields, names, shown)
        {
            Some(text) => text,
            None if embedded => default.to_owned(),
            None => {
                if fields.any(names).is_none() {
                    let help = format!("add `{}: …` to the target", names[0]);
                    fields.missing(names[0], &help);
                }
                default.to_owned()
            }
        };
        let host = needed(&["host"], "host", "127.0.0.1");
        let user = needed(&["user", "username"], "user", "root");
        let database = needed(&["dbname", "database"], "database", "dev");
        let marked_database = self.marked.borrow().get("database").cloned();
        if let Some(text) = marked_database {
            self.marked.borrow_mut().insert("dbname".to_owned(), text);
        }
        let schema = needed(&["schema"], "schema", "public");
        let port = fields.int(&["port"], 1, i64::from(u16::MAX));
        let path = |names: &[&'static str]| self.text(&fields, names, names[0]).map(PathBuf::from);
        let seconds = |name: &'static str, default: u64| {
            let value = fields.int(&[name], 0, 86_400);
            Duration::from_secs(value.map_or(default, i64::unsigned_abs))
        };
        let (stack, data_dir) = self.stack(&fields, warnings);
        let target = Target {
            name: self.output.name.to_owned(),
            profile_name: self.output.profile_name.to_owned(),
            kind,
            host,
            port: port
                .and_then(|port| u16::try_from(port).ok())
                .unwrap_or(4566),
            user,
            password: self
                .secret(&fields, &["password", "pass"], "password")
                .unwrap_or_else(|| Secret::new("RWT_PASSWORD", "")),
            database,
            schema,
            threads: fields
                .int(&["threads"], 1, 1024)
                .and_then(|threads| usize::try_from(threads).ok())
                .unwrap_or(1),
            sslmode: self.sslmode(&fields, embedded),
            sslrootcert: path(&["sslrootcert"]),
            sslcert: path(&["sslcert"]),
            sslkey: path(&["sslkey"]),
            connect_timeout: seconds("connect_timeout", 10),
            retries: fields
                .int(&["retries"], 0, 1000)
                .and_then(|retries| u32::try_from(retries).ok())
                .unwrap_or(1),
            keepalives_idle: seconds("keepalives_idle", 0),
            search_path: self.text(&fields, &["search_path"], "search_path"),
            role: self.text(&fields, &["role"], "role"),
            application_name: self
                .text(&fields, &["application_name"], "application_name")
                .unwrap_or_else(|| "rwt".to_owned()),
            session: self.session(&fields),
            kafka: self.kafka(&fields, embedded, warnings),
            lake: self.lake(&fields, embedded, warnings),
            stack,
            data_dir,
            marked: self.marked.take(),
            other_secrets: self
                .other_secrets
                .take()
                .into_iter()
                .map(|(name, value)| Secret::new(name, value))
                .collect(),
        };
        // dbt-risingwave's keys that mean nothing here: rwt has no transactions to commit.
        fields.known(&["autocommit"]);
        fields.finish(warnings);
        Some(target)
    }

    fn kind(&self, fields: &Fields<'_>) -> Option<TargetKind> {
        const KINDS: [&str; 2] = ["embedded", "risingwave"];
        let Some((word, at)) = fields.text(&["type"]) else {
            if fields.value("type").is_none() {
                fields.missing("type", "add `type: embedded` or `type: risingwave`");
            }
            return None;
        };
        match word.as_str() {
            "embedded" => return Some(TargetKind::Embedded),
            "risingwave" => return Some(TargetKind::RisingWave),
            _ => {}
        }
        let help = match nearest(&word, KINDS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`embedded` runs in rwt itself; `risingwave` is a cluster, also one that dbt called `postgres`"
                .to_owned(),
        };
        self.wrong(
            fields.path("type"),
            "`embedded` or `risingwave`",
            &word,
            at,
            Some(help),
        );
        None
    }

    fn sslmode(&self, fields: &Fields<'_>, embedded: bool) -> SslMode {
        let words = SslMode::ALL.map(|(word, _)| word);
        let default = if embedded {
            SslMode::Disable
        } else {
            SslMode::Prefer
        };
        let Some((word, at)) = fields.text(&["sslmode"]) else {
            return default;
        };
        match SslMode::ALL.iter().find(|(name, _)| *name == word) {
            Some((_, mode)) => *mode,
            None => {
                self.wrong_word(fields.path("sslmode"), &words, &word, at);
                default
            }
        }
    }

    fn session(&self, fields: &Fields<'_>) -> IndexMap<String, Value> {
        let mut session = IndexMap::new();
        for key in SESSION_KEYS {
            let Some(value) = fields.value(key) else {
                continue;
            };
            if crate::yaml::scalar_text(value).is_some() {
                session.insert(key.to_owned(), value.to_value());
            } else {
                fields.wrong(key, "a number, a boolean or a word", value);
            }
        }
        session
    }

    fn stack(&self, fields: &Fields<'_>, warnings: &mut Vec<Warning>) -> (Stack, PathBuf) {
        let own = self.text(fields, &["data_dir"], "data_dir");
        let Some(stack) = fields.map("stack") else {
            return (
                Stack::default(),
                own.unwrap_or_else(|| ".rwt".to_owned()).into(),
            );
        };
        let compose_file = self.text(&stack, &["compose_file"], "stack.compose_file");
        let data_dir = self.text(&stack, &["data_dir"], "stack.data_dir");
        stack.finish(warnings);
        let data_dir = data_dir.or(own).unwrap_or_else(|| ".rwt".to_owned());
        let stack = Stack {
            compose_file: compose_file.map(PathBuf::from),
        };
        (stack, data_dir.into())
    }

    fn kafka(
        &self,
        fields: &Fields<'_>,
        embedded: bool,
        warnings: &mut Vec<Warning>,
    ) -> Option<Kafka> {
        const EMBEDDED: &str = "127.0.0.1:19092";
        let Some(kafka) = fields.map("kafka") else {
            return embedded.then(|| Kafka {
                bootstrap: EMBEDDED.to_owned(),
                local: EMBEDDED.to_owned(),
                security: IndexMap::new(),
            });
        };
        let local = self.brokers(&kafka, "local", "kafka.local");
        let bootstrap = self.brokers(&kafka, "bootstrap", "kafka.bootstrap");
        let bootstrap = bootstrap
            .or_else(|| local.clone())
            .or_else(|| embedded.then(|| EMBEDDED.to_owned()));
        if bootstrap.is_none() && kafka.value("bootstrap").is_none() {
            kafka.missing(
                "bootstrap",
                "add `bootstrap: host:port`, the brokers as the database sees them",
            );
        }
        let security = self.security(&kafka);
        kafka.finish(warnings);
        let bootstrap = bootstrap?;
        Some(Kafka {
            local: local.unwrap_or_else(|| bootstrap.clone()),
            bootstrap,
            security,
        })
    }

    fn brokers(&self, kafka: &Fields<'_>, name: &'static str, path: &str) -> Option<String> {
        let text = self.text(kafka, &[name], path)?;
        let good = text.split(',').all(|broker| {
            broker.trim().rsplit_once(':').is_some_and(|(host, port)| {
                !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
            })
        });
        if !good && let Some(value) = kafka.value(name) {
            kafka.wrong(
                name,
                "`host:port`, or several with commas between them",
                value,
            );
            return None;
        }
        Some(text)
    }

    fn security(&self, kafka: &Fields<'_>) -> IndexMap<String, Setting> {
        let mut settings = IndexMap::new();
        let Some(value) = kafka.value("security") else {
            return settings;
        };
        let Some(map) = value.as_map() else {
            kafka.wrong("security", "a mapping of librdkafka's settings", value);
            return settings;
        };
        for (key, entry) in map {
            let path = format!("kafka.security.{key}");
            let Some(text) = crate::yaml::scalar_text(&entry.value) else {
                kafka.wrong(&format!("security.{key}"), "text", &entry.value);
                continue;
            };
            let setting = if is_secret_key(key) {
                let raw = self.raw(&["kafka", "security", key]);
                Setting::Secret(self.named_secret(&path, raw, &text, &entry.value.at))
            } else {
                Setting::Plain(self.unmarked(&path, text, &entry.value.at))
            };
            settings.insert(key.clone(), setting);
        }
        settings
    }

    fn lake(
        &self,
        fields: &Fields<'_>,
        embedded: bool,
        warnings: &mut Vec<Warning>,
    ) -> Option<Lake> {
        let lake = match fields.map("lake") {
            Some(lake) => lake,
            None if embedded => return Some(embedded_lake()),
            None => return None,
        };
        let catalog = self.catalog(&lake);
        let uri = self.text(&lake, &["uri"], "lake.uri");
        if catalog == LakeCatalog::Rest && uri.is_none() && lake.value("uri").is_none() {
            lake.missing(
                "uri",
                "add `uri: http://…`, the catalog as the database sees it",
            );
        }
        let warehouse = self.text(&lake, &["warehouse"], "lake.warehouse");
        if warehouse.is_none() && !embedded && lake.value("warehouse").is_none() {
            lake.missing(
                "warehouse",
                "add `warehouse: …`, the warehouse's name or path",
            );
        }
        let read = Lake {
            catalog,
            local_uri: self
                .text(&lake, &["local_uri"], "lake.local_uri")
                .or_else(|| uri.clone()),
            uri,
            warehouse: warehouse.unwrap_or_else(|| EMBEDDED_WAREHOUSE.to_owned()),
            credential: self.secret(&lake, &["credential"], "lake.credential"),
            token: self.secret(&lake, &["token"], "lake.token"),
            oauth2_server_uri: self.text(&lake, &["oauth2_server_uri"], "lake.oauth2_server_uri"),
            scope: self.text(&lake, &["scope"], "lake.scope"),
            s3: lake.map("s3").map(|s3| self.s3(s3, warnings)),
        };
        lake.finish(warnings);
        Some(read)
    }

    fn s3(&self, s3: Fields<'_>, warnings: &mut Vec<Warning>) -> S3 {
        let endpoint = self.text(&s3, &["endpoint"], "lake.s3.endpoint");
        let local = self.text(&s3, &["local_endpoint"], "lake.s3.local_endpoint");
        let read = S3 {
            local_endpoint: local.or_else(|| endpoint.clone()),
            endpoint,
            region: self
                .text(&s3, &["region"], "lake.s3.region")
                .unwrap_or_else(|| "us-east-1".to_owned()),
            access_key: self.secret(&s3, &["access_key"], "lake.s3.access_key"),
            secret_key: self.secret(&s3, &["secret_key"], "lake.s3.secret_key"),
            path_style_access: s3.bool("path_style_access").unwrap_or(false),
        };
        s3.finish(warnings);
        read
    }

    fn catalog(&self, lake: &Fields<'_>) -> LakeCatalog {
        let words = LakeCatalog::ALL.map(|(word, _)| word);
        let Some((word, at)) = lake.text(&["catalog"]) else {
            return LakeCatalog::Hosted;
        };
        match LakeCatalog::ALL.iter().find(|(name, _)| *name == word) {
            Some((_, catalog)) => *catalog,
            None => {
                self.wrong_word(lake.path("catalog"), &words, &word, at);
                LakeCatalog::Hosted
            }
        }
    }

    /// Text of a field that is no secret. A secret's marker in it is resolved, and remembered for what `target` shows.
    fn text(&self, fields: &Fields<'_>, names: &[&'static str], path: &str) -> Option<String> {
        let (text, at) = fields.text(names)?;
        Some(self.unmarked(path, text, at))
    }

    fn unmarked(&self, path: &str, text: String, at: &Location) -> String {
        let mut found = Vec::new();
        let resolved = replace_markers(&text, |name| {
            let value = self.output.environment.get(name)?;
            found.push((name.to_owned(), value.clone()));
            Some(value)
        });
        if !found.is_empty() {
            self.marked.borrow_mut().insert(path.to_owned(), text);
            self.other_secrets.borrow_mut().extend(found);
        } else {
            self.missing_secret(path, &text, at);
        }
        resolved
    }

    fn secret(&self, fields: &Fields<'_>, names: &[&'static str], path: &str) -> Option<Secret> {
        let (name, _) = fields.any(names)?;
        let (text, at) = fields.text(&[name])?;
        let mut steps: Vec<&str> = path.split('.').collect();
        steps.pop();
        steps.push(name);
        Some(self.named_secret(path, self.raw(&steps), &text, at))
    }

    /// The secret's name is the variable's where the field is `{{ env_var('X') }}` or a marker, else its path's.
    fn named_secret(&self, path: &str, raw: Option<&Yaml>, text: &str, at: &Location) -> Secret {
        let mut from_marker = None;
        let value = replace_markers(text, |name| {
            let value = self.output.environment.get(name)?;
            if super::secret::marker(name) == text {
                from_marker = Some(name.to_owned());
            }
            Some(value)
        });
        if value == text {
            self.missing_secret(path, text, at);
        }
        let name = from_marker
            .or_else(|| variable_of(raw?.as_text()?))
            .unwrap_or_else(|| name_of(path));
        Secret::new(name, value)
    }

    fn missing_secret(&self, path: &str, text: &str, at: &Location) {
        let Some((_, rest)) = text.split_once("__rwt_secret__") else {
            return;
        };
        let name = rest.rsplit_once("__").map_or(rest, |(name, _)| name);
        self.findings
            .profile
            .borrow_mut()
            .push(ProfileError::MissingSecret {
                key: path.to_owned(),
                path: at.file().path().display().to_string(),
                name: name.to_owned(),
                file: Arc::clone(at.file()),
                at: at.span(),
            });
    }

    fn raw(&self, steps: &[&str]) -> Option<&'a Yaml> {
        steps
            .iter()
            .try_fold(self.output.raw, |yaml, step| yaml.get(step))
    }

    fn wrong_word(&self, key: String, words: &[&str], word: &str, at: &Location) {
        let help =
            nearest(word, words.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        let expected = format!("one of {}", words.join(", "));
        self.wrong(key, &expected, word, at, help);
    }

    fn wrong(&self, key: String, expected: &str, word: &str, at: &Location, help: Option<String>) {
        let mut error = YamlError::wrong_type(key, expected, format!("`{word}`"), at);
        if let Some(help) = help {
            error = error.with_help(help);
        }
        self.findings.yaml.borrow_mut().push(error);
    }
}

/// The name of the embedded stack's catalog.
const EMBEDDED_WAREHOUSE: &str = "rwt";

fn embedded_lake() -> Lake {
    Lake {
        catalog: LakeCatalog::Hosted,
        uri: None,
        local_uri: None,
        warehouse: EMBEDDED_WAREHOUSE.to_owned(),
        credential: None,
        token: None,
        oauth2_server_uri: None,
        scope: None,
        s3: None,
    }
}

/// `X` of a text that is `{{ env_var('X') }}` or `{{ env_var('X', '…') }}` and nothing else. With a filter behind it
/// the value is not the variable's, so that its name cannot stand for it.
fn variable_of(text: &str) -> Option<String> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.trim_matches(['-', '+']).trim();
    let arguments = inner.strip_prefix("env_var")?.trim_start();
    let arguments = arguments.strip_prefix('(')?.strip_suffix(')')?.trim();
    let (name, rest) = quoted(arguments)?;
    let rest = rest.trim();
    let plain_default = match rest.strip_prefix(',') {
        Some(default) => quoted(default.trim()).is_some_and(|(_, rest)| rest.trim().is_empty()),
        None => rest.is_empty(),
    };
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    (plain_default && is_name).then(|| name.to_owned())
}

fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| *c == '\'' || *c == '"')?;
    text[1..].split_once(quote)
}

fn name_of(path: &str) -> String {
    let mut name = String::from("RWT_");
    name.extend(path.chars().map(|c| match c {
        c if c.is_ascii_alphanumeric() => c.to_ascii_uppercase(),
        _ => '_',
    }));
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_of_a_secret_is_found_in_its_text() {
        let cases = [
            ("{{ env_var('PGPASSWORD') }}", Some("PGPASSWORD")),
            ("{{env_var(\"A_1\", '')}}", Some("A_1")),
            ("{{- env_var('A') -}}", Some("A")),
            ("{{ env_var('A') | trim }}", None),
            ("x{{ env_var('A') }}", None),
            ("{{ env_var('A', env_var('B')) }}", None),
            ("{{ env_var('A B') }}", None),
            ("plain", None),
        ];
        for (text, expected) in cases {
            assert_eq!(variable_of(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn other_secrets_are_named_by_their_place() {
        assert_eq!(name_of("lake.s3.secret_key"), "RWT_LAKE_S3_SECRET_KEY");
        assert_eq!(
            name_of("kafka.security.sasl.password"),
            "RWT_KAFKA_SECURITY_SASL_PASSWORD"
        );
    }
}

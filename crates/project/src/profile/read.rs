//! An output of `profiles.yml` to a [`Target`].

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::Value;

use super::error::ProfileError;
use super::naming::{name_of, variable_of};
use super::secret::{Secret, replace_markers};
use super::session::SESSION_KEYS;
use super::target::{SslMode, Target, TargetKind};
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

pub(super) struct Reader<'a> {
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

    /// Text of a field that is no secret. A secret's marker in it is resolved, and remembered for what `target` shows.
    pub(super) fn text(
        &self,
        fields: &Fields<'_>,
        names: &[&'static str],
        path: &str,
    ) -> Option<String> {
        let (text, at) = fields.text(names)?;
        Some(self.unmarked(path, text, at))
    }

    pub(super) fn unmarked(&self, path: &str, text: String, at: &Location) -> String {
        let mut found = Vec::new();
        let resolved = replace_markers(&text, |name| {
            let value = self.output.environment.get(name)?;
            found.push((name.to_owned(), value.clone()));
            Some(value)
        });
        if !found.is_empty() {
            self.marked.borrow_mut().insert(path.to_owned(), text);
            self.other_secrets.borrow_mut().extend(found);
        }
        self.check_resolved(path, &resolved, at);
        resolved
    }

    pub(super) fn secret(
        &self,
        fields: &Fields<'_>,
        names: &[&'static str],
        path: &str,
    ) -> Option<Secret> {
        let (name, _) = fields.any(names)?;
        let (text, at) = fields.text(&[name])?;
        let mut steps: Vec<&str> = path.split('.').collect();
        steps.pop();
        steps.push(name);
        Some(self.named_secret(path, self.raw(&steps), &text, at))
    }

    /// The secret's name is the variable's where the field is `{{ env_var('X') }}` or a marker, else its path's.
    pub(super) fn named_secret(
        &self,
        path: &str,
        raw: Option<&Yaml>,
        text: &str,
        at: &Location,
    ) -> Secret {
        let mut from_marker = None;
        let value = replace_markers(text, |name| {
            let value = self.output.environment.get(name)?;
            if super::secret::marker(name) == text {
                from_marker = Some(name.to_owned());
            }
            Some(value)
        });
        self.check_resolved(path, &value, at);
        let name = from_marker
            .or_else(|| variable_of(raw?.as_text()?))
            .unwrap_or_else(|| name_of(path));
        Secret::new(name, value)
    }

    /// A marker that is still there is a secret whose variable is not set.
    fn check_resolved(&self, path: &str, text: &str, at: &Location) {
        let mut unknown = None;
        replace_markers(text, |name| {
            // Called with the longest name first; the shortest is the one that the marker's end closes.
            unknown = Some(name.to_owned());
            None
        });
        let Some(name) = unknown else { return };
        self.findings
            .profile
            .borrow_mut()
            .push(ProfileError::MissingSecret {
                key: path.to_owned(),
                path: at.file().path().display().to_string(),
                name,
                file: Arc::clone(at.file()),
                at: at.span(),
            });
    }

    pub(super) fn raw(&self, steps: &[&str]) -> Option<&'a Yaml> {
        steps
            .iter()
            .try_fold(self.output.raw, |yaml, step| yaml.get(step))
    }

    pub(super) fn wrong_word(&self, key: String, words: &[&str], word: &str, at: &Location) {
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

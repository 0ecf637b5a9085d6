//! What an output says about Kafka, the lake and the stack around the database.

use std::path::PathBuf;

use indexmap::IndexMap;

use super::cover::is_secret_key;
use super::memory_size::{self, MemorySize};
use super::read::Reader;
use super::target::{Kafka, Lake, LakeCatalog, S3, Setting, Stack};
use crate::yaml::{Fields, Warning};

impl Reader<'_> {
    pub(super) fn stack(
        &self,
        fields: &Fields<'_>,
        warnings: &mut Vec<Warning>,
    ) -> (Stack, PathBuf) {
        const DATA_DIR: &str = ".rwt";
        let Some(stack) = fields.map("stack") else {
            return (Stack::default(), DATA_DIR.into());
        };
        let data_dir = self.text(&stack, &["data_dir"], "stack.data_dir");
        let memory_limit = self.memory_limit(&stack);
        stack.finish(warnings);
        (
            Stack { memory_limit },
            data_dir.map_or_else(|| DATA_DIR.into(), PathBuf::from),
        )
    }

    fn memory_limit(&self, stack: &Fields<'_>) -> Option<MemorySize> {
        const NAME: &str = "memory_limit";
        let text = self.text(stack, &[NAME], "stack.memory_limit")?;
        let size = MemorySize::parse(&text).ok();
        if size.is_none()
            && let Some(value) = stack.value(NAME)
        {
            stack.wrong(NAME, memory_size::EXPECTED, value);
        }
        size
    }

    pub(super) fn kafka(
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
        let bootstrap = match bootstrap {
            None if embedded => Some(local.clone().unwrap_or_else(|| EMBEDDED.to_owned())),
            other => other,
        };
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

    pub(super) fn lake(
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

//! dbt's structured log: one event per line, as JSON that tools of dbt's read, or as text, on stdout and in `dbt.log`.
//!
//! Names, codes and fields are those of dbt-core 1.12 (`dbt/events/types.py`); what has no event of dbt's is a `Note`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventLevel {
    /// Of use to who looks for a mistake.
    Debug,
    /// What goes on.
    Info,
    /// Probably not meant.
    Warn,
    /// It went wrong.
    Error,
}

impl EventLevel {
    fn word(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone)]
pub struct Event {
    /// dbt's name.
    pub name: &'static str,
    /// dbt's code.
    pub code: &'static str,
    /// How much it matters.
    pub level: EventLevel,
    /// For people, without colours.
    pub message: String,
    /// dbt's fields of it, without `msg`.
    pub data: Map<String, Value>,
    /// The thread that it happened on.
    pub thread: String,
}

impl Event {
    /// An event on the main thread, without fields.
    pub fn new(
        name: &'static str,
        code: &'static str,
        level: EventLevel,
        message: impl Into<String>,
    ) -> Self {
        Self {
            name,
            code,
            level,
            message: message.into(),
            data: Map::new(),
            thread: "MainThread".to_owned(),
        }
    }

    /// A text that is no event of dbt's.
    pub fn note(level: EventLevel, message: impl Into<String>) -> Self {
        Self::with_text("Note", "Z050", level, message)
    }

    /// A text that a command or a macro prints; it is shown however little is wanted.
    pub fn print(message: impl Into<String>) -> Self {
        Self::with_text("PrintEvent", "Z052", EventLevel::Info, message)
    }

    /// A command that cannot go on.
    pub fn failure(message: &str) -> Self {
        let shown = format!("Encountered an error:\n{message}");
        Self::new("MainEncounteredError", "Z002", EventLevel::Error, shown).field("exc", message)
    }

    fn with_text(
        name: &'static str,
        code: &'static str,
        level: EventLevel,
        message: impl Into<String>,
    ) -> Self {
        let event = Self::new(name, code, level, message);
        let text = event.message.clone();
        event.field("msg", text)
    }

    /// The same with a field.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.data.insert(name.to_owned(), value.into());
        self
    }

    /// The same, on a thread; 0 is the main one.
    #[must_use]
    pub fn on_thread(mut self, thread: usize) -> Self {
        self.thread = thread_name(thread);
        self
    }
}

/// dbt's name of a thread.
pub(crate) fn thread_name(thread: usize) -> String {
    match thread {
        0 => "MainThread".to_owned(),
        thread => format!("Thread-{thread}"),
    }
}

/// What a line of a log looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventFormat {
    /// The time of day and the text.
    Text,
    /// The same with level and thread.
    DebugText,
    /// dbt's record.
    Json,
}

/// Where events go.
#[derive(Debug)]
enum Output {
    Stdout,
    /// Where the command's result has stdout.
    Stderr,
    File(Mutex<File>),
}

#[derive(Debug)]
struct Sink {
    output: Output,
    format: EventFormat,
    /// What matters less is left out; none for all of it.
    from: Option<EventLevel>,
}

/// Logs of an invocation.
#[derive(Debug)]
pub struct EventLog {
    invocation_id: String,
    /// `DBT_ENV_CUSTOM_ENV_…` of the environment.
    extra: Map<String, Value>,
    sinks: Vec<Sink>,
}

impl EventLog {
    /// No log yet, of an invocation with this id.
    pub fn new(invocation_id: String, extra: Map<String, Value>) -> Self {
        Self {
            invocation_id,
            extra,
            sinks: Vec::new(),
        }
    }

    /// The invocation.
    pub fn invocation_id(&self) -> &str {
        &self.invocation_id
    }

    /// Adds records on stdout, or on stderr where stdout is the result's.
    pub fn add_console(&mut self, format: EventFormat, from: Option<EventLevel>, on_stderr: bool) {
        self.sinks.push(Sink {
            output: if on_stderr {
                Output::Stderr
            } else {
                Output::Stdout
            },
            format,
            from,
        });
    }

    /// Adds a file, which is gone on with; one that has grown to `most` bytes is put aside first (0: never).
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn add_file(
        &mut self,
        path: &Path,
        format: EventFormat,
        from: Option<EventLevel>,
        most: u64,
    ) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let size = fs::metadata(path).map_or(0, |about| about.len());
        if most > 0 && size >= most {
            put_aside(path)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        self.sinks.push(Sink {
            output: Output::File(Mutex::new(file)),
            format,
            from,
        });
        Ok(())
    }

    /// Writes an event wherever it matters enough.
    pub fn write(&self, event: &Event) {
        let now = Utc::now();
        for sink in &self.sinks {
            let is_wanted = sink.from.is_some_and(|from| event.level >= from);
            let is_printed = event.name == "PrintEvent" && sink.from.is_some();
            if is_wanted || is_printed {
                sink.put(&self.line(event, sink.format, now));
            }
        }
    }

    fn line(&self, event: &Event, format: EventFormat, now: DateTime<Utc>) -> String {
        let text = anstream::adapter::strip_str(&event.message).to_string();
        match format {
            EventFormat::Json => format!("{}\n", self.record(event, &text, now)),
            EventFormat::Text => format!("{}  {text}\n", now.format("%H:%M:%S")),
            EventFormat::DebugText => {
                let begin = match event.name {
                    "MainReportVersion" => format!(
                        "\n\n{0} {1} | {2} {0}\n",
                        "=".repeat(30),
                        now.format("%H:%M:%S%.6f"),
                        self.invocation_id
                    ),
                    _ => String::new(),
                };
                let thread: String = event.thread.chars().take(10).collect();
                format!(
                    "{begin}{} [{:<5}] [{thread:<10}]: {text}\n",
                    now.format("%H:%M:%S%.6f"),
                    event.level.word()
                )
            }
        }
    }

    /// dbt sorts the keys.
    fn record(&self, event: &Event, text: &str, now: DateTime<Utc>) -> Value {
        let mut data = event.data.clone();
        data.sort_keys();
        json!({
            "data": data,
            "info": {
                "category": "",
                "code": event.code,
                "extra": self.extra,
                "invocation_id": self.invocation_id,
                "level": event.level.word(),
                "msg": text,
                "name": event.name,
                "pid": std::process::id(),
                "thread": event.thread,
                "ts": now.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
            },
        })
    }
}

impl Sink {
    fn put(&self, line: &str) {
        // A log that cannot be written must not stop the work.
        let _ = match &self.output {
            Output::Stdout => io::stdout().lock().write_all(line.as_bytes()),
            Output::Stderr => io::stderr().lock().write_all(line.as_bytes()),
            Output::File(file) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.write_all(line.as_bytes())
            }
        };
    }
}

/// `dbt.log` becomes `dbt.log.1`, and so on; the fifth goes.
fn put_aside(path: &Path) -> io::Result<()> {
    let numbered = |number: u8| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        std::path::PathBuf::from(name)
    };
    for number in (1..5).rev() {
        if numbered(number).exists() {
            fs::rename(numbered(number), numbered(number + 1))?;
        }
    }
    fs::rename(path, numbered(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> EventLog {
        EventLog::new("an-id".to_owned(), Map::new())
    }

    #[test]
    fn a_record_has_dbts_shape() {
        let event = Event::note(EventLevel::Warn, "\u{1b}[31mred\u{1b}[0m\nx").on_thread(2);
        let line = log().line(&event, EventFormat::Json, DateTime::UNIX_EPOCH);
        assert_eq!(line.lines().count(), 1);
        let record: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(record["info"]["msg"], "red\nx");
        assert_eq!(record["info"]["level"], "warn");
        assert_eq!(record["info"]["ts"], "1970-01-01T00:00:00.000000Z");
        assert_eq!(record["info"]["thread"], "Thread-2");
        assert_eq!(record["info"]["invocation_id"], "an-id");
        let line = log().line(&event, EventFormat::DebugText, DateTime::UNIX_EPOCH);
        assert_eq!(line, "00:00:00.000000 [warn ] [Thread-2  ]: red\nx\n");
    }

    #[test]
    fn a_file_that_is_too_large_is_put_aside() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("logs/dbt.log");
        for text in ["first", "second", "third"] {
            let mut log = log();
            log.add_file(&path, EventFormat::Text, Some(EventLevel::Info), 1)
                .expect("a file");
            log.write(&Event::note(EventLevel::Debug, "hidden"));
            log.write(&Event::note(EventLevel::Info, text));
        }
        let read = |name: &str| fs::read_to_string(path.with_file_name(name)).expect("a file");
        assert!(read("dbt.log").ends_with("  third\n"));
        assert!(read("dbt.log.1").ends_with("  second\n"));
        assert!(read("dbt.log.2").ends_with("  first\n"));
        assert!(!read("dbt.log.2").contains("hidden"));
    }
}

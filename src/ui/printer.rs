//! The two streams, colours and the machine's format.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use miette::Diagnostic;
use serde::Serialize;

use super::diagnostic;
use super::event::{Event, EventLevel, EventLog};
use super::message::Message;

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Writes to stdout and stderr as the global options say.
#[derive(Debug, Clone)]
pub struct Printer {
    quiet: bool,
    json: bool,
    debug: bool,
    /// What macros print is left out.
    no_print: bool,
    /// Whether a warning was given.
    warned: Arc<AtomicBool>,
    log: Option<Arc<EventLog>>,
    /// The log is what the console shows.
    log_only: bool,
}

/// Colours by meaning.
pub(crate) mod style {
    use super::{AnsiColor, Style};

    pub(crate) const OK: Style = AnsiColor::Green.on_default();
    pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
    pub(crate) const ERROR: Style = AnsiColor::Red.on_default();
    pub(crate) const DIM: Style = Style::new().dimmed();
}

impl Printer {
    /// A printer; `quiet` drops notes, `json` keeps stdout for one JSON document.
    pub fn new(color: ColorChoice, quiet: bool, json: bool) -> Self {
        match color {
            ColorChoice::Auto => {}
            ColorChoice::Always => anstream::ColorChoice::Always.write_global(),
            ColorChoice::Never => anstream::ColorChoice::Never.write_global(),
        }
        diagnostic::install(color);
        Self {
            quiet,
            json,
            debug: false,
            no_print: false,
            warned: Arc::default(),
            log: None,
            log_only: false,
        }
    }

    /// The same, with a log. Where the console is one of its sinks (`log_only`), nothing else is said there but a command's
    /// result.
    #[must_use]
    pub fn with_log(mut self, log: EventLog, log_only: bool) -> Self {
        self.log = Some(Arc::new(log));
        self.log_only = log_only;
        self
    }

    /// The same, without what macros print, or with it.
    #[must_use]
    pub fn without_prints(mut self, no_print: bool) -> Self {
        self.no_print = no_print;
        self
    }

    /// The invocation that the log is of, if there is a log.
    pub fn invocation_id(&self) -> Option<&str> {
        self.log.as_deref().map(EventLog::invocation_id)
    }

    /// Whether anybody reads events.
    pub fn has_log(&self) -> bool {
        self.log.is_some()
    }

    /// An event for the log; the console shows it in words of its own, or not at all.
    pub fn event(&self, event: &Event) {
        if let Some(log) = &self.log {
            log.write(event);
        }
    }

    /// The same, showing what is of use only to who looks for a mistake, or not.
    #[must_use]
    pub fn with_debug(mut self, debug: bool) -> Self {
        self.debug = debug;
        self
    }

    /// What is of use only to who looks for a mistake.
    pub fn debug(&self, text: &str) {
        self.event(&Event::note(EventLevel::Debug, text));
        if self.debug && !self.log_only {
            self.stderr(&format!("{text}\n"));
        }
    }

    /// Whether a warning was given so far.
    pub fn has_warned(&self) -> bool {
        self.warned.load(Ordering::Relaxed)
    }

    /// Whether results are printed as JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether a person watches stderr.
    pub fn is_terminal(&self) -> bool {
        std::io::stderr().is_terminal() && !self.quiet && !self.log_only
    }

    /// Whether a person watches stdout.
    pub fn stdout_is_terminal(&self) -> bool {
        std::io::stdout().is_terminal()
    }

    /// A line of the command's result. With JSON it goes to stderr, because stdout is the document's.
    pub fn line(&self, text: impl AsRef<str>) {
        if self.json {
            return self.note(text);
        }
        self.event(&Event::print(text.as_ref()));
        self.show(text.as_ref());
    }

    /// A line of which the log has an event.
    pub fn line_of(&self, text: &str, event: &Event) {
        self.event(event);
        if !self.json {
            self.show(text);
        } else if !self.quiet && !self.log_only {
            self.stderr(&format!("{text}\n"));
        }
    }

    /// What a macro prints: a line of the result, however quiet it is to be.
    pub fn print(&self, text: &str) {
        if self.no_print {
            return;
        }
        self.event(&Event::print(text));
        if self.json && !self.log_only {
            self.stderr(&format!("{text}\n"));
        } else if !self.json {
            self.show(text);
        }
    }

    fn show(&self, text: &str) {
        if !self.log_only {
            self.raw(&format!("{text}\n"));
        }
    }

    /// The command's result as it is, on stdout. A reader that has gone (`| head`) ends the program quietly.
    pub fn raw(&self, text: &str) {
        let mut out = anstream::stdout().lock();
        if out
            .write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .is_err()
        {
            std::process::exit(0);
        }
    }

    /// A machine's result: one JSON document on stdout.
    pub fn document(&self, value: &impl Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.raw(&format!("{text}\n")),
            Err(error) => self.error(&miette::miette!(
                "the result cannot be written as JSON: {error}"
            )),
        }
    }

    /// What is going on, for people.
    pub fn note(&self, text: impl AsRef<str>) {
        self.event(&Event::note(EventLevel::Info, text.as_ref()));
        if !self.quiet && !self.log_only {
            self.stderr(&format!("{}\n", text.as_ref()));
        }
    }

    /// A warning, with its place and its help.
    pub fn warning(&self, warning: &dyn Diagnostic) {
        self.warned.store(true, Ordering::Relaxed);
        if self.has_log() {
            let message = Message::of(warning).to_string();
            self.event(&Event::note(EventLevel::Warn, message));
        }
        if !self.quiet && !self.log_only {
            self.stderr(&diagnostic::render(warning));
        }
    }

    /// An error, with its place and its help.
    pub fn error(&self, report: &miette::Report) {
        self.problem(report.as_ref());
    }

    /// An error that is no report, with its place and its help.
    pub fn problem(&self, error: &dyn Diagnostic) {
        if self.has_log() {
            self.event(&Event::failure(&Message::of(error).to_string()));
        }
        if !self.log_only {
            self.stderr(&diagnostic::render(error));
        }
    }

    fn stderr(&self, text: &str) {
        // A stderr that nobody reads must not stop the work.
        let _ = anstream::stderr().lock().write_all(text.as_bytes());
    }
}

/// Replaces control characters, which a name or a server's message could use to write over the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\n' && c != '\t' {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

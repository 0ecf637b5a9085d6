//! A progress bar below the lines of a run, on a terminal only.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Event, Printer};

/// Counts finished nodes and names those at work.
#[derive(Debug)]
pub struct RunProgress {
    bar: ProgressBar,
    printer: Printer,
}

impl RunProgress {
    /// A bar for `total` nodes; invisible where nobody watches.
    pub fn new(printer: &Printer, total: usize) -> Self {
        let bar = ProgressBar::new(total as u64);
        if printer.is_terminal() && total > 0 {
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
            bar.enable_steady_tick(Duration::from_millis(100));
        } else {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        if let Ok(style) =
            ProgressStyle::with_template("{bar:24.green/dim} {pos}/{len} {elapsed:.dim} {msg}")
        {
            bar.set_style(style.progress_chars("━━╌"));
        }
        Self {
            bar,
            printer: printer.clone(),
        }
    }

    /// Prints a line of the result above the bar.
    pub fn line(&self, text: &str) {
        self.bar.suspend(|| self.printer.line(text));
    }

    /// Prints a line above the bar of which the log has an event.
    pub fn line_of(&self, text: &str, event: &Event) {
        self.bar.suspend(|| self.printer.line_of(text, event));
    }

    /// Whether anybody reads events.
    pub fn has_log(&self) -> bool {
        self.printer.has_log()
    }

    /// Writes an event into the log.
    pub fn event(&self, event: &Event) {
        self.printer.event(event);
    }

    /// Prints a note above the bar.
    pub fn note(&self, text: &str) {
        self.bar.suspend(|| self.printer.note(text));
    }

    /// Prints an error above the bar.
    pub fn error(&self, report: &miette::Report) {
        self.bar.suspend(|| self.printer.error(report));
    }

    /// Says what is at work now.
    pub fn working_on(&self, names: &[String]) {
        self.bar
            .set_message(super::printer::printable(&names.join(", ")));
    }

    /// One more is finished.
    pub fn advance(&self) {
        self.bar.inc(1);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

//! Text that changes in its place.

use super::printer::Printer;

/// Draws over its last text on a terminal; into a pipe one text goes after the other.
#[derive(Debug)]
pub struct Picture<'a> {
    printer: &'a Printer,
    /// How many lines the last text had.
    lines: usize,
}

impl<'a> Picture<'a> {
    /// Nothing drawn yet.
    pub fn new(printer: &'a Printer) -> Self {
        Self { printer, lines: 0 }
    }

    /// Shows `text`, which ends in a line break.
    pub fn draw(&mut self, text: &str) {
        if self.lines > 0 && self.printer.stdout_is_terminal() {
            self.printer.raw(&format!("\x1b[{}A\x1b[J", self.lines));
        }
        self.printer.raw(text);
        self.lines = text.lines().count();
    }
}

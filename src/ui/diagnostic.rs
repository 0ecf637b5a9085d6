//! Errors and warnings as miette draws them.

use std::io::IsTerminal;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};

use super::ColorChoice;
use super::printer::printable;

fn handler(colored: bool) -> GraphicalReportHandler {
    let theme = if colored {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    GraphicalReportHandler::new_themed(theme)
        .with_width(100)
        .with_context_lines(1)
        .with_links(false)
}

fn stderr_has_colors() -> bool {
    match anstream::ColorChoice::global() {
        anstream::ColorChoice::Always | anstream::ColorChoice::AlwaysAnsi => true,
        anstream::ColorChoice::Never => false,
        anstream::ColorChoice::Auto => {
            std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
        }
    }
}

/// Makes every report of the process look alike. A second call changes nothing.
pub(crate) fn install(_color: ColorChoice) {
    let _ = miette::set_hook(Box::new(|_| Box::new(handler(stderr_has_colors()))));
}

/// The diagnostic as text, ended by a line break.
pub(crate) fn render(diagnostic: &dyn Diagnostic) -> String {
    let colored = stderr_has_colors();
    let mut text = String::new();
    if handler(colored)
        .render_report(&mut text, diagnostic)
        .is_err()
    {
        text = diagnostic.to_string();
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    if colored { text } else { printable(&text) }
}

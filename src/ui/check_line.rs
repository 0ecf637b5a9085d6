//! The lines of `rwt debug`.

use super::printer::{printable, style};
use crate::cli::Check;

/// `  broker      OK     127.0.0.1:19092 answers`
pub(crate) fn check_line(check: &Check) -> String {
    let (color, word) = if check.ok {
        (style::OK, "OK   ")
    } else {
        (style::ERROR, "ERROR")
    };
    let mut line = format!(
        "  {:<10} {color}{word}{color:#}  {}",
        check.part,
        printable(&check.found)
    );
    if let Some(help) = &check.help {
        line.push_str(&format!(
            "\n{:<20}{}→ {}{:#}",
            "",
            style::DIM,
            printable(help),
            style::DIM
        ));
    }
    line
}

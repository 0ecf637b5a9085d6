//! The line of a test that has ended, and what stands below it.

use super::Table;
use super::printer::{printable, style};
use crate::testing::{TestReport, Verdict};

const WIDTH: usize = 78;

/// `3 of 7 FAIL 2 unique_users_id ........ [FAIL 2 in 0.05s]`
pub fn test_line(index: usize, total: usize, report: &TestReport) -> String {
    let digits = total.to_string().len();
    let count = report.failures.unwrap_or(0);
    let (color, word) = match report.status {
        Verdict::Pass => (style::OK, "PASS".to_owned()),
        Verdict::Warn => (style::WARN, format!("WARN {count}")),
        Verdict::Fail => (style::ERROR, format!("FAIL {count}")),
        Verdict::Error => (style::ERROR, "ERROR".to_owned()),
        Verdict::Skipped => (style::WARN, "SKIP".to_owned()),
    };
    let start = format!(
        "{index:>digits$} of {total} {word} {} ",
        printable(&report.shown())
    );
    let dots = ".".repeat(WIDTH.saturating_sub(start.chars().count()).max(3));
    let time = match report.status {
        Verdict::Skipped => String::new(),
        _ => format!(" in {:.2}s", report.seconds),
    };
    format!("{start}{dots} [{color}{word}{color:#}{time}]")
}

/// How the rows of a unit test differ, or the first rows that fail a data test. None where there is nothing to show.
pub fn test_detail(report: &TestReport) -> Option<String> {
    if let Some(difference) = &report.difference {
        let mut text = String::from("\nactual differs from expected:\n\n");
        for line in difference.to_string().lines() {
            let color = match line.split_whitespace().next() {
                Some("---") => style::ERROR,
                Some("+++") => style::OK,
                Some("→") => style::WARN,
                _ => style::DIM,
            };
            text.push_str(&format!("  {color}{}{color:#}\n", printable(line)));
        }
        return Some(text);
    }
    let rows = report.rows.as_ref()?;
    let table = Table::of_rows(&rows.columns, &rows.rows);
    let mut text = String::from("\n");
    for line in table.render().lines() {
        text.push_str(&format!("    {line}\n"));
    }
    let shown = u64::try_from(rows.rows.len()).unwrap_or(u64::MAX);
    if let Some(more) = report
        .failures
        .and_then(|all| all.checked_sub(shown))
        .filter(|n| *n > 0)
    {
        text.push_str(&format!("    … and {more} more\n"));
    }
    Some(text)
}

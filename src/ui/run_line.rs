//! The line of a finished node.

use super::printer::{printable, style};
use crate::apply::{NodeReport, Status};

const WIDTH: usize = 78;

/// `12 of 28 OK created source public.src_page ........ [CREATE_SOURCE in 0.02s]`
pub fn run_line(index: usize, total: usize, report: &NodeReport) -> String {
    let digits = total.to_string().len();
    let kind = report.materialized.replace('_', " ");
    let verdict = match report.status {
        Status::Created => "OK created",
        Status::Altered => "OK altered",
        Status::Renamed => "OK renamed",
        Status::Swapped => "OK swapped",
        Status::Replaced => "OK replaced",
        Status::Dropped => "OK dropped",
        Status::Blocked => "BLOCKED",
        Status::Unchanged => "OK unchanged",
        Status::Error => "ERROR creating",
        Status::Skipped => "SKIP",
    };
    let start = format!(
        "{index:>digits$} of {total} {} {kind} {} ",
        verdict,
        printable(&report.relation)
    );
    let dots = ".".repeat(WIDTH.saturating_sub(start.chars().count()).max(3));
    let (color, outcome) = match report.status {
        Status::Created
        | Status::Altered
        | Status::Renamed
        | Status::Swapped
        | Status::Replaced
        | Status::Dropped => (style::OK, printable(&report.message)),
        Status::Blocked => (style::WARN, "left as it is".to_owned()),
        Status::Unchanged => (style::DIM, "unchanged".to_owned()),
        Status::Error => (style::ERROR, "ERROR".to_owned()),
        Status::Skipped => (style::WARN, printable(&report.message)),
    };
    let time = if matches!(report.status, Status::Skipped | Status::Blocked) {
        String::new()
    } else {
        format!(" in {:.2}s", report.seconds)
    };
    format!("{start}{dots} [{color}{outcome}{color:#}{time}]")
}

//! The funnel for people and for spreadsheets.

use std::fmt::Write as _;

use chrono::TimeDelta;

use super::{Align, Table};
use crate::funnel::FunnelReport;

/// A table of windows, the sums, and how fresh they are.
pub fn funnel_text(report: &FunnelReport) -> String {
    if report.windows.is_empty() {
        return "The funnel is empty. `rwt produce` sends events.\n".to_owned();
    }
    let mut table = Table::new(&[
        ("window", Align::Left),
        ("viewers", Align::Right),
        ("carters", Align::Right),
        ("purchasers", Align::Right),
        ("view→cart", Align::Right),
        ("cart→buy", Align::Right),
    ]);
    for window in &report.windows {
        table.row([
            format!(
                "{} – {}",
                window.window_start.format("%Y-%m-%d %H:%M"),
                window.window_end.format("%H:%M")
            ),
            window.viewers.to_string(),
            window.carters.to_string(),
            window.purchasers.to_string(),
            format!("{:.2}", window.view_to_cart_rate),
            format!("{:.2}", window.cart_to_buy_rate),
        ]);
    }
    let mut text = table.render();
    let _ = writeln!(text, "\n{}", report.totals);
    if let Some(age) = report.age() {
        let _ = writeln!(text, "last event {}", ago(age));
    }
    text
}

/// The windows as CSV, newest first, with the funnel's own column names.
pub fn funnel_csv(report: &FunnelReport) -> String {
    let mut text = String::from(
        "window_start,window_end,viewers,carters,purchasers,view_to_cart_rate,cart_to_buy_rate\n",
    );
    for window in &report.windows {
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{}",
            window.window_start,
            window.window_end,
            window.viewers,
            window.carters,
            window.purchasers,
            window.view_to_cart_rate,
            window.cart_to_buy_rate
        );
    }
    text
}

/// `2 s ago`, `3 min ago`, `in 5 s`.
pub(crate) fn ago(age: TimeDelta) -> String {
    let seconds = age.num_seconds();
    let amount = match seconds.unsigned_abs() {
        s @ 0..=119 => format!("{s} s"),
        s @ 120..=7_199 => format!("{} min", s / 60),
        s @ 7_200..=172_799 => format!("{} h", s / 3_600),
        s => format!("{} days", s / 86_400),
    };
    if seconds < 0 {
        format!("in {amount}")
    } else {
        format!("{amount} ago")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_said_in_a_fitting_unit() {
        assert_eq!(ago(TimeDelta::seconds(2)), "2 s ago");
        assert_eq!(ago(TimeDelta::minutes(5)), "5 min ago");
        assert_eq!(ago(TimeDelta::seconds(-7)), "in 7 s");
        assert_eq!(ago(TimeDelta::days(3)), "3 days ago");
    }
}

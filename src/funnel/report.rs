//! Reading the funnel's windows.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use rwt_compiler::materialize::DatabaseError;
use rwt_plan::counted;
use rwt_sql::{Ident, Literal};
use serde::Serialize;

use crate::client::Connection;

/// One window of the funnel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Window {
    /// First instant.
    pub window_start: NaiveDateTime,
    /// First instant after it.
    pub window_end: NaiveDateTime,
    /// Distinct users with a page view.
    pub viewers: i64,
    /// Those of them with a cart event.
    pub carters: i64,
    /// Those of them with a purchase.
    pub purchasers: i64,
    /// carters / viewers
    pub view_to_cart_rate: f64,
    /// purchasers / carters
    pub cart_to_buy_rate: f64,
}

/// All shown windows together. A user who comes back in another window counts again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Totals {
    /// How many windows are added up.
    pub windows: usize,
    /// Sum of viewers.
    pub viewers: i64,
    /// Sum of carters.
    pub carters: i64,
    /// Sum of purchasers.
    pub purchasers: i64,
    /// carters / viewers
    pub view_to_cart_rate: f64,
    /// purchasers / carters
    pub cart_to_buy_rate: f64,
}

/// The funnel at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FunnelReport {
    /// Newest first.
    pub windows: Vec<Window>,
    /// Their sums.
    pub totals: Totals,
    /// Time of the newest event, as the events say (UTC); the newest window's start where the topics cannot be read.
    pub last_event_at: Option<NaiveDateTime>,
    /// When it was read.
    pub read_at: DateTime<Utc>,
}

impl FunnelReport {
    /// How old the newest event is; negative for events from the future.
    pub fn age(&self) -> Option<TimeDelta> {
        self.last_event_at
            .map(|at| self.read_at.naive_utc().signed_duration_since(at))
    }
}

/// Which windows `--window` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// Those that began within this time before the newest one's end.
    Last(TimeDelta),
    /// The one that holds this instant.
    At(NaiveDateTime),
}

impl FromStr for Span {
    type Err = String;

    /// A duration (`90s`, `15m`, `2h`, `1d`) or an instant (`2026-02-14 12:00`).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(duration) = parse_duration(text) {
            return Ok(Self::Last(duration));
        }
        [
            "%Y-%m-%d %H:%M:%S",
            "%Y-%m-%d %H:%M",
            "%Y-%m-%dT%H:%M:%S",
            "%Y-%m-%dT%H:%M",
        ]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .map(Self::At)
        .ok_or_else(|| {
            "expected a duration such as `15m` or `2h`, or an instant such as `2026-02-14 12:00`"
                .to_owned()
        })
    }
}

/// Reads `90s`, `15m`, `2h`, `1d` or `500ms`.
///
/// # Errors
/// What was expected instead.
pub fn parse_duration(text: &str) -> Result<TimeDelta, String> {
    let expected = || format!("`{text}` is no duration; write for example `90s`, `15m` or `2h`");
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .ok_or_else(expected)?;
    let (number, unit) = text.split_at(digits);
    let number: i64 = number.parse().map_err(|_| expected())?;
    let milliseconds: i64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(expected()),
    };
    number
        .checked_mul(milliseconds)
        .and_then(TimeDelta::try_milliseconds)
        .ok_or_else(expected)
}

/// What to read.
#[derive(Debug, Clone)]
pub struct FunnelQuery {
    /// The relation's schema.
    pub schema: String,
    /// The relation's name.
    pub relation: String,
    /// At most this many windows.
    pub limit: usize,
    /// Only these.
    pub span: Option<Span>,
}

/// Why the funnel cannot be read.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum FunnelError {
    /// The relation is not there.
    #[error("there is no {schema}.{relation} in the database")]
    #[diagnostic(code(rwt::funnel::missing), help("`rwt run` creates it"))]
    Missing {
        /// Its schema.
        schema: String,
        /// Its name.
        relation: String,
    },
    /// The database refused.
    #[error("the funnel cannot be read: {0}")]
    #[diagnostic(
        code(rwt::funnel::query),
        help(
            "a funnel has the columns window_start, window_end, viewers, carters, purchasers, view_to_cart_rate, cart_to_buy_rate; \
             `--model` names another one"
        )
    )]
    Query(DatabaseError),
    /// A value is not what a funnel holds.
    #[error("column {column} of the funnel holds {value}, which is no {expected}")]
    #[diagnostic(code(rwt::funnel::value))]
    Value {
        /// The column.
        column: &'static str,
        /// What it holds.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
}

impl FunnelQuery {
    fn sql(&self) -> String {
        let name = format!(
            "{}.{}",
            Ident::new(&self.schema).quoted(),
            Ident::new(&self.relation).quoted()
        );
        let filter = match self.span {
            None => String::new(),
            Some(Span::At(at)) => {
                let at = at.format("%Y-%m-%d %H:%M:%S").to_string();
                let at = Literal::Text(&at);
                format!(" and window_start <= {at}::timestamp and window_end > {at}::timestamp")
            }
            Some(Span::Last(duration)) => format!(
                " and window_start >= (select max(window_end) from {name}) - interval '{} seconds'",
                duration.num_seconds()
            ),
        };
        format!(
            "select window_start, window_end, viewers, carters, purchasers, view_to_cart_rate, cart_to_buy_rate \
             from {name} where window_start is not null{filter} order by window_start desc limit {}",
            self.limit
        )
    }
}

/// Reads the windows, newest first.
///
/// # Errors
/// See [`FunnelError`].
pub fn read(
    connection: &Connection,
    query: &FunnelQuery,
    last_event_at: Option<NaiveDateTime>,
) -> Result<FunnelReport, FunnelError> {
    let result = connection.query(&query.sql()).map_err(|error| {
        if error.sqlstate.as_deref() == Some("42704") {
            FunnelError::Missing {
                schema: query.schema.clone(),
                relation: query.relation.clone(),
            }
        } else {
            FunnelError::Query(error)
        }
    })?;
    let windows = result
        .rows
        .iter()
        .map(|row| window(row))
        .collect::<Result<Vec<_>, _>>()?;
    let newest = windows.first().map(|w| w.window_start);
    Ok(FunnelReport {
        totals: Totals::of(&windows),
        windows,
        last_event_at: last_event_at.or(newest),
        read_at: Utc::now(),
    })
}

fn window(row: &[Option<String>]) -> Result<Window, FunnelError> {
    let mut cells = row.iter();
    let mut next = || cells.next().and_then(Option::as_deref).unwrap_or("NULL");
    Ok(Window {
        window_start: timestamp("window_start", next())?,
        window_end: timestamp("window_end", next())?,
        viewers: number("viewers", next(), "whole number")?,
        carters: number("carters", next(), "whole number")?,
        purchasers: number("purchasers", next(), "whole number")?,
        view_to_cart_rate: number("view_to_cart_rate", next(), "number")?,
        cart_to_buy_rate: number("cart_to_buy_rate", next(), "number")?,
    })
}

fn timestamp(column: &'static str, text: &str) -> Result<NaiveDateTime, FunnelError> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").map_err(|_| FunnelError::Value {
        column,
        value: text.to_owned(),
        expected: "timestamp",
    })
}

fn number<T: FromStr>(
    column: &'static str,
    text: &str,
    expected: &'static str,
) -> Result<T, FunnelError> {
    text.parse().map_err(|_| FunnelError::Value {
        column,
        value: text.to_owned(),
        expected,
    })
}

impl Totals {
    fn of(windows: &[Window]) -> Self {
        let sum = |stage: fn(&Window) -> i64| windows.iter().map(stage).sum::<i64>();
        let (viewers, carters, purchasers) = (
            sum(|w| w.viewers),
            sum(|w| w.carters),
            sum(|w| w.purchasers),
        );
        Self {
            windows: windows.len(),
            viewers,
            carters,
            purchasers,
            view_to_cart_rate: rate(carters, viewers),
            cart_to_buy_rate: rate(purchasers, carters),
        }
    }
}

/// A ratio with four decimals; 0 where there is nothing to compare with.
fn rate(part: i64, whole: i64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    #[allow(
        clippy::cast_precision_loss,
        reason = "counts of users stay far below 2^53"
    )]
    let ratio = part as f64 / whole as f64;
    (ratio * 10_000.0).round() / 10_000.0
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} viewers → {} carters ({:.1}%) → {} purchasers ({:.1}% of carters) in {}",
            self.viewers,
            self.carters,
            self.view_to_cart_rate * 100.0,
            self.purchasers,
            self.cart_to_buy_rate * 100.0,
            counted(self.windows, "window")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_durations_or_instants() {
        assert_eq!(
            Span::from_str("15m"),
            Ok(Span::Last(TimeDelta::minutes(15)))
        );
        assert!(matches!(
            Span::from_str("2026-02-14 12:00"),
            Ok(Span::At(_))
        ));
        assert!(Span::from_str("soon").unwrap_err().contains("duration"));
        assert!(parse_duration("99999999999999999d").is_err());
    }

    #[test]
    fn rates_of_nothing_are_zero() {
        assert_eq!(rate(0, 0), 0.0);
        assert_eq!(rate(1, 3), 0.3333);
    }
}

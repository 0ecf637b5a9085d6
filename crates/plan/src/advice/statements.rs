//! Advice on an object's own statements. The facts were seen on RisingWave 2.8.4.

use rwt_sql::lexer::{Lexer, Token};
use rwt_sql::statement::{CreateSink, CreateTable, Statement};
use rwt_sql::{Mention, Span, mentions, parse_statement};

use super::hooks::{CASCADE, drops_with_cascade};
use super::{Advice, Code, advice};
use crate::desired::{Desired, DesiredObject};
use crate::name::{Kind, RelationName};

pub(super) fn lint(desired: &Desired, object: &DesiredObject) -> Vec<Advice> {
    let mut found = Vec::new();
    found.extend(between_window(object));
    match parse_statement(&object.create) {
        Ok(Statement::CreateSink(sink)) => sink_options(object, &sink, &mut found),
        Ok(Statement::CreateTable(table)) => found.extend(keyed_lake_table(object, &table)),
        Ok(Statement::CreateMaterializedView(view)) => {
            let retention = view.with.get("retention_seconds");
            found.extend(retention.map(|_| no_retention(object, "retention_seconds")));
        }
        Ok(Statement::CreateSubscription(subscription)) => {
            let retention = subscription.with.get("retention_seconds");
            found.extend(retention.map(|_| no_retention(object, "retention_seconds")));
        }
        _ => {}
    }
    found.extend(startup_latest(desired, object));
    found.extend(all_columns(desired, object));
    let hooks = object.before.iter().chain(&object.post_hooks);
    for hook in hooks {
        if drops_with_cascade(hook) {
            let message = "a hook drops with CASCADE".to_owned();
            found.push(advice(object, Code::CascadeInHook, message, CASCADE));
        }
    }
    found
}

/// `BETWEEN … window_start AND … window_end`
fn between_window(object: &DesiredObject) -> Vec<Advice> {
    let sql = object.create.as_str();
    let tokens: Vec<Token> = Lexer::new(sql)
        .filter(|token| !token.kind.is_trivia())
        .collect();
    let word = |n: usize, word: &str| tokens.get(n).is_some_and(|token| token.is_word(sql, word));
    // The place behind `[alias.]name` from token `n` on.
    let column = |n: usize, name: &str| -> Option<usize> {
        if word(n, name) {
            return Some(n + 1);
        }
        let dotted = tokens
            .get(n + 1)
            .is_some_and(|token| token.is_symbol(sql, "."));
        (dotted && word(n + 2, name)).then_some(n + 3)
    };
    let mut found = Vec::new();
    for n in 0..tokens.len() {
        if !word(n, "between") {
            continue;
        }
        let end = column(n + 1, "window_start")
            .filter(|and| word(*and, "and"))
            .and_then(|and| column(and + 1, "window_end"));
        if let Some(end) = end {
            let span = Span {
                start: tokens[n].span.start,
                end: tokens[end - 1].span.end,
            };
            let found_here = advice(
                object,
                Code::BetweenWindow,
                "BETWEEN window_start AND window_end takes in the end of the window".to_owned(),
                "an event at that moment counts in two windows; write >= window_start and < window_end",
            );
            found.push(found_here.at(sql, span));
        }
    }
    found
}

fn sink_options(object: &DesiredObject, sink: &CreateSink, found: &mut Vec<Advice>) {
    let says = |key: &str, value: &str| sink.with.text(key) == Some(value);
    if sink.into.is_some() {
        for key in ["commit_checkpoint_interval", "sink_decouple"] {
            if sink.with.get(key).is_some() {
                found.push(advice(
                    object,
                    Code::SinkIntoOptions,
                    format!("{key} has no effect on a sink INTO a table"),
                    "RisingWave does not look at it; commit_checkpoint_interval belongs into the WITH of the engine table",
                ));
            }
        }
    }
    if says("force_append_only", "true") {
        found.push(advice(
            object,
            Code::ForceAppendOnly,
            "force_append_only drops deletions, and an update becomes one more row".to_owned(),
            "that is right for a stream that only grows; else give the receiver a key and let the sink upsert",
        ));
    }
    let iceberg = says("connector", "iceberg");
    if iceberg && sink.with.text("is_exactly_once") != Some("false") {
        found.push(advice(
            object,
            Code::ExactlyOnce,
            "an Iceberg sink is written to exactly once by default, and such a sink cannot be replaced in place".to_owned(),
            "a change drops and creates it, which writes all rows again; is_exactly_once = 'false' lets REPLACE SINK take over",
        ));
    }
}

fn keyed_lake_table(object: &DesiredObject, table: &CreateTable) -> Option<Advice> {
    let keyed = !table.columns.primary_key.is_empty();
    (keyed && table.engine.as_deref() == Some("iceberg")).then(|| {
        advice(
            object,
            Code::KeyedLakeTable,
            "updates of an Iceberg table with a primary key are written as equality deletes".to_owned(),
            "RisingWave, DuckDB and Spark read them, PyIceberg does not: leave the key out if PyIceberg is to read it",
        )
    })
}

fn no_retention(object: &DesiredObject, key: &str) -> Advice {
    advice(
        object,
        Code::Retention,
        format!("RisingWave knows no {key} of a {}", object.kind),
        "a materialized view keeps what its query says (a temporal filter lets rows go); a subscription's option is `retention`, as in '1D'",
    )
}

/// A materialized view right on a source that begins at the end.
fn startup_latest(desired: &Desired, object: &DesiredObject) -> Vec<Advice> {
    if object.kind != Kind::MaterializedView {
        return Vec::new();
    }
    let sources = object
        .bound_to
        .iter()
        .filter_map(|id| desired.objects.get(id));
    let late = sources.filter(|source| {
        source.kind == Kind::Source
            && matches!(
                parse_statement(&source.create),
                Ok(Statement::CreateSource(create)) if create.with.text("scan.startup.mode") == Some("latest")
            )
    });
    late.map(|source| {
        advice(
            object,
            Code::StartupLatest,
            format!("{} begins at the end of its topic", source.relation),
            "each change of this view loses what it has counted; keep the events in a table with the connector and build on that, or begin at 'earliest'",
        )
    })
    .collect()
}

/// A query that takes all columns of a table or a source.
fn all_columns(desired: &Desired, object: &DesiredObject) -> Option<Advice> {
    if object.kind != Kind::MaterializedView {
        return None;
    }
    let mentions = mentions(&object.create);
    let schema = &object.fingerprint.schema;
    let taken: Vec<RelationName> = under_stars(&object.create, &mentions)
        .map(|mention| RelationName::of(&mention.name, schema))
        .collect();
    let above = object
        .bound_to
        .iter()
        .filter_map(|id| desired.objects.get(id))
        .find(|above| {
            matches!(above.kind, Kind::Table | Kind::Source) && taken.contains(&above.relation)
        })?;
    Some(advice(
        object,
        Code::AllColumns,
        format!("it takes all columns of {}", above.relation),
        "a column more there rebuilds this view and all below; name the columns",
    ))
}

/// The relations in the FROM clauses of selections that take everything; not what sub-queries in these read.
fn under_stars<'a>(sql: &str, mentions: &'a [Mention]) -> impl Iterator<Item = &'a Mention> {
    const ENDS: [&str; 12] = [
        "where",
        "group",
        "having",
        "window",
        "order",
        "limit",
        "offset",
        "fetch",
        "union",
        "intersect",
        "except",
        "emit",
    ];
    let mut depth = 0_usize;
    let tokens: Vec<(Token, usize)> = Lexer::new(sql)
        .filter(|token| !token.kind.is_trivia())
        .map(|token| {
            depth -= usize::from(depth > 0 && token.is_symbol(sql, ")"));
            let at = depth;
            depth += usize::from(token.is_symbol(sql, "("));
            (token, at)
        })
        .collect();
    let is_word = |token: &Token, words: &[&str]| words.iter().any(|word| token.is_word(sql, word));
    let is_star = |two: &[(Token, usize)]| {
        let [(before, _), (token, _)] = two else {
            return false;
        };
        token.is_symbol(sql, "*")
            && (is_word(before, &["select", "distinct", "all"])
                || [",", "."]
                    .iter()
                    .any(|symbol| before.is_symbol(sql, symbol)))
    };
    let mut found: Vec<usize> = Vec::new();
    for (place, _) in tokens
        .windows(2)
        .enumerate()
        .filter(|(_, two)| is_star(two))
    {
        let depth = tokens[place + 1].1;
        let selection = tokens[place + 2..].iter();
        let mut selection = selection.take_while(|(_, at)| *at >= depth);
        let is_from = |(token, at): &(Token, usize)| *at == depth && is_word(token, &["from"]);
        if !selection.any(is_from) {
            continue;
        }
        let from = selection.take_while(|(token, at)| *at > depth || !is_word(token, &ENDS));
        let from: Vec<&(Token, usize)> = from.collect();
        for (place, (token, at)) in from.iter().enumerate() {
            let is_argument = place >= 2 && is_word(&from[place - 2].0, &["tumble", "hop"]);
            if *at == depth || is_argument {
                found.push(token.span.start);
            }
        }
    }
    (mentions.iter()).filter(move |mention| found.contains(&mention.span.start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_takes_what_its_own_from_clause_names() {
        let taken = |sql: &str| -> Vec<String> {
            let mentions = mentions(sql);
            let taken = under_stars(sql, &mentions);
            taken.map(|mention| mention.name.to_string()).collect()
        };
        for (sql, names) in [
            (
                "select * from t join u on true where x in (select y from z)",
                vec!["t", "u"],
            ),
            ("select a.*, 1 from s.t as a group by b", vec!["s.t"]),
            ("select * from tumble(t, ts, interval '1' day)", vec!["t"]),
            (
                "with a as (select x from t) select b.x from (select * from a) b",
                vec![],
            ),
            ("select x from (select * from t where true) b", vec!["t"]),
            ("select * from (select x from t) b", vec![]),
            ("select count(*), x * y from t", vec![]),
        ] {
            assert_eq!(taken(sql), names, "{sql}");
        }
    }
}

//! Plans carried out on the embedded engine: what readers see meanwhile, and what is left when something comes in
//! between.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::proxy::{Answer, Proxy};
use support::sql::Sql;
use support::{Finished, Place, finish, topics, until};

const TOTALS: &str = "select kind, sum(n) as total from {{ ref('events') }} group by kind";

/// The fixture with its objects made and some rows in its table.
fn shop() -> (Place, Sql) {
    shop_without(&[])
}

fn shop_without(models: &[&str]) -> (Place, Sql) {
    let place = Place::fixture("change");
    for name in models {
        fs::remove_file(place.path().join(format!("models/{name}.sql"))).unwrap();
    }
    place.up();
    place.ok(&["run"]);
    let sql = place.sql();
    sql.rows("insert into events values (1, 'view', 3), (2, 'cart', 2), (3, 'view', 4)");
    sql.rows("flush");
    (place, sql)
}

fn write_model(place: &Place, name: &str, text: &str) {
    fs::write(place.path().join(format!("models/{name}.sql")), text).unwrap();
}

/// `totals` with one more column, whose name tells versions apart.
fn change_totals(place: &Place, column: &str) {
    let text = TOTALS.replace("as total", &format!("as total, count(*) as {column}"));
    let config = "{{ config(indexes=[{'columns': ['kind']}]) }}\n";
    write_model(place, "totals", &format!("{config}{text}"));
}

/// Names and kinds of all objects but rwt's own.
fn objects(sql: &Sql) -> BTreeSet<String> {
    sql.column(
        "select r.relation_type || ' ' || r.name from rw_catalog.rw_relations r \
         join rw_catalog.rw_schemas s on r.schema_id = s.id where s.name = 'public'",
    )
    .into_iter()
    .collect()
}

fn columns(sql: &Sql, relation: &str) -> Vec<String> {
    sql.column(&format!(
        "select column_name from information_schema.columns where table_schema = 'public' \
         and table_name = '{relation}' order by ordinal_position"
    ))
}

/// Somebody who reads names again and again, and wants rows every time.
struct Reader {
    over: Arc<AtomicBool>,
    thread: JoinHandle<(u64, Vec<String>)>,
}

impl Reader {
    fn of(place: &Place, names: &'static [&'static str]) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (port, stop) = (place.engine_port, over.clone());
        let thread = thread::spawn(move || {
            let sql = Sql::connect(port);
            let (mut reads, mut wrong) = (0, Vec::new());
            while !stop.load(Ordering::SeqCst) {
                for name in names {
                    reads += 1;
                    match sql.try_rows(&format!("select * from {name}")) {
                        Ok(rows) if rows.is_empty() => wrong.push(format!("{name} was empty")),
                        Ok(_) => {}
                        Err(error) => wrong.push(format!("{name}: {error}")),
                    }
                }
            }
            (reads, wrong)
        });
        Self { over, thread }
    }

    /// Asserts that every read gave rows.
    #[track_caller]
    fn saw_no_gap(self) {
        self.over.store(true, Ordering::SeqCst);
        let (reads, wrong) = self.thread.join().unwrap();
        assert!(reads > 0);
        assert_eq!(wrong, Vec::<String>::new(), "of {reads} reads");
    }
}

const NAMES: &[&str] = &["totals", "top", "report", "archive"];

#[test]
fn a_changed_closure_is_swapped_and_no_reader_sees_a_gap() {
    let (place, sql) = shop();
    let before = objects(&sql);
    change_totals(&place, "rows_of_it");

    // What would make a sink emit again is not done without being asked for, and neither is what goes with it.
    let refused = place.rwt(&["run"]).exits_with(1);
    assert!(
        refused.stdout.contains("needs --allow-destructive"),
        "{}",
        refused.stdout
    );
    assert_eq!(columns(&sql, "totals"), ["kind", "total"]);

    let plan = place.ok(&["plan", "--allow-destructive", "--sql"]);
    for word in ["swap", "replace", "SWAP WITH", "DROP SINK"] {
        assert!(
            plan.stdout.to_lowercase().contains(&word.to_lowercase()),
            "{word}: {}",
            plan.stdout
        );
    }
    place
        .rwt(&["plan", "--allow-destructive", "--detailed-exitcode"])
        .exits_with(3);

    let reader = Reader::of(&place, NAMES);
    place.ok(&["apply", "--allow-destructive", "--yes", "--threads", "3"]);
    reader.saw_no_gap();
    assert_eq!(columns(&sql, "totals"), ["kind", "total", "rows_of_it"]);
    assert_eq!(columns(&sql, "top"), ["kind", "total", "rows_of_it"]);
    assert_eq!(
        objects(&sql),
        before,
        "nothing is left over, and nothing is missing"
    );
    // What hangs on the new objects is alive: a new row arrives everywhere.
    sql.rows("insert into events values (4, 'buy', 7)");
    sql.rows("flush");
    sql.until_count("archive", 3);
    assert_eq!(sql.count("top"), 3);
    place.ok(&["plan", "--detailed-exitcode"]);
    let again = place.ok(&["run"]);
    assert!(
        again.stdout.contains("Nothing changed: all 6"),
        "{}",
        again.stdout
    );
}

/// Runs `apply`, which dies at a point of its journal. True if it lived.
fn apply_dies_at(place: &Place, point: u32) -> bool {
    let child = place
        .command(&["apply", "--allow-destructive", "--yes", "--threads", "1"])
        .env("RWT_TEST_DIE_AT_JOURNAL_WRITE", point.to_string())
        .spawn()
        .unwrap();
    let ended = finish(child);
    if ended.status.signal() == Some(9) {
        return false;
    }
    ended.exits_with(0);
    true
}

/// Kills rwt at every second write of its journal, from `first` on, and lets the next apply finish each time.
fn dies_at_every_second_point_from(first: u32) {
    const NAMES: &[&str] = &["totals", "top", "archive"];
    let (place, sql) = shop_without(&["report"]);
    let wanted = objects(&sql);
    let reader = Reader::of(&place, NAMES);
    let mut deaths = 0;
    for point in (first..).step_by(2) {
        let column = format!("version_{point}");
        change_totals(&place, &column);
        if apply_dies_at(&place, point) {
            break;
        }
        deaths += 1;
        for name in NAMES {
            assert!(sql.count(name) > 0, "{name} after death at {point}");
        }
        place.ok(&["apply", "--allow-destructive", "--yes"]);
        assert_eq!(
            columns(&sql, "totals"),
            ["kind", "total", &column],
            "death at {point}"
        );
        assert_eq!(objects(&sql), wanted, "death at {point}");
    }
    assert!(deaths > 3, "{deaths}");
    place.ok(&["plan", "--detailed-exitcode"]);
    reader.saw_no_gap();
}

// 2 and 3 are before and after the write that begins the deployment.

#[test]
fn killed_before_each_write_of_the_journal_the_next_apply_finishes() {
    dies_at_every_second_point_from(2);
}

#[test]
fn killed_after_each_write_of_the_journal_the_next_apply_finishes() {
    dies_at_every_second_point_from(3);
}

/// Dies at the first point at which shadows have been built and no name has moved.
fn die_before_the_swap(place: &Place, sql: &Sql) -> u32 {
    let mut point = 6;
    loop {
        assert!(
            !apply_dies_at(place, point),
            "it ended before a shadow was seen"
        );
        let shadows = objects(sql)
            .into_iter()
            .filter(|name| name.contains("report") && name.starts_with("materialized view"))
            .count();
        if shadows > 1 {
            return point;
        }
        place.ok(&["apply", "--abort"]);
        point += 2;
    }
}

#[test]
fn an_interrupted_deployment_is_undone_when_asked_and_not_after_names_have_moved() {
    let (place, sql) = shop();
    let before = objects(&sql);
    change_totals(&place, "rows_of_it");
    let built = die_before_the_swap(&place, &sql);
    assert_ne!(objects(&sql), before);
    let warned = place.ok(&["plan", "--allow-destructive"]);
    assert!(
        warned.stderr.contains("rwt::apply::unfinished"),
        "{}",
        warned.stderr
    );
    let undone = place.ok(&["apply", "--abort"]);
    assert!(undone.stdout.contains("is undone"), "{}", undone.stdout);
    assert_eq!(objects(&sql), before);
    assert_eq!(columns(&sql, "totals"), ["kind", "total"]);
    let nothing = place.ok(&["apply", "--abort"]);
    assert!(
        nothing.stdout.contains("Nothing to undo"),
        "{}",
        nothing.stdout
    );

    for point in (built + 2..).step_by(2) {
        assert!(
            !apply_dies_at(&place, point),
            "it ended before a name had moved"
        );
        if columns(&sql, "totals").len() == 3 {
            break;
        }
        place.ok(&["apply", "--abort"]);
    }
    let late = place.rwt(&["apply", "--abort"]).exits_with(1);
    assert!(
        late.stderr.contains("rwt::apply::too_late"),
        "{}",
        late.stderr
    );
    place.ok(&["apply"]);
    assert_eq!(objects(&sql), before);
}

/// Shadows and what else bears the mark of a deployment.
fn marked(sql: &Sql) -> Vec<String> {
    let is_marked = |name: &String| name.contains("__rwt_");
    objects(sql).into_iter().filter(is_marked).collect()
}

/// Drops what is changed, or what was built for it, as somebody else would.
fn drop_by_hand(sql: &Sql, what: &str) {
    match what {
        "old" => {
            sql.rows("drop materialized view if exists totals cascade");
        }
        "new" => {
            for name in marked(sql) {
                // It may be gone with another one.
                let _ = sql.try_rows(&format!("drop {name} cascade"));
            }
        }
        "leaf" => {
            let _ = sql.try_rows("drop view top cascade");
        }
        other => panic!("{other}"),
    }
}

/// Asks for the deployment to be undone. One whose names have moved is finished.
fn abort_or_finish(place: &Place) {
    let aborted = place.rwt(&["apply", "--abort"]);
    if aborted.stderr.contains("rwt::apply::too_late") {
        aborted.exits_with(1);
    } else {
        aborted.exits_with(0);
    }
    place.ok(&["apply", "--allow-destructive", "--yes"]);
}

#[test]
fn apply_and_abort_lead_out_of_every_point_whatever_was_dropped_by_hand() {
    let (place, sql) = shop();
    let wanted = objects(&sql);
    let apply: &[&str] = &["apply", "--allow-destructive", "--yes"];
    let ways = ["old", "new", "leaf"].map(|what| [(what, false), (what, true)]);
    let mut ways = ways.iter().flatten().cycle();
    let mut deaths = 0;
    for point in (2..).step_by(9) {
        let column = format!("version_{point}");
        change_totals(&place, &column);
        if apply_dies_at(&place, point) {
            break;
        }
        deaths += 1;
        let (what, aborts) = ways.next().unwrap();
        drop_by_hand(&sql, what);
        if *aborts {
            abort_or_finish(&place);
        } else {
            place.ok(apply);
        }
        let told = format!("{what} dropped, death at {point}, abort: {aborts}");
        assert_eq!(
            columns(&sql, "totals"),
            ["kind", "total", &column],
            "{told}"
        );
        assert_eq!(objects(&sql), wanted, "{told}");
        place.ok(&["plan", "--detailed-exitcode"]);
    }
    assert!(deaths > 3, "{deaths}");
}

#[test]
fn what_was_dropped_by_hand_is_told_and_its_new_object_takes_the_name() {
    let (place, sql) = shop();
    let before = objects(&sql);
    change_totals(&place, "rows_of_it");
    die_before_the_swap(&place, &sql);
    sql.rows("drop materialized view totals cascade");
    let applied = place.ok(&["apply"]);
    for name in ["totals", "top", "report"] {
        let told = format!("the old public.{name} was dropped meanwhile");
        assert!(applied.stdout.contains(&told), "{told}: {}", applied.stdout);
    }
    assert_eq!(columns(&sql, "totals"), ["kind", "total", "rows_of_it"]);
    assert_eq!(objects(&sql), before);
    sql.until_count("archive", 2);

    change_totals(&place, "once_more");
    die_before_the_swap(&place, &sql);
    sql.rows("drop materialized view report");
    let undone = place.ok(&["apply", "--abort"]);
    for words in [
        "undone: build the new public.totals beside the old one",
        "not found, somebody else has dropped it: public.report",
        "is undone; `rwt plan` shows what is to be made again",
    ] {
        assert!(undone.stdout.contains(words), "{words}: {}", undone.stdout);
    }
    assert_eq!(marked(&sql), Vec::<String>::new());
    assert_eq!(columns(&sql, "totals"), ["kind", "total", "rows_of_it"]);
    place.ok(&["run", "--allow-destructive"]);
    assert_eq!(objects(&sql), before);
}

#[test]
fn what_fails_after_names_have_moved_can_be_mended_or_given_up() {
    let (place, sql) = shop();
    let before = objects(&sql);
    let sink = |column: &str| {
        let text = format!(
            "{{{{ config(materialized='sink') }}}}\ncreate sink {{{{ this }}}} into {{{{ ref('archive') }}}} as\n\
             select kind, {column}::bigint as total from {{{{ ref('totals') }}}}"
        );
        write_model(&place, "to_archive", &text);
    };
    let stops = |column: &str| {
        change_totals(&place, column);
        sink("nothing_of_this_name");
        let stopped = place.rwt(&["run", "--allow-destructive"]).exits_with(1);
        let words = "stopped in the middle: a step failed after names had moved";
        assert!(stopped.stderr.contains(words), "{}", stopped.stderr);
        assert_eq!(columns(&sql, "totals"), ["kind", "total", column]);
    };
    // The project is mended: the statement that fails is not the one that is wanted any more.
    stops("first");
    sink("first");
    let mended = place.ok(&["run", "--allow-destructive"]);
    let words = "what is left is planned anew";
    assert!(mended.stderr.contains(words), "{}", mended.stderr);
    assert_eq!(objects(&sql), before);

    stops("second");
    let given_up = place.ok(&["apply", "--abort"]);
    for words in ["kept as it is now: public.totals", "is given up"] {
        assert!(
            given_up.stdout.contains(words),
            "{words}: {}",
            given_up.stdout
        );
    }
    sink("second");
    place.ok(&["run", "--allow-destructive"]);
    assert_eq!(objects(&sql), before);
    assert_eq!(columns(&sql, "totals"), ["kind", "total", "second"]);
    place.ok(&["plan", "--detailed-exitcode"]);
}

#[test]
fn a_deployment_that_cannot_be_read_is_forgotten_when_asked() {
    let (place, sql) = shop();
    let before = objects(&sql);
    change_totals(&place, "rows_of_it");
    die_before_the_swap(&place, &sql);
    let built = marked(&sql);
    let built = built.iter().filter(|name| !name.starts_with("index"));
    sql.rows("update rwt.journal set detail = '{}' where event = 'plan'");
    sql.rows("flush");
    place.rwt(&["apply"]).exits_with(1);
    let forgotten = place.ok(&["apply", "--abort"]);
    assert!(
        forgotten.stdout.contains("is forgotten"),
        "{}",
        forgotten.stdout
    );
    let left = forgotten.stdout.matches("left: public.").count();
    assert_eq!(left, built.count(), "{}", forgotten.stdout);
    place.ok(&["run", "--allow-destructive"]);
    assert_eq!(columns(&sql, "totals"), ["kind", "total", "rows_of_it"]);
    assert_eq!(objects(&sql), before);
}

#[test]
fn a_shadow_that_cannot_be_built_takes_its_group_back_and_nothing_else() {
    let (place, sql) = shop();
    let before = objects(&sql);
    change_totals(&place, "rows_of_it");
    // What reads the changed model asks for a column that is not there.
    write_model(
        &place,
        "report",
        "select count(*) as kinds, sum(nothing_of_this_name) as total from {{ ref('top') }}",
    );
    write_model(
        &place,
        "other",
        "select count(*) as events from {{ ref('events') }}",
    );
    let failed = place
        .rwt(&["run", "--allow-destructive", "--threads", "1"])
        .exits_with(1);
    assert!(
        failed.stderr.contains("nothing_of_this_name"),
        "{}",
        failed.stderr
    );
    let mut expected = before.clone();
    expected.insert("materialized view other".to_owned());
    assert_eq!(objects(&sql), expected, "{}", failed.stdout);
    assert_eq!(columns(&sql, "totals"), ["kind", "total"]);
    assert_eq!(sql.count("other"), 1);

    // Mended, it goes through; `retry` knows what is left to do.
    write_model(
        &place,
        "report",
        "select count(*) as kinds, sum(total) as total from {{ ref('top') }}",
    );
    place.ok(&["retry"]);
    assert_eq!(columns(&sql, "totals"), ["kind", "total", "rows_of_it"]);
    assert_eq!(objects(&sql), expected);
    let nothing = place.ok(&["retry"]);
    assert!(
        nothing.stdout.contains("Nothing to retry"),
        "{}",
        nothing.stdout
    );
}

#[test]
fn rows_are_not_lost_without_being_asked_for() {
    let (place, sql) = shop();
    write_model(
        &place,
        "events",
        "{{ config(materialized='table_with_connector') }}\n\
         create table {{ this }} (id int primary key, kind varchar, n bigint)",
    );
    let refused = place.rwt(&["run"]).exits_with(1);
    assert!(refused.stdout.contains("BLOCKED"), "{}", refused.stdout);
    assert!(
        refused.stderr.contains("rwt run --allow-destructive"),
        "{}",
        refused.stderr
    );
    assert_eq!(sql.count("events"), 3);
    let refused = place.rwt(&["apply", "--yes"]).exits_with(1);
    assert!(
        refused.stdout.contains("rows of public.events are lost")
            && refused.stdout.contains("Nothing was done.")
            && refused.stdout.contains("`rwt apply --allow-destructive`"),
        "{}",
        refused.stdout
    );
    assert_eq!(sql.count("events"), 3);
}

#[test]
fn a_saved_plan_is_applied_once_and_refused_when_the_database_has_moved() {
    let (place, sql) = shop();
    write_model(
        &place,
        "report",
        "select count(*) as kinds from {{ ref('top') }}",
    );
    let file = place.path().join("plan.json");
    let file = file.to_str().unwrap();
    place.ok(&["plan", "--out", file]);
    sql.rows("create materialized view foreign_reader as select * from report");
    let refused = place.rwt(&["apply", file]).exits_with(1);
    assert!(
        refused.stderr.contains("rwt::apply::stale_plan"),
        "{}",
        refused.stderr
    );
    assert_eq!(columns(&sql, "report"), ["kinds", "total"]);

    sql.rows("drop materialized view foreign_reader");
    place.ok(&["plan", "--out", file]);
    place.ok(&["apply", file]);
    assert_eq!(columns(&sql, "report"), ["kinds"]);
    let again = place.rwt(&["apply", file]).exits_with(1);
    assert!(
        again.stderr.contains("rwt::apply::stale_plan"),
        "{}",
        again.stderr
    );
    fs::write(place.path().join("plan.json"), "{}").unwrap();
    let no_plan = place.rwt(&["apply", file]).exits_with(1);
    assert!(
        no_plan.stderr.contains("rwt::apply::plan_file"),
        "{}",
        no_plan.stderr
    );
}

#[test]
fn what_a_stranger_built_on_an_old_object_stays_on_it() {
    let (place, sql) = shop();
    sql.rows("create materialized view foreign_reader as select * from report");
    write_model(
        &place,
        "report",
        "select count(*) as kinds from {{ ref('top') }}",
    );
    let reader = Reader::of(&place, &["report", "foreign_reader"]);
    let applied = place.ok(&["apply", "--yes"]);
    reader.saw_no_gap();
    assert!(
        applied.stdout.contains("foreign_reader"),
        "{}",
        applied.stdout
    );
    assert_eq!(columns(&sql, "report"), ["kinds"]);
    assert_eq!(columns(&sql, "foreign_reader"), ["kinds", "total"]);
}

/// A row of the lock as another machine's rwt writes it.
fn foreign_lock(sql: &Sql, beat: i64, released: bool, age: &str) {
    let newest = sql.column("select max(generation) from rwt.lock");
    let generation = match newest.first().map(String::as_str) {
        Some("NULL") | None => 1,
        Some(text) => text.parse::<i64>().unwrap() + i64::from(beat == 0),
    };
    sql.rows(&format!(
        "insert into rwt.lock values ({generation}, {beat}, 'token', 'bob@elsewhere, process 7', \
         'another machine', 7, 'abcd1234', {released}, now() - interval '{age}')"
    ));
    sql.rows("flush");
}

#[test]
fn a_second_rwt_names_the_first_or_waits_for_it() {
    let (place, sql) = shop();
    write_model(
        &place,
        "report",
        "select count(*) as kinds from {{ ref('top') }}",
    );
    foreign_lock(&sql, 0, false, "1 second");
    let refused = place.rwt(&["apply", "--yes"]).exits_with(1);
    assert!(
        refused.stderr.contains("bob@elsewhere, process 7") && refused.stderr.contains("abcd1234"),
        "{}",
        refused.stderr
    );
    assert_eq!(columns(&sql, "report"), ["kinds", "total"]);
    // Reading needs no lock.
    place.ok(&["plan"]);

    let mut waiting = place.spawn(&["apply", "--yes", "--wait"]);
    let mut said = BufReader::new(waiting.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("Waiting for bob@elsewhere") {
        line.clear();
        let read = said.read_line(&mut line).unwrap();
        assert!(read > 0, "it ended without waiting");
    }
    foreign_lock(&sql, i64::MAX, true, "0 seconds");
    let rest = thread::spawn(move || std::io::read_to_string(said));
    finish(waiting).exits_with(0);
    rest.join().unwrap().unwrap();
    assert_eq!(columns(&sql, "report"), ["kinds"]);

    // A holder that has been silent for longer than its lease is dead.
    write_model(
        &place,
        "report",
        "select count(*) as all_kinds from {{ ref('top') }}",
    );
    foreign_lock(&sql, 0, false, "10 minutes");
    place.ok(&["apply", "--yes"]);
    assert_eq!(columns(&sql, "report"), ["all_kinds"]);
}

#[test]
fn two_at_once_do_the_work_once() {
    let (place, sql) = shop();
    let before = objects(&sql);
    write_model(
        &place,
        "report",
        "select count(*) as kinds from {{ ref('top') }}",
    );
    let children: Vec<_> = (0..3).map(|_| place.spawn(&["run", "--wait"])).collect();
    for child in children {
        finish(child).exits_with(0);
    }
    assert_eq!(columns(&sql, "report"), ["kinds"]);
    assert_eq!(objects(&sql), before);
}

/// Takes the state away, as when somebody has dropped the schema.
fn lose_state(sql: &Sql) {
    for table in [
        "objects",
        "leftovers",
        "deployments",
        "journal",
        "lock",
        "format",
    ] {
        sql.rows(&format!("drop table rwt.{table}"));
    }
    sql.rows("drop schema rwt");
}

#[test]
fn a_database_without_state_is_adopted_and_never_rebuilt_by_surprise() {
    let (place, sql) = shop();
    let ids = || {
        sql.column(
            "select r.name || ' ' || r.id::varchar from rw_catalog.rw_relations r \
             join rw_catalog.rw_schemas s on r.schema_id = s.id where s.name = 'public' order by 1",
        )
    };
    let before = ids();
    lose_state(&sql);
    let first = place.ok(&["run"]);
    assert!(
        first.stdout.contains("Nothing changed: all 6"),
        "{}",
        first.stdout
    );
    assert_eq!(ids(), before);
    place.ok(&["plan", "--detailed-exitcode"]);

    lose_state(&sql);
    write_model(
        &place,
        "report",
        "select count(*) as kinds from {{ ref('top') }}",
    );
    let shown = place.ok(&["plan"]);
    assert!(
        shown.stdout.contains("another definition"),
        "{}",
        shown.stdout
    );
    let left = place.ok(&["run"]);
    assert!(
        left.stderr.contains("rwt::apply::unknown"),
        "{}",
        left.stderr
    );
    assert_eq!(ids(), before);
    let partly = place.rwt(&["adopt"]).exits_with(1);
    assert!(
        partly
            .stdout
            .contains("different: materialized view public.report"),
        "{}",
        partly.stdout
    );
    assert_eq!(ids(), before);
    place.ok(&["adopt", "--all"]);
    assert_eq!(ids(), before);
    place.ok(&["plan", "--detailed-exitcode"]);
    // From here on a change is a change.
    write_model(
        &place,
        "report",
        "select count(*) as all_kinds from {{ ref('top') }}",
    );
    place.ok(&["run"]);
    assert_eq!(columns(&sql, "report"), ["all_kinds"]);
}

#[test]
fn a_removed_model_goes_only_with_prune() {
    let (place, sql) = shop();
    fs::remove_file(place.path().join("models/report.sql")).unwrap();
    let kept = place.ok(&["run"]);
    assert!(
        kept.stdout.contains("Nothing changed: all 5"),
        "{}",
        kept.stdout
    );
    assert_eq!(sql.count("report"), 1);
    let hint = place.ok(&["apply", "--yes"]);
    assert!(
        hint.stdout.contains("Nothing to do.") && hint.stdout.contains("`rwt apply --prune`"),
        "{}",
        hint.stdout
    );
    place.ok(&["apply", "--prune", "--yes"]);
    assert!(sql.try_rows("select * from report").is_err());
    place.ok(&["plan", "--detailed-exitcode"]);
}

#[test]
fn the_state_of_a_newer_rwt_is_refused() {
    let (place, sql) = shop();
    sql.rows("insert into rwt.format values (1, 99, '9.9.9')");
    sql.rows("flush");
    for command in ["plan", "run", "apply", "adopt"] {
        let refused = place.rwt(&[command]).exits_with(1);
        assert!(
            refused.stderr.contains("9.9.9"),
            "{command}: {}",
            refused.stderr
        );
    }
}

/// `rwt` on the engine behind a proxy.
fn through(place: &Place, proxy: &Proxy, arguments: &[&str]) -> std::process::Child {
    place
        .command(arguments)
        .args(["--target", "proxied"])
        .env("PROXY_PORT", proxy.port.to_string())
        .spawn()
        .unwrap()
}

fn run_through(place: &Place, proxy: &Proxy, arguments: &[&str]) -> Finished {
    finish(through(place, proxy, arguments))
}

#[test]
fn a_plan_asks_the_catalog_as_often_for_many_objects_as_for_few() {
    let (place, _sql) = shop();
    for number in 0..300 {
        write_model(
            &place,
            &format!("more_{number}"),
            "{{ config(materialized='view') }} select * from {{ ref('events') }}",
        );
    }
    let asked = |place: &Place| {
        let proxy = Proxy::start(place.engine_port, |_| Answer::Pass);
        run_through(place, &proxy, &["plan"]).exits_with(0);
        let catalog = proxy.heard_with("rw_catalog").len() + proxy.heard_with("version()").len();
        (catalog, proxy.heard().len())
    };
    let before = asked(&place);
    place.ok(&["run", "--threads", "8"]);
    let after = asked(&place);
    assert!(before.0 <= 6 && after.0 <= 6, "{before:?} {after:?}");
    assert_eq!(before, after);
}

#[test]
fn a_connection_lost_in_the_middle_of_a_statement_is_made_again() {
    let (place, sql) = shop();
    let before = objects(&sql);
    let cut = AtomicBool::new(false);
    let proxy = Proxy::start(place.engine_port, move |statement| {
        let is_build = statement
            .to_lowercase()
            .starts_with("create materialized view");
        if is_build && !cut.swap(true, Ordering::SeqCst) {
            Answer::PassAndCut
        } else {
            Answer::Pass
        }
    });
    write_model(
        &place,
        "report",
        "select count(*) as kinds from {{ ref('top') }}",
    );
    run_through(&place, &proxy, &["run"]).exits_with(0);
    assert_eq!(columns(&sql, "report"), ["kinds"]);
    assert_eq!(objects(&sql), before);
    let built = proxy.heard();
    let builds = built
        .iter()
        .filter(|sql| sql.to_lowercase().starts_with("create materialized view"));
    assert_eq!(
        builds.count(),
        1,
        "what took effect is not sent again: {built:#?}"
    );
}

/// Rows that take the build of `report` ten minutes, and a `report` that is built so.
fn slow_report(place: &Place, sql: &Sql) {
    report_at(place, sql, 1);
}

/// A `report` that reads so many rows a second, and rows for it.
fn report_at(place: &Place, sql: &Sql, rows_a_second: u32) {
    sql.rows("insert into events select n, 'view', 1 from generate_series(100, 699) as s (n)");
    sql.rows("flush");
    let config = format!("{{{{ config(backfill_rate_limit={rows_a_second}) }}}}");
    let slow = format!("{config} select count(*) as kinds from {{{{ ref('top') }}}}");
    write_model(place, "report", &slow);
}

fn progress(sql: &Sql) -> Vec<String> {
    sql.column("select create_type || ' ' || progress from rw_catalog.rw_ddl_progress")
}

#[test]
fn the_first_interrupt_cancels_a_build_in_the_foreground() {
    let (place, sql) = shop();
    let before = objects(&sql);
    slow_report(&place, &sql);
    let proxy = Proxy::start(place.engine_port, |_| Answer::Pass);
    let child = through(&place, &proxy, &["run"]);
    let pid = i32::try_from(child.id()).unwrap();
    let seen = until("the build is a job", || match progress(&sql).as_slice() {
        [job] => Ok(job.clone()),
        other => Err(format!("{other:?}")),
    });
    assert!(
        seen.starts_with("FOREGROUND Snapshot [") && seen.ends_with("/603)]"),
        "{seen}"
    );
    let jobs = place.ok(&["jobs"]);
    assert!(jobs.stdout.contains("foreground"), "{}", jobs.stdout);

    kill(Pid::from_raw(pid), Signal::SIGINT).unwrap();
    let ended = finish(child).exits_with(1);
    assert!(
        ended.stderr.contains("`rwt apply` finishes it"),
        "{}",
        ended.stderr
    );
    // A build whose client only goes away goes on.
    assert!(proxy.cancel_requests() > 0);
    assert_eq!(
        progress(&sql),
        Vec::<String>::new(),
        "the server builds nothing any more"
    );
    assert_eq!(objects(&sql), before);
    place.ok(&["apply", "--abort"]);
    assert_eq!(objects(&sql), before);
}

#[test]
fn a_build_whose_rwt_was_killed_is_ended_by_abort() {
    let (place, sql) = shop();
    let before = objects(&sql);
    slow_report(&place, &sql);
    let mut child = place.command(&["run"]).spawn().unwrap();
    until("the build is a job", || match progress(&sql).as_slice() {
        [_] => Ok(()),
        other => Err(format!("{other:?}")),
    });
    child.kill().unwrap();
    // Nobody asks how it ended, so that there still is such a process: the lock is free at once all the same.
    let stat = format!("/proc/{}/stat", child.id());
    until("the process has ended", || {
        match fs::read_to_string(&stat) {
            Ok(stat) if stat.contains(") Z ") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    place.ok(&["apply", "--abort"]);
    child.wait().unwrap();
    assert_eq!(progress(&sql), Vec::<String>::new());
    assert_eq!(objects(&sql), before);
}

#[test]
fn a_build_whose_rwt_was_killed_is_waited_for_by_the_next() {
    let (place, sql) = shop();
    let before = objects(&sql);
    report_at(&place, &sql, 50);
    let proxy = Proxy::start(place.engine_port, |_| Answer::Pass);
    let mut child = through(&place, &proxy, &["run"]);
    until("the build is a job", || match progress(&sql).as_slice() {
        [_] => Ok(()),
        other => Err(format!("{other:?}")),
    });
    child.kill().unwrap();
    child.wait().unwrap();
    run_through(&place, &proxy, &["apply", "--yes"]).exits_with(0);
    assert_eq!(columns(&sql, "report"), ["kinds"]);
    assert_eq!(objects(&sql), before);
    let sent = proxy.heard();
    let creates = sent
        .iter()
        .filter(|sql| sql.to_lowercase().starts_with("create materialized view"));
    assert_eq!(creates.count(), 1, "{sent:#?}");
}

#[test]
fn a_job_in_the_background_is_listed_and_cancelled() {
    let (place, sql) = shop();
    sql.rows("insert into events select n, 'view', 1 from generate_series(100, 699) as s (n)");
    sql.rows("flush");
    sql.rows("set background_ddl = true");
    sql.rows("set backfill_rate_limit = 1");
    sql.rows("create materialized view slow as select count(*) as n from events");
    let jobs = place.ok(&["jobs", "--output", "json"]).json();
    assert_eq!(jobs[0]["background"], true, "{jobs}");
    assert!(
        jobs[0]["progress"]
            .as_str()
            .unwrap()
            .starts_with("Snapshot ["),
        "{jobs}"
    );
    let id = jobs[0]["id"].to_string();
    let cancelled = place.ok(&["jobs", "cancel", &id]);
    assert!(cancelled.stdout.contains(&id), "{}", cancelled.stdout);
    assert_eq!(progress(&sql), Vec::<String>::new());
    assert!(!objects(&sql).contains("materialized view slow"));
    place.rwt(&["jobs", "cancel", &id]).exits_with(1);
}

#[test]
fn the_project_and_a_database_are_compared() {
    let (place, _sql) = shop();
    let same = place.rwt(&["diff", "--detailed-exitcode"]).exits_with(0);
    assert!(
        same.stdout.contains("0 differences, 6 the same"),
        "{}",
        same.stdout
    );

    change_totals(&place, "rows_of_it");
    write_model(&place, "extra", "select * from {{ ref('events') }}");
    fs::remove_file(place.path().join("models/report.sql")).unwrap();
    let diff = place.rwt(&["diff", "--detailed-exitcode"]).exits_with(3);
    for words in [
        "another statement       materialized view public.totals",
        "only in the project     materialized view public.extra",
        "only in the database    materialized view public.report",
        "rows_of_it",
        "3 differences",
    ] {
        assert!(diff.stdout.contains(words), "{words}: {}", diff.stdout);
    }
    let diff = place.ok(&["diff", "--output", "json"]).json();
    let relations: Vec<&str> = diff["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|difference| difference["relation"].as_str().unwrap())
        .collect();
    assert!(
        !relations.contains(&"public.top"),
        "what only follows is no difference: {diff}"
    );

    let comment = place.ok(&["plan", "--output", "markdown", "--sql"]);
    for words in ["### rwt plan: ", "| `x blocked` |", "```diff\n", "```sql\n"] {
        assert!(
            comment.stdout.contains(words),
            "{words}: {}",
            comment.stdout
        );
    }
}

#[test]
fn topics_are_looked_for_before_a_source_is_made() {
    let (place, _sql) = shop();
    let proxy = Proxy::start(place.engine_port, |_| Answer::Pass);
    let source = |broker: &str| {
        let options = format!(
            "connector = 'kafka', topic = 'nobodys', properties.bootstrap.server = '{broker}', scan.startup.mode = 'earliest'"
        );
        format!(
            "{{{{ config(materialized='source') }}}}\ncreate source {{{{ this }}}} (id int) with ({options}) format plain encode json"
        )
    };
    write_model(
        &place,
        "stream",
        &source(&format!("127.0.0.1:{}", place.kafka_port)),
    );
    let plan = run_through(&place, &proxy, &["plan"]).exits_with(0);
    assert!(
        plan.stderr.contains("rwt::kafka::no_topic") && plan.stderr.contains("nobodys"),
        "{}",
        plan.stderr
    );
    write_model(&place, "stream", &source("127.0.0.1:1"));
    let plan = run_through(&place, &proxy, &["plan"]).exits_with(0);
    assert!(
        plan.stderr.contains("rwt::kafka::not_checked"),
        "{}",
        plan.stderr
    );
}

#[test]
fn a_source_gains_a_column_and_goes_on_reading() {
    let (place, sql) = shop();
    let broker = format!("127.0.0.1:{}", place.kafka_port);
    let source = |columns: &str| {
        let options = format!(
            "connector = 'kafka', topic = 'clicks', properties.bootstrap.server = '{broker}', scan.startup.mode = 'earliest'"
        );
        format!(
            "{{{{ config(materialized='source') }}}}\ncreate source {{{{ this }}}} ({columns}) with ({options}) format plain encode json"
        )
    };
    write_model(&place, "stream", &source("id int"));
    write_model(&place, "ids", "select id from {{ ref('stream') }}");
    place.ok(&["run"]);
    let before = objects(&sql);
    topics::send(&broker, "clicks", &[br#"{"id": 1, "page": "a"}"#]);
    sql.until_count("ids", 1);

    write_model(&place, "stream", &source("id int, page varchar"));
    let plan = place.ok(&["plan", "--sql"]);
    assert!(
        plan.stdout
            .contains("ALTER SOURCE public.stream ADD COLUMN page"),
        "{}",
        plan.stdout
    );
    place.ok(&["run"]);
    topics::send(&broker, "clicks", &[br#"{"id": 2, "page": "b"}"#]);
    sql.until_count("ids", 2);
    let read = sql.column("select page from stream where id = 2");
    assert_eq!(read, ["b"]);
    assert_eq!(objects(&sql), before);
    place.rwt(&["plan", "--detailed-exitcode"]).exits_with(0);
}

#[test]
fn old_deployments_are_forgotten_and_the_plan_of_one_that_has_ended() {
    let (place, sql) = shop();
    sql.rows(
        "insert into rwt.deployments (id, status, command, project, target, started_at) \
         select 'old' || cast(n as varchar), 'done', 'run', 'shop', 'dev', cast('2020-01-01 00:00:00Z' as timestamptz) \
         from generate_series(1, 150) as s (n)",
    );
    sql.rows("flush");
    write_model(
        &place,
        "report",
        "select count(*) as kinds from {{ ref('top') }}",
    );
    place.ok(&["run"]);
    let kept = sql.column("select count(*) from rwt.deployments");
    assert_eq!(kept, ["100"]);
    let plans = sql.column("select plan from rwt.deployments where plan is not null order by plan");
    assert_eq!(plans, ["1 to swap, 5 unchanged", "6 to create"]);
    let journal = sql.column("select count(*) from rwt.journal");
    assert_eq!(journal, ["0"]);
}

/// `select version()` of a RisingWave that is not the embedded engine.
fn version(statement: &str, version: &str) -> Option<Answer> {
    let asks = statement.eq_ignore_ascii_case("select version(), current_user");
    asks.then(|| {
        let version = format!("PostgreSQL 13.14.0-RisingWave-{version} (stand-in)");
        Answer::Rows(&["version", "user"], vec![vec![version, "root".to_owned()]])
    })
}

#[test]
fn the_first_interrupt_cancels_a_background_job_and_the_next_apply_goes_on() {
    let (place, sql) = shop();
    let before = objects(&sql);
    let cancelled = Arc::new(AtomicBool::new(false));
    let said = cancelled.clone();
    let job = Mutex::new(None::<String>);
    let proxy = Proxy::start(place.engine_port, move |statement| {
        let lower = statement.to_lowercase();
        let mut job = job.lock().unwrap();
        if let Some(version) = version(statement, "2.8.4") {
            return version;
        }
        if lower.starts_with("create materialized view") {
            *job = Some(statement.to_owned());
            return Answer::Done("CREATE_MATERIALIZED_VIEW");
        }
        if lower.starts_with("cancel jobs") {
            said.store(true, Ordering::SeqCst);
            *job = None;
            return Answer::Done("CANCEL_COMMAND");
        }
        if lower.contains("rw_kafka_job_lag") {
            return Answer::Rows(
                &["job_id", "lag"],
                vec![vec!["4711".to_owned(), "250".to_owned()]],
            );
        }
        if lower.contains("rw_ddl_progress") {
            let row = |statement: String| {
                let progress = "Snapshot [10.00% (100/1000)]".to_owned();
                vec![
                    "4711".to_owned(),
                    statement,
                    "BACKGROUND".to_owned(),
                    progress,
                ]
            };
            return Answer::Rows(
                &["ddl_id", "ddl_statement", "create_type", "progress"],
                job.clone().map(row).into_iter().collect(),
            );
        }
        Answer::Pass
    });
    write_model(
        &place,
        "report",
        "select count(*) as kinds from {{ ref('top') }}",
    );
    let child = through(&place, &proxy, &["run"]);
    let pid = i32::try_from(child.id()).unwrap();
    until("the build is waited for", || {
        let heard = proxy.heard();
        let begun = heard
            .iter()
            .position(|sql| sql.to_lowercase().starts_with("create materialized view"));
        let asked = heard[begun.unwrap_or(heard.len())..]
            .iter()
            .filter(|sql| sql.contains("rw_ddl_progress"));
        // Often enough for the progress to have been shown.
        if asked.count() > 12 {
            Ok(())
        } else {
            Err(format!("{heard:#?}"))
        }
    });
    let jobs = run_through(&place, &proxy, &["jobs"]).exits_with(0);
    assert!(
        jobs.stdout.contains("4711") && jobs.stdout.contains("10.00%"),
        "{}",
        jobs.stdout
    );
    kill(Pid::from_raw(pid), Signal::SIGINT).unwrap();
    let ended = finish(child).exits_with(1);
    assert_eq!(proxy.heard_with("cancel jobs"), ["cancel jobs 4711"]);
    assert!(cancelled.load(Ordering::SeqCst));
    assert!(
        ended.stderr.contains("10.0 %, 250 messages behind"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("`rwt apply` finishes it"),
        "{}",
        ended.stderr
    );
    assert_eq!(objects(&sql), before);

    place.ok(&["apply", "--yes"]);
    assert_eq!(columns(&sql, "report"), ["kinds"]);
    assert_eq!(objects(&sql), before);
}

#[test]
fn a_sink_that_fails_out_of_sight_is_told_of() {
    let (place, _sql) = shop();
    let proxy = Proxy::start(place.engine_port, |statement| {
        let asks = statement.contains("rw_event_logs") && statement.contains("SINK");
        if !asks {
            return Answer::Pass;
        }
        let info = r#"{"sinkFail": {"sinkName": "archive", "connector": "kafka", "error": "broker is down"}}"#;
        Answer::Rows(
            &["timestamp", "info"],
            vec![vec![
                "2026-01-01 00:00:00+00:00".to_owned(),
                info.to_owned(),
            ]],
        )
    });
    let first = "select count(*) as kinds from {{ ref('top') }}";
    for (command, text) in [
        ("run", first.to_owned()),
        ("apply", first.replace("kinds", "them")),
    ] {
        write_model(&place, "report", &text);
        let arguments: &[&str] = match command {
            "run" => &["run"],
            _ => &["apply", "--yes"],
        };
        let told = run_through(&place, &proxy, arguments).exits_with(0);
        for part in ["rwt::apply::sink", "broker is down"] {
            assert!(told.stderr.contains(part), "{command}: {}", told.stderr);
        }
    }
    let asked = proxy.heard_with("rw_event_logs");
    assert!(
        asked.iter().all(|sql| sql.contains("cast('20")),
        "{asked:?}"
    );
}

#[test]
fn what_goes_to_another_schema_comes_back_when_a_view_over_it_cannot_be_built() {
    let (place, sql) = shop();
    let view = "{{ config(materialized='view') }} select count(*) as kinds from {{ ref('top') }}";
    write_model(&place, "report", view);
    place.ok(&["run"]);
    let before = objects(&sql);
    let top = fs::read_to_string(place.path().join("models/top.sql")).unwrap();
    write_model(
        &place,
        "top",
        &format!("{{{{ config(schema='mart') }}}}\n{top}"),
    );
    write_model(
        &place,
        "report",
        &view.replace("count(*)", "no_such_column"),
    );
    let plan = place.ok(&["plan"]);
    assert!(
        plan.stdout
            .contains("goes to another schema until the new one has its name"),
        "{}",
        plan.stdout
    );
    place.rwt(&["run"]).exits_with(1);
    assert_eq!(objects(&sql), before);
    sql.rows("select * from report");
    // What is remembered is what is there.
    let seen = place.ok(&["plan"]);
    assert!(!seen.stdout.contains("drifted"), "{}", seen.stdout);
}

#[test]
fn a_server_that_can_replace_a_sink_is_asked_to() {
    let place = Place::fixture("change");
    place.up();
    // RisingWave replaces sinks that read a relation and write to another system.
    write_model(
        &place,
        "to_archive",
        "{{ config(materialized='sink') }}\n         create sink {{ this }} from {{ ref('totals') }} with (connector = 'blackhole', type = 'upsert', primary_key = 'kind')",
    );
    place.ok(&["run"]);
    let sql = place.sql();
    sql.rows("insert into events values (1, 'view', 3)");
    sql.rows("flush");
    let proxy = Proxy::start(place.engine_port, |statement| {
        let lower = statement.to_lowercase();
        if let Some(version) = version(statement, "3.1.0") {
            return version;
        }
        match lower.split_whitespace().next() {
            Some("replace") => Answer::Done("REPLACE_SINK"),
            Some("wait") => Answer::Done("WAIT"),
            _ => Answer::Pass,
        }
    });
    change_totals(&place, "rows_of_it");
    let plan = run_through(&place, &proxy, &["plan", "--sql"]).exits_with(0);
    assert!(
        plan.stdout.to_lowercase().contains("replace sink"),
        "{}",
        plan.stdout
    );
    let applied = run_through(&place, &proxy, &["apply", "--yes"]);
    let replaced: Vec<String> = proxy
        .heard()
        .into_iter()
        .filter(|sql| sql.to_lowercase().starts_with("replace sink"))
        .collect();
    assert_eq!(replaced.len(), 1, "{} {}", applied.stdout, applied.stderr);
    assert_eq!(columns(&sql, "totals"), ["kind", "total", "rows_of_it"]);
}

#[test]
fn a_model_that_asks_the_database_is_made_when_what_it_asks_for_is_there() {
    let place = Place::fixture("change");
    write_model(
        &place,
        "kinds",
        "{{ config(materialized='materialized_view') }} select 'view' as kind union all select 'cart'",
    );
    write_model(
        &place,
        "by_kind",
        "{{ config(materialized='materialized_view', persist_docs={'columns': true}) }}\n\
         {%- set kinds = run_query('select kind from ' ~ ref('kinds') ~ ' order by kind').columns[0].values() %}\n\
         {%- set columns = adapter.get_columns_in_relation(ref('events')) | map(attribute='name') | list %}\n\
         select {% for kind in kinds %}sum(n) filter (where kind = '{{ kind }}') as {{ kind }}s, {% endfor %}\
         '{{ columns | join(' ') }}' as columns from {{ ref('events') }}",
    );
    write_model(&place, "above", "select * from {{ ref('by_kind') }}");
    place.up();
    let planned = place.rwt(&["plan", "--detailed-exitcode"]).exits_with(3);
    assert!(
        planned.stderr.contains("Not planned yet: above, by_kind"),
        "{}",
        planned.stderr
    );

    let made = place.ok(&["run"]);
    assert!(
        made.stderr
            .contains("2 models after what the database answers now"),
        "{}",
        made.stderr
    );
    let sql = place.sql();
    let asked = columns(&sql, "by_kind");
    assert_eq!(asked, ["carts", "views", "columns"]);
    assert_eq!(columns(&sql, "above"), asked);
    let again = place.ok(&["run"]);
    assert!(again.stdout.contains("Nothing changed"), "{}", again.stdout);

    // What it asks for changes, and so does it, in the same run.
    write_model(
        &place,
        "kinds",
        "{{ config(materialized='materialized_view') }} select 'view' as kind union all select 'sale'",
    );
    place.ok(&["apply", "--yes"]);
    assert_eq!(columns(&sql, "by_kind"), ["sales", "views", "columns"]);
    assert_eq!(columns(&sql, "above"), ["sales", "views", "columns"]);
    let plan = place.ok(&["plan"]);
    assert!(!plan.stdout.contains(" to "), "{}", plan.stdout);
}

#[test]
fn columns_are_described_where_they_are_there() {
    let place = Place::fixture("change");
    write_model(
        &place,
        "described",
        "{{ config(materialized='table', persist_docs={'relation': true, 'columns': true}) }} select * from {{ ref('events') }}",
    );
    fs::write(
        place.path().join("models/described.yml"),
        "models:\n  - name: described\n    description: all of it\n    columns:\n      - {name: kind, description: what}\n      \
         - {name: nowhere, description: not there}\n",
    )
    .unwrap();
    place.up();
    place.ok(&["run"]);
    let said = place
        .sql()
        .column("select description from rw_catalog.rw_description where description is not null");
    assert_eq!(
        BTreeSet::from_iter(said),
        ["all of it".to_owned(), "what".to_owned()].into()
    );
    let plan = place.ok(&["plan"]);
    assert!(!plan.stdout.contains(" to "), "{}", plan.stdout);
}

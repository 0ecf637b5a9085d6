//! Commands about one thing that is named: `rwt seed`, `show`, `run-operation`.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use serde_json::json;
use support::Place;

#[test]
fn seeds_are_loaded_shown_and_changed_by_a_macro() {
    let place = Place::fixture("by_name");
    place.up();
    let seeded = place.ok(&["seed"]);
    assert!(
        seeded
            .stdout
            .contains("PASS=1 WARN=0 ERROR=0 SKIP=0 TOTAL=1"),
        "{}",
        seeded.stdout
    );

    let again = place.ok(&["seed", "--show", "--no-fail-fast"]);
    let rows = "First rows of \"dev\".\"public\".\"customers\":\n";
    assert!(again.stdout.contains(rows), "{}", again.stdout);

    // What is shown need not be there.
    let shown = place.ok(&["show", "--select", "countries"]);
    assert_eq!(
        shown.stdout,
        "Previewing node 'countries':\ncountry  customers\nDE       1\nSE       2\n\n"
    );
    let inline = [
        "show",
        "--inline",
        "select id from {{ ref('customers') }} order by id desc",
        "--limit",
        "2",
        "--output",
        "json",
    ];
    assert_eq!(
        place.ok(&inline).json(),
        json!({"show": [{"id": 3}, {"id": 2}]})
    );

    let dry = [
        "run-operation",
        "keep",
        "--args",
        "{country: SE, dry_run: true}",
    ];
    let dry = place.ok(&dry);
    assert!(dry.stderr.contains("without SE: 2"), "{}", dry.stderr);
    assert_eq!(place.ok(&inline).json()["show"][0]["id"], 3);
    place.ok(&["run-operation", "shop.keep", "--args", "country: DE"]);
    assert_eq!(place.ok(&inline).json(), json!({"show": [{"id": 2}]}));
}

#[test]
fn what_is_not_there_is_said() {
    let place = Place::fixture("by_name");
    place.up();
    let unknown = place.rwt(&["run-operation", "kep"]).exits_with(1);
    assert!(
        unknown.stderr.contains("there is no macro `kep`")
            && unknown.stderr.contains("did you mean `keep`?"),
        "{}",
        unknown.stderr
    );
    let nothing = place.rwt(&["show"]).exits_with(2);
    assert!(
        nothing.stderr.contains("rwt show --select model"),
        "{}",
        nothing.stderr
    );
    let wrong = place
        .rwt(&["run-operation", "keep", "--args", "[1]"])
        .exits_with(2);
    assert!(wrong.stderr.contains("--args"), "{}", wrong.stderr);
}

#[test]
fn a_seed_that_the_database_refuses_leaves_the_old_rows() {
    let place = Place::fixture("by_name");
    place.up();
    place.ok(&["seed"]);
    let write = |text: &str| {
        std::fs::write(place.path().join("seeds/customers.csv"), text).unwrap();
    };
    let rows = || {
        let sql = place.sql();
        let rows = "select id || ' ' || country from customers order by id";
        sql.column(rows)
    };
    let before = ["1 SE", "2 DE", "3 SE"];
    assert_eq!(rows(), before);

    // The quoted value goes over two lines, so that the bad one is on the fifth.
    write("id,country\n1,SE\n4,\"D\nE\"\nseven,NO\n8,FI\n");
    let refused = place.rwt(&["seed"]).exits_with(1);
    for part in [
        "rwt::seed::value",
        "seeds/customers.csv, line 5",
        "\"seven\" in the column id (integer)",
    ] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    assert_eq!(rows(), before);

    write("id,country,city\n1,SE,Malmö\n");
    let refused = place.rwt(&["seed"]).exits_with(1);
    for part in ["rwt::seed::columns", "city", "--full-refresh"] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    assert_eq!(rows(), before);

    // A full refresh drops the table first, and does so only for rows that the new one takes.
    write("id,country\n9,NO\n3000000000,FI\n");
    let refused = place.rwt(&["seed", "--full-refresh"]).exits_with(1);
    assert!(
        refused.stderr.contains("seeds/customers.csv, line 3"),
        "{}",
        refused.stderr
    );
    assert_eq!(rows(), before);

    write("id,country\n9,NO\n");
    place.ok(&["seed"]);
    assert_eq!(rows(), ["9 NO"]);
}

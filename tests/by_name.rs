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
        json!([{"node": "inline", "show": [{"id": "3"}, {"id": "2"}]}])
    );

    let dry = [
        "run-operation",
        "keep",
        "--args",
        "{country: SE, dry_run: true}",
    ];
    let dry = place.ok(&dry);
    assert!(dry.stderr.contains("without SE: 2"), "{}", dry.stderr);
    assert_eq!(place.ok(&inline).json()[0]["show"][0]["id"], "3");
    place.ok(&["run-operation", "shop.keep", "--args", "country: DE"]);
    assert_eq!(
        place.ok(&inline).json(),
        json!([{"node": "inline", "show": [{"id": "2"}]}])
    );
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

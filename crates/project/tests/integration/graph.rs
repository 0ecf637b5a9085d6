//! The order of nodes and the choice among them, on graphs made by hand.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use proptest::prelude::*;
use rwt_project::graph::{Dag, Selection, Selector};
use rwt_project::manifest::{Declared, Manifest, Node, ResourceType, UniqueId};
use serde_json::{Value, json};

use crate::stand_in::shown;

fn id(name: &str) -> UniqueId {
    if name.contains('.') {
        UniqueId(format!("source.shop.{name}"))
    } else {
        UniqueId(format!("model.shop.{name}"))
    }
}

/// A node at `path` (below `models/`) that reads others; a name with a dot is a source table.
fn node(path: &str, reads: &[&str], config: Value) -> Node {
    let inner = path.trim_end_matches(".sql");
    let name = inner.rsplit('/').next().unwrap();
    let source = name.split_once('.');
    let folders = inner.rsplit_once('/').map_or("", |(folders, _)| folders);
    let config: IndexMap<String, Value> = match config {
        Value::Object(map) => map.into_iter().collect(),
        _ => IndexMap::new(),
    };
    let mut fqn = vec!["shop".to_owned()];
    fqn.extend(
        folders
            .split('/')
            .filter(|part| !part.is_empty())
            .map(str::to_owned),
    );
    fqn.extend(name.split('.').map(str::to_owned));
    Node {
        unique_id: id(name),
        resource_type: if source.is_some() {
            ResourceType::Source
        } else {
            ResourceType::Model
        },
        name: source.map_or(name, |(_, table)| table).to_owned(),
        source_name: source.map(|(source, _)| source.to_owned()),
        package_name: "shop".to_owned(),
        fqn,
        original_file_path: match source {
            Some(_) => "models/sources.yml".into(),
            None => format!("models/{inner}.sql").into(),
        },
        path: format!("{inner}.sql").into(),
        database: "dev".to_owned(),
        schema: "public".to_owned(),
        identifier: name.to_owned(),
        materialized: config
            .get("materialized")
            .and_then(Value::as_str)
            .unwrap_or(if source.is_some() { "" } else { "view" })
            .to_owned(),
        enabled: true,
        tags: config
            .get("tags")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|tag| tag.as_str().map(str::to_owned))
            .collect(),
        config,
        description: String::new(),
        columns: IndexMap::new(),
        raw_code: String::new(),
        depends_on: reads.iter().map(|name| id(name)).collect(),
        version: None,
        property_file: None,
        declared: Declared::default(),
    }
}

fn manifest(nodes: Vec<Node>) -> Manifest {
    Manifest {
        project_name: "shop".to_owned(),
        nodes: nodes
            .into_iter()
            .map(|node| (node.unique_id.clone(), node))
            .collect(),
        disabled: Vec::new(),
    }
}

/// The shop: `raw.page` and `src_cart` are read by `events`, which `daily` and `funnel` read; `top` reads `funnel` and
/// `prices`.
fn shop() -> Manifest {
    manifest(vec![
        node("raw.page", &[], json!({})),
        node(
            "src_cart.sql",
            &[],
            json!({"materialized": "source", "tags": ["kafka", "raw"]}),
        ),
        node(
            "prices.sql",
            &[],
            json!({"materialized": "table", "tags": ["raw"]}),
        ),
        node(
            "core/events.sql",
            &["raw.page", "src_cart"],
            json!({"meta": {"owner": {"team": "a"}}}),
        ),
        node(
            "core/daily.sql",
            &["events"],
            json!({"indexes": [{"columns": ["day"]}], "grants": {"select": ["bi"]}}),
        ),
        node(
            "core/deep/funnel.sql",
            &["events"],
            json!({"materialized": "materialized_view", "background_ddl": true}),
        ),
        node(
            "top.sql",
            &["funnel", "prices"],
            json!({"tags": ["bi-daily"]}),
        ),
    ])
}

fn choose(select: &[&str], exclude: &[&str]) -> String {
    let manifest = shop();
    let dag = Dag::new(&manifest).unwrap();
    let selection = Selection::parse(select, exclude).unwrap();
    let names: Vec<String> = selection
        .resolve(&manifest, &dag)
        .nodes
        .iter()
        .map(|id| id.0.splitn(3, '.').nth(2).unwrap().to_owned())
        .collect();
    names.join(" ")
}

#[test]
fn criteria_choose_what_dbt_chooses() {
    let all = "daily events funnel prices src_cart top raw.page";
    let cases = [
        ("events", "events"),
        ("shop", "daily events funnel prices src_cart top"),
        ("*", "daily events funnel prices src_cart top"),
        ("core", "daily events funnel"),
        ("core.*", "daily events funnel"),
        ("core.deep", "funnel"),
        ("shop.core.events", "events"),
        ("core.events", "events"),
        ("core.d*", "daily funnel"),
        ("cor?.events", "events"),
        ("*n*", "events funnel"),
        ("e*", "events"),
        ("fqn:top", "top"),
        ("tag:raw", "prices src_cart"),
        ("tag:bi-*", "top"),
        ("path:models/core", "daily events funnel"),
        ("path:./models/core/", "daily events funnel"),
        ("models/core/*.sql", "daily events"),
        ("path:models/**/funnel.sql", "funnel"),
        ("path:models/sources.yml", "raw.page"),
        ("path:.", all),
        ("file:top.sql", "top"),
        ("file:top", "top"),
        ("top.sql", "top"),
        ("file:f*", "funnel"),
        ("source:raw", "raw.page"),
        ("source:raw.page", "raw.page"),
        ("source:shop.raw.p*", "raw.page"),
        ("source:*", "raw.page"),
        ("package:shop", all),
        ("package:this", all),
        (
            "resource_type:model",
            "daily events funnel prices src_cart top",
        ),
        ("resource_type:source", "raw.page"),
        ("config.materialized:materialized_view", "funnel"),
        ("config.materialized:view", "daily events top"),
        ("config.materialized:*e", "prices src_cart"),
        ("config.background_ddl:TRUE", "funnel"),
        ("config.tags:kafka", "src_cart"),
        ("config.meta.owner.team:a", "events"),
        ("config.meta.owner:team", "events"),
        ("config.grants.select:bi", "daily"),
        ("config.enabled:true", all),
    ];
    for (selector, expected) in cases {
        let expected: BTreeSet<&str> = expected.split(' ').collect();
        let chosen = choose(&[selector], &[]);
        assert_eq!(
            chosen.split(' ').collect::<BTreeSet<_>>(),
            expected,
            "{selector}"
        );
    }
}

#[test]
fn signs_reach_as_far_as_they_say() {
    let cases = [
        ("+funnel", "events funnel src_cart raw.page"),
        ("1+funnel", "events funnel"),
        ("0+funnel", "funnel"),
        ("events+", "daily events funnel top"),
        ("events+1", "daily events funnel"),
        ("1+funnel+1", "events funnel top"),
        ("+funnel+", "events funnel src_cart top raw.page"),
        (
            "@events",
            "daily events funnel prices src_cart top raw.page",
        ),
        ("@daily", "daily events src_cart raw.page"),
        ("source:raw+1", "events raw.page"),
        (
            "+tag:bi-daily,resource_type:model",
            "events funnel prices src_cart top",
        ),
        ("2+top", "events funnel prices top"),
    ];
    for (selector, expected) in cases {
        assert_eq!(choose(&[selector], &[]), expected, "{selector}");
    }
}

#[test]
fn blanks_unite_commas_intersect_and_exclude_takes_away() {
    assert_eq!(choose(&["prices top"], &[]), "prices top");
    assert_eq!(choose(&["prices", "top"], &[]), "prices top");
    assert_eq!(
        choose(&["tag:raw,config.materialized:table"], &[]),
        "prices"
    );
    assert_eq!(
        choose(&["events+,+top daily"], &[]),
        "daily events funnel top"
    );
    assert_eq!(choose(&["events+"], &["funnel+"]), "daily events");
    assert_eq!(choose(&[], &["core", "source:raw"]), "prices src_cart top");
    assert_eq!(
        choose(&["core"], &["core.deep,config.materialized:view"]),
        "daily events funnel"
    );
}

#[test]
fn order_is_that_of_dbt_with_one_thread() {
    // The pairs of the example project: dbt 1.11 ran them in this order (roots by name, then as parents end).
    let roots = [
        "campaigns",
        "clickstream_events",
        "devices",
        "iceberg_campaigns",
        "iceberg_cart_events",
        "iceberg_clickstream_events",
        "iceberg_devices",
        "iceberg_page_catalog",
        "iceberg_page_views",
        "iceberg_purchases",
        "iceberg_sessions",
        "iceberg_users",
        "page_catalog",
        "sessions",
        "src_cart",
        "src_page",
        "src_purchase",
        "users",
    ];
    let sinks = [
        (
            "sink_campaigns_to_iceberg",
            ["iceberg_campaigns", "campaigns"],
        ),
        (
            "sink_clickstream_to_iceberg",
            ["iceberg_clickstream_events", "clickstream_events"],
        ),
        ("sink_devices_to_iceberg", ["iceberg_devices", "devices"]),
        (
            "sink_page_catalog_to_iceberg",
            ["iceberg_page_catalog", "page_catalog"],
        ),
        ("sink_sessions_to_iceberg", ["iceberg_sessions", "sessions"]),
        (
            "sink_cart_events_to_iceberg",
            ["iceberg_cart_events", "src_cart"],
        ),
        (
            "sink_page_views_to_iceberg",
            ["iceberg_page_views", "src_page"],
        ),
        (
            "sink_purchases_to_iceberg",
            ["iceberg_purchases", "src_purchase"],
        ),
        ("sink_users_to_iceberg", ["iceberg_users", "users"]),
    ];
    let mut nodes: Vec<Node> = roots
        .iter()
        .rev()
        .map(|name| node(name, &[], json!({})))
        .collect();
    nodes.extend(
        sinks
            .iter()
            .rev()
            .map(|(name, reads)| node(name, reads, json!({}))),
    );
    nodes.push(node(
        "funnel",
        &["src_page", "src_cart", "src_purchase"],
        json!({}),
    ));
    let dag = Dag::new(&manifest(nodes)).unwrap();
    let order = dag.order(&dag.ids().cloned().collect());
    let mut expected: Vec<UniqueId> = roots.iter().map(|name| id(name)).collect();
    expected.extend(sinks[..7].iter().map(|(name, _)| id(name)));
    expected.push(id("funnel"));
    expected.extend(sinks[7..].iter().map(|(name, _)| id(name)));
    assert_eq!(order, expected);
}

#[test]
fn what_is_not_selected_still_keeps_the_order_of_the_rest() {
    let manifest = shop();
    let dag = Dag::new(&manifest).unwrap();
    let selected = BTreeSet::from([id("top"), id("src_cart"), id("raw.page")]);
    assert_eq!(dag.order(&selected), [id("src_cart"), id("top")]);
}

#[test]
fn a_schedule_gives_out_each_node_once_and_skips_what_hangs_on_a_failure() {
    let manifest = shop();
    let dag = Dag::new(&manifest).unwrap();
    let mut schedule = dag.schedule(&dag.ids().cloned().collect());
    assert_eq!(schedule.start(), [id("prices"), id("src_cart")]);
    assert_eq!(schedule.done(&id("prices")), []);
    assert_eq!(schedule.done(&id("src_cart")), [id("events")]);
    assert_eq!(schedule.done(&id("events")), [id("daily"), id("funnel")]);
    assert_eq!(schedule.failed(&id("funnel")), [id("top")]);
    assert_eq!(schedule.failed(&id("funnel")), []);
    assert_eq!(schedule.done(&id("daily")), []);
    assert_eq!(schedule.left(), 0);
}

#[test]
fn neighbours_are_found_in_both_directions() {
    let dag = Dag::new(&shop()).unwrap();
    assert_eq!(
        dag.parents(&id("events")),
        BTreeSet::from([id("src_cart"), id("raw.page")])
    );
    assert_eq!(
        dag.children(&id("events")),
        BTreeSet::from([id("daily"), id("funnel")])
    );
    assert_eq!(dag.descendants(&id("src_cart"), None).len(), 4);
    assert_eq!(dag.ancestors(&id("top"), Some(2)).len(), 3);
    assert!(dag.descendants(&id("nobody"), None).is_empty());
}

#[test]
fn a_cycle_is_shown_with_its_shortest_path() {
    let mut manifest = manifest(vec![
        node("a", &["c"], json!({})),
        node("b", &["a", "d"], json!({})),
        node("c", &["b"], json!({})),
        node("d", &["c"], json!({})),
        node("e", &["a"], json!({})),
    ]);
    let code = "-- c is in ref\nselect *\nfrom {{ ref('c') }}\n";
    manifest.nodes[&id("a")].raw_code = code.to_owned();
    let error = Dag::new(&manifest).unwrap_err();
    assert_eq!(error.path, [id("a"), id("c"), id("b"), id("a")]);
    insta::assert_snapshot!("cycle", shown(&error));
}

#[test]
fn a_model_that_reads_itself_is_a_cycle() {
    let manifest = manifest(vec![node("self", &["self"], json!({}))]);
    let error = Dag::new(&manifest).unwrap_err();
    assert_eq!(error.path, [id("self"), id("self")]);
    insta::assert_snapshot!("cycle_of_one", shown(&error));
}

#[test]
fn a_criterion_without_a_match_names_the_nearest() {
    let manifest = shop();
    let dag = Dag::new(&manifest).unwrap();
    let selection = Selection::parse(&["prices evnts+ tag:kafa"], &["nothing_like_it"]).unwrap();
    let selected = selection.resolve(&manifest, &dag);
    assert_eq!(selected.nodes, BTreeSet::from([id("prices")]));
    let warnings: Vec<String> = selected
        .warnings
        .iter()
        .map(|warning| shown(warning))
        .collect();
    insta::assert_snapshot!("selection_warnings", warnings.join("\n"));
}

#[test]
fn malformed_selectors_are_refused_with_their_place() {
    let texts = [
        "",
        "a,,b",
        "tag:",
        "+",
        "a+b",
        "@a+",
        "tga:x",
        "config:view",
        "state:changed",
        "source_status:stale",
        "src_[p",
        "source:a.b.c.d",
        "resource_type:metric",
        "x+99999999999999999999999",
    ];
    let mut out = String::new();
    for text in texts {
        let errors = Selection::parse(&[text], &[]).unwrap_err();
        for error in &errors {
            out.push_str(&shown(error));
            out.push('\n');
        }
    }
    insta::assert_snapshot!("selector_errors", out);
}

proptest! {
    #[test]
    fn any_text_parses_or_is_refused_with_a_span_inside_of_it(text in ".{0,40}") {
        if let Err(error) = Selector::parse("--select", &text) {
            prop_assert!(error.at.offset() + error.at.len() <= text.len());
            prop_assert!(text.is_char_boundary(error.at.offset()));
        }
    }

    #[test]
    fn a_selector_written_out_means_the_same(text in "(@|[0-9]{0,2}\\+)?((tag|fqn|path|file|source|package|config\\.a\\.b):)?[a-z_*?/]{1,9}(\\+[0-9]{0,2})?([ ,]([0-9]?\\+)?[a-z.]{1,9}){0,2}") {
        if let Ok(selector) = Selector::parse("--select", &text) {
            let written = selector.to_string();
            let again = Selector::parse("--select", &written).unwrap();
            prop_assert_eq!(selector.union, again.union, "{}", written);
        }
    }

    #[test]
    fn the_order_keeps_every_edge_and_every_node(edges in proptest::collection::vec((0usize..30, 0usize..30), 0..80), picked in proptest::collection::vec(any::<bool>(), 30)) {
        let name = |number: usize| format!("n{number:02}");
        let nodes: Vec<Node> = (0..30)
            .map(|number| {
                let reads: Vec<String> = edges.iter().filter(|(from, to)| *to == number && from < to).map(|(from, _)| name(*from)).collect();
                let reads: Vec<&str> = reads.iter().map(String::as_str).collect();
                node(&name(number), &reads, json!({}))
            })
            .collect();
        let dag = Dag::new(&manifest(nodes)).unwrap();
        let selected: BTreeSet<UniqueId> = (0..30).filter(|number| picked[*number]).map(|number| id(&name(number))).collect();
        let order = dag.order(&selected);
        prop_assert_eq!(order.iter().cloned().collect::<BTreeSet<_>>(), selected);
        for (place, one) in order.iter().enumerate() {
            let above = dag.ancestors(one, None);
            prop_assert!(order[place..].iter().all(|later| !above.contains(later)));
        }
    }
}

#[test]
fn a_comma_behind_a_wide_blank_has_its_place() {
    let error = Selector::parse("--select", "\u{a0},").unwrap_err();
    assert_eq!((error.at.offset(), error.at.len()), (0, 3));
}

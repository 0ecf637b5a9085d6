//! Projects that change at random: whatever changes, every step must be possible, every name that is to stay must be
//! readable after it, and afterwards nothing is left to do.

use std::fmt::Write;

use rwt_plan::ServerVersion;

use crate::support::{History, desired_of};

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Makes {
    Table,
    Source,
    Lake,
    Query,
    View,
    MaterializedView,
    Sink,
    SinkInto(usize),
    Subscription,
}

#[derive(Debug, Clone)]
struct Model {
    name: String,
    alias: String,
    makes: Makes,
    /// Models that it reads, by place.
    reads: Vec<usize>,
    /// A number that its statement holds.
    says: usize,
    columns: usize,
    index: bool,
    granted: bool,
    gone: bool,
}

impl Model {
    fn is_readable(&self) -> bool {
        !matches!(
            self.makes,
            Makes::Sink | Makes::SinkInto(_) | Makes::Subscription
        )
    }

    /// Whether a subscription can be made on it.
    fn keeps_rows(&self) -> bool {
        matches!(
            self.makes,
            Makes::Table | Makes::Query | Makes::MaterializedView
        )
    }

    fn text(&self, all: &[Self]) -> String {
        let materialized = match self.makes {
            Makes::Table | Makes::Lake => "table_with_connector",
            Makes::Source => "source",
            Makes::Query => "table",
            Makes::View => "view",
            Makes::MaterializedView => "materialized_view",
            Makes::Sink | Makes::SinkInto(_) => "sink",
            Makes::Subscription => "subscription",
        };
        let mut config = format!("materialized='{materialized}', alias='{}'", self.alias);
        if self.index && self.keeps_rows() && self.makes != Makes::Table {
            config.push_str(", indexes=[{'columns': ['c0']}]");
        }
        if self.granted && self.is_readable() && self.makes != Makes::Lake {
            config.push_str(", grants={'select': ['ann']}");
        }
        let from = |at: usize| format!("{{{{ ref('{}') }}}}", all[at].name);
        let columns: Vec<String> = (0..=self.columns).map(|n| format!("c{n} int")).collect();
        let columns = columns.join(", ");
        let query = || match self.reads.as_slice() {
            [] => format!("select {} as c0", self.says),
            [first, rest @ ..] => {
                let mut sql = format!("select a.c0 from {} a", from(*first));
                for (n, other) in rest.iter().enumerate() {
                    let _ = write!(sql, " join {} as b{n} on b{n}.c0 = a.c0", from(*other));
                }
                let _ = write!(sql, " where a.c0 > {}", self.says);
                sql
            }
        };
        let body = match self.makes {
            Makes::Table => format!("create table {{{{ this }}}} ({columns})"),
            Makes::Lake => format!(
                "create table {{{{ this }}}} ({columns}) with (commit_checkpoint_interval = {}) engine = iceberg",
                self.says + 1
            ),
            Makes::Source => format!(
                "create source {{{{ this }}}} ({columns}) with (connector = 'kafka', topic = 't{}', properties.bootstrap.server = 'b:9092') format plain encode json",
                self.says
            ),
            Makes::Query | Makes::View | Makes::MaterializedView => query(),
            Makes::Sink => format!(
                "create sink {{{{ this }}}} from {} with (connector = 'kafka', topic = 't{}', properties.bootstrap.server = 'b:9092', type = 'append-only', force_append_only = 'true')",
                from(self.reads[0]),
                self.says
            ),
            Makes::SinkInto(target) => format!(
                "create sink {{{{ this }}}} into {} (c0) as select c0 from {} where c0 > {}",
                from(target),
                from(self.reads[0]),
                self.says
            ),
            Makes::Subscription => from(self.reads[0]),
        };
        format!("{{{{ config({config}) }}}}\n{body}\n")
    }
}

fn new_model(dice: &mut Dice, number: usize, all: &[Model]) -> Model {
    let readable: Vec<usize> = (0..all.len())
        .filter(|at| !all[*at].gone && all[*at].is_readable())
        .collect();
    let with_rows: Vec<usize> = readable
        .iter()
        .copied()
        .filter(|at| all[*at].keeps_rows())
        .collect();
    let targets: Vec<usize> = readable
        .iter()
        .copied()
        .filter(|at| matches!(all[*at].makes, Makes::Table | Makes::Lake))
        .collect();
    let any = |dice: &mut Dice, of: &[usize]| of[dice.below(of.len())];
    let mut makes = match dice.below(12) {
        0 | 1 => Makes::Table,
        2 => Makes::Source,
        3 => Makes::Lake,
        4 => Makes::Query,
        5 | 6 => Makes::View,
        7 => Makes::Sink,
        8 if !targets.is_empty() => Makes::SinkInto(any(dice, &targets)),
        9 if !with_rows.is_empty() => Makes::Subscription,
        _ => Makes::MaterializedView,
    };
    if readable.is_empty() {
        makes = Makes::Table;
    }
    let mut reads = Vec::new();
    if !matches!(makes, Makes::Table | Makes::Source | Makes::Lake) {
        let among = if makes == Makes::Subscription {
            &with_rows
        } else {
            &readable
        };
        let count = if matches!(makes, Makes::View | Makes::MaterializedView) {
            1 + dice.below(2)
        } else {
            1
        };
        for _ in 0..count {
            let at = any(dice, among);
            if !reads.contains(&at) && makes != Makes::SinkInto(at) {
                reads.push(at);
            }
        }
        if reads.is_empty() {
            makes = Makes::MaterializedView;
        }
    }
    Model {
        name: format!("m{number}"),
        alias: format!("m{number}"),
        makes,
        reads,
        says: dice.below(3),
        columns: dice.below(2),
        index: dice.one_in(3),
        granted: dice.one_in(3),
        gone: false,
    }
}

fn change(dice: &mut Dice, all: &mut [Model], round: usize) {
    let at = dice.below(all.len());
    let needed = all.iter().any(|model| {
        !model.gone && (model.reads.contains(&at) || model.makes == Makes::SinkInto(at))
    });
    let model = &mut all[at];
    match dice.below(9) {
        0 | 1 => model.says += 10,
        2 => model.columns += 1,
        3 => model.columns = 0,
        4 => model.alias = format!("{}_{round}", model.name),
        5 => model.index = !model.index,
        6 => model.granted = !model.granted,
        7 if !needed => model.gone = true,
        8 => {
            model.makes = match model.makes {
                Makes::View => Makes::MaterializedView,
                // A subscription cannot follow to a view.
                Makes::MaterializedView if !needed => Makes::View,
                other => other,
            }
        }
        _ => model.says += 1,
    }
}

fn live(seed: u64, version: ServerVersion) {
    let mut dice = Dice(seed);
    let mut history = History::on("", version);
    history.options.allow_destructive = true;
    history.options.prune = true;
    let mut all: Vec<Model> = Vec::new();
    for number in 0..8 {
        let model = new_model(&mut dice, number, &all);
        all.push(model);
    }
    for round in 1..=5 {
        let files: Vec<(String, String)> = all
            .iter()
            .filter(|model| !model.gone)
            .map(|model| (format!("models/{}.sql", model.name), model.text(&all)))
            .collect();
        history.options.full_refresh = round > 1 && dice.one_in(8);
        let plan = history.apply_of(&desired_of(&files), &format!("seed {seed}, round {round}"));
        assert!(!plan.is_blocked(), "{plan}\n{}", history.text);
        history.options.full_refresh = false;
        for _ in 0..=dice.below(2) {
            change(&mut dice, &mut all, round);
        }
        if dice.one_in(2) {
            let number = all.len();
            let model = new_model(&mut dice, number, &all);
            all.push(model);
        }
    }
}

/// The same without leave to lose anything, with others who build on what is there, and with parts selected.
fn live_carefully(seed: u64) {
    let mut dice = Dice(seed);
    let mut history = History::on("", ServerVersion::new(2, 8, 4));
    let mut all: Vec<Model> = Vec::new();
    for number in 0..9 {
        let model = new_model(&mut dice, number, &all);
        all.push(model);
    }
    for round in 1..=5 {
        let files: Vec<(String, String)> = all
            .iter()
            .filter(|model| !model.gone)
            .map(|model| (format!("models/{}.sql", model.name), model.text(&all)))
            .collect();
        let desired = desired_of(&files);
        history.options.prune = dice.one_in(2);
        history.options.allow_destructive = dice.one_in(3);
        history.select = None;
        if round > 1 && dice.one_in(3) {
            let names = desired.objects.values().map(|object| object.name.clone());
            let some: Vec<&'static str> = names
                .filter(|_| dice.one_in(2))
                .map(|name| &*name.leak())
                .collect();
            history.select = Some(some);
        }
        history.apply_of(&desired, &format!("seed {seed}, round {round}"));
        if dice.one_in(2) {
            let readable: Vec<_> = history.database.readable().into_iter().collect();
            let on = &readable[dice.below(readable.len())];
            history.by_hand(&format!("create view theirs_{round} as select 1 from {on}"));
        }
        for _ in 0..=dice.below(3) {
            change(&mut dice, &mut all, round);
        }
    }
}

#[test]
fn what_others_build_and_what_is_not_selected_stays_readable() {
    for seed in 200..=211 {
        live_carefully(seed);
    }
}

#[test]
fn any_change_can_be_carried_out() {
    for seed in 1..=12 {
        live(seed, ServerVersion::new(2, 8, 4));
    }
}

#[test]
fn any_change_can_be_carried_out_on_a_new_server() {
    for seed in 100..=107 {
        live(seed, ServerVersion::new(3, 1, 0));
    }
}

//! What running a materialization comes to, for people: its statements are known only when it runs.

use super::compare::Standing;
use crate::count::counted;
use crate::desired::DesiredObject;

/// The materialization that loads a file.
pub(super) const SEED: &str = "seed";

/// What a run of the node's materialization does.
pub(super) fn what_it_does(
    object: &DesiredObject,
    standing: &Standing<'_>,
    full_refresh: bool,
) -> String {
    let is_new = matches!(standing, Standing::Missing { .. });
    let anew = full_refresh && object.config.full_refresh != Some(false);
    match object.materialized.as_str() {
        "incremental" if is_new => "its table is created and filled by its query".to_owned(),
        "incremental" if anew => {
            "its table is built anew by its query and takes the old one's name by renaming; the old one is dropped"
                .to_owned()
        }
        "incremental" => incremental(object),
        SEED if is_new => "its table is created with the rows of its file".to_owned(),
        SEED if anew => "its table is dropped and created with the rows of its file".to_owned(),
        SEED => "its rows are deleted, and those of its file are inserted".to_owned(),
        "snapshot" if is_new => "its table is created with the rows that its query gives now".to_owned(),
        "snapshot" => {
            "it is refused: RisingWave has no UPDATE … FROM, with which a snapshot goes on".to_owned()
        }
        _ => format!(
            "its macro decides when it runs; on an empty database it sends {}",
            counted(
                rwt_sql::parse_script(&object.create).map_or(1, |statements| statements.len()),
                "statement"
            )
        ),
    }
}

fn incremental(object: &DesiredObject) -> String {
    let key = object.config.unique_key.join(", ");
    match object.config.incremental_strategy.as_deref() {
        Some("append") => "the rows of its query are inserted".to_owned(),
        Some("microbatch") => {
            "batch by batch, the rows of its time are deleted and those of its query inserted"
                .to_owned()
        }
        None | Some("default" | "delete+insert") if key.is_empty() => {
            "the rows of its query are inserted".to_owned()
        }
        None | Some("default" | "delete+insert") => format!(
            "rows whose {key} its query gives again are deleted, then the rows of its query are inserted"
        ),
        Some(other) => format!("the rows of its query are taken in by the strategy {other}"),
    }
}

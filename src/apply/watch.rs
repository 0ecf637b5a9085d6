//! Threads beside the work: one cancels what the server does when the work is to stop, one tells how far builds are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::execute::Observer;
use super::progress::Tracker;
use super::worker::{Active, builds};
use crate::catalog;
use crate::client::{Connection, Connector};

/// Time between two looks at the flags.
const TICK: Duration = Duration::from_millis(50);
/// Time between two questions for progress.
const PROGRESS: Duration = Duration::from_secs(2);

/// Waits for the flag, then cancels what is running, again and again, for a statement may have begun just after.
pub(super) fn cancel_when_told(active: &Active, interrupted: &AtomicBool, over: &AtomicBool) {
    while !over.load(Ordering::SeqCst) {
        if interrupted.load(Ordering::SeqCst) {
            active.cancel();
            thread::sleep(TICK * 10);
        }
        thread::sleep(TICK);
    }
}

/// Asks for progress while something has been built for a while, and passes it on.
pub(super) fn tell_progress(
    active: &Active,
    connector: &Connector,
    observer: &dyn Observer,
    over: &AtomicBool,
) {
    let mut tracker = Tracker::default();
    let mut connection: Option<Connection> = None;
    let mut asked = Instant::now();
    let mut before = BTreeSet::new();
    // Until the server says that it has no such thing.
    let mut shows_lag = true;
    while !over.load(Ordering::SeqCst) {
        thread::sleep(TICK);
        if asked.elapsed() < PROGRESS {
            continue;
        }
        asked = Instant::now();
        let now_building: BTreeSet<String> = active
            .builds()
            .iter()
            .map(|built| built.relation.to_string())
            .collect();
        // What is built within one interval needs no progress.
        let long: Vec<String> = now_building.intersection(&before).cloned().collect();
        before = now_building;
        tracker.keep(&long);
        if long.is_empty() {
            observer.building(&[]);
            continue;
        }
        let usable = connection.take().filter(|c| !c.is_closed());
        let Some(open) = usable.or_else(|| connector.connect().ok()) else {
            continue;
        };
        if let Ok(jobs) = catalog::creating_jobs(&open) {
            let default_schema = &connector.target().schema;
            let mut lags = BTreeMap::new();
            if shows_lag {
                match catalog::source_lags(&open) {
                    Ok(found) => lags = found,
                    Err(_) => shows_lag = false,
                }
            }
            let progress: Vec<_> = jobs
                .iter()
                .filter_map(|job| Some((builds(job, default_schema)?.to_string(), job)))
                .filter(|(relation, _)| long.contains(relation))
                .map(|(relation, job)| {
                    let lag = lags.get(&job.id).copied();
                    tracker.update(&relation, &job.progress, lag, asked)
                })
                .collect();
            observer.building(&progress);
        }
        connection = Some(open);
    }
}

//! One deployment at a time, although RisingWave has neither advisory locks nor transactions.
//!
//! Each time the lock is taken is a *generation*, a number. Whoever wants it reads the newest generation `g`. If that one
//! was given back or its holder is dead, it INSERTs the row `(g + 1, 0)` with a token of its own, flushes, and reads the
//! row back. The table ignores rows whose key exists, and RisingWave applies the rows of one key one after the other,
//! so of all that try `g + 1` exactly one finds its own token there: that one has the lock. A row of the newest
//! generation is never deleted or replaced by anybody, so nobody's view can be taken from under them.
//!
//! The holder proves that it lives by a new row, a *beat*, every [`BEAT`]; a row that says `released` gives the lock
//! back. Somebody who waits takes the lock of a dead holder: one whose last beat is older than [`LEASE`] by the server's clock, or
//! whose process is gone from this very machine. A holder that was only very slow learns of it: with each beat it looks
//! for a newer generation, and an executor asks [`Lock::check`] before each step.
//!
//! What it guarantees: two rwt never both hold a generation, and a holder that beats in time is alone. What it cannot:
//! stop a statement that a holder had already sent before it fell silent for longer than the lease. Steps therefore
//! check the names and ids that they need, and the server refuses what no longer fits.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use miette::Diagnostic;
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use rwt_compiler::materialize::DatabaseError;
use rwt_sql::Literal;
use serde::Serialize;

use super::store::Store;

/// Time between two signs of life.
const BEAT: Duration = Duration::from_secs(10);
/// Without a sign of life for so long, a holder on another machine counts as dead.
const LEASE: Duration = Duration::from_secs(60);
/// Time between two attempts of somebody who waits.
const POLL: Duration = Duration::from_millis(500);

/// Who holds the lock, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// `user@host, process 4711`
    pub name: String,
    /// What it does: a deployment's id.
    pub deployment: String,
    /// Since when, as the server writes it.
    pub since: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (deployment {}, since {})",
            self.name, self.deployment, self.since
        )
    }
}

/// The lock is somebody else's.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("another rwt is changing this database: {0}")]
#[diagnostic(
    code(rwt::state::locked),
    help(
        "wait until it has ended, or let `--wait` do so; a holder that has died is known as such within a minute"
    )
)]
pub struct Held(pub Holder);

/// Why there is no lock.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum LockError {
    /// Somebody else has it.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Held(#[from] Held),
    /// The server refused something.
    #[error("the lock cannot be taken: {0}")]
    #[diagnostic(code(rwt::state::database))]
    Database(#[from] DatabaseError),
    /// The one who waits was told to stop.
    #[error("interrupted while waiting for {0}")]
    #[diagnostic(code(rwt::state::interrupted))]
    Interrupted(Holder),
}

/// Who wants the lock.
#[derive(Debug, Clone)]
pub struct Who {
    /// For people.
    pub name: String,
    /// Tells this machine, since its last start, from others, and process numbers of one container from another's.
    machine: String,
    process: i32,
    token: String,
}

impl Who {
    /// This process.
    pub fn this_process() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let pid = std::process::id();
        let user = nix::unistd::User::from_uid(nix::unistd::getuid())
            .ok()
            .flatten()
            .map_or_else(|| "unknown".to_owned(), |user| user.name);
        let host = read("/proc/sys/kernel/hostname");
        let host = match host.trim() {
            "" => "unknown",
            host => host,
        };
        let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        Self {
            name: format!("{user}@{host}, process {pid}"),
            machine: format!(
                "{} {}",
                read("/proc/sys/kernel/random/boot_id").trim(),
                namespace.display()
            ),
            process: i32::try_from(pid).unwrap_or_default(),
            token: uuid::Uuid::new_v4().to_string(),
        }
    }
}

/// The newest generation.
struct Newest {
    generation: i64,
    holder: Holder,
    machine: String,
    process: i32,
    released: bool,
    /// Seconds since the last sign of life, by the server's clock.
    silent_for: f64,
}

impl Newest {
    /// Whether the next generation may be taken.
    fn is_free(&self, who: &Who) -> bool {
        self.released || self.silent_for > LEASE.as_secs_f64() || self.is_dead(who)
    }

    /// Whether the holder was a process of this machine and is gone.
    fn is_dead(&self, who: &Who) -> bool {
        let is_here = !self.machine.trim().is_empty() && self.machine == who.machine;
        is_here
            && (kill(Pid::from_raw(self.process), None) == Err(Errno::ESRCH)
                || is_zombie(self.process))
    }
}

/// Whether a process has ended and nobody has asked how, which the first process of a container often never does.
fn is_zombie(process: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name before it is in brackets and may hold anything.
    let state = stat.rsplit(')').next().unwrap_or_default();
    state.trim_start().starts_with('Z')
}

/// The lock, held until it is dropped.
pub struct Lock {
    store: Arc<Store>,
    generation: i64,
    who: Who,
    deployment: String,
    lost: Arc<AtomicBool>,
    ended: Arc<(Mutex<bool>, Condvar)>,
    beats: Option<JoinHandle<()>>,
}

impl Lock {
    /// Takes the lock for a deployment. If somebody else has it, waits when `wait` says so, and calls `waiting` once with
    /// the holder.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn take(
        store: &Arc<Store>,
        deployment: &str,
        wait: bool,
        interrupted: &AtomicBool,
        waiting: impl FnOnce(&Holder),
    ) -> Result<Self, LockError> {
        let who = Who::this_process();
        let mut waiting = Some(waiting);
        loop {
            let newest = newest(store)?;
            let next = match newest {
                Some(newest) if !newest.is_free(&who) => {
                    if !wait {
                        return Err(Held(newest.holder).into());
                    }
                    if let Some(waiting) = waiting.take() {
                        waiting(&newest.holder);
                    }
                    if interrupted.load(Ordering::Relaxed) {
                        return Err(LockError::Interrupted(newest.holder));
                    }
                    thread::sleep(POLL);
                    continue;
                }
                Some(newest) => newest.generation + 1,
                None => 1,
            };
            if claim(store, next, &who, deployment)? {
                return Ok(Self::held(store.clone(), next, who, deployment));
            }
        }
    }

    fn held(store: Arc<Store>, generation: i64, who: Who, deployment: &str) -> Self {
        let lost = Arc::new(AtomicBool::new(false));
        let ended = Arc::new((Mutex::new(false), Condvar::new()));
        let beats = {
            let (store, lost, ended) = (store.clone(), lost.clone(), ended.clone());
            let (who, deployment) = (who.clone(), deployment.to_owned());
            thread::spawn(move || beat(&store, generation, &who, &deployment, &lost, &ended))
        };
        Self {
            store,
            generation,
            who,
            deployment: deployment.to_owned(),
            lost,
            ended,
            beats: Some(beats),
        }
    }

    /// Whether the lock is still held, as far as the last beat knows.
    pub fn check(&self) -> bool {
        !self.lost.load(Ordering::Relaxed)
    }

    /// Who holds it.
    pub fn holder(&self) -> &str {
        &self.who.name
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let (ended, changed) = &*self.ended;
        *ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
        if let Some(beats) = self.beats.take() {
            let _ = beats.join();
        }
        // A lock that cannot be given back is free when its lease ends.
        let _ = self.store.write(&[row(
            self.generation,
            i64::MAX,
            &self.who,
            &self.deployment,
            true,
        )]);
    }
}

fn row(generation: i64, beat: i64, who: &Who, deployment: &str, released: bool) -> String {
    format!(
        "insert into rwt.lock values ({}, {}, {}, {}, {}, {}, {}, {}, now())",
        Literal::Int(generation),
        Literal::Int(beat),
        Literal::Text(&who.token),
        Literal::Text(&who.name),
        Literal::Text(&who.machine),
        Literal::Int(who.process.into()),
        Literal::Text(deployment),
        Literal::Bool(released),
    )
}

/// Tries to be the one who has `generation`.
fn claim(
    store: &Store,
    generation: i64,
    who: &Who,
    deployment: &str,
) -> Result<bool, DatabaseError> {
    store.write(&[row(generation, 0, who, deployment, false)])?;
    let found = store.query(&format!(
        "select token from rwt.lock where generation = {} and beat = 0",
        Literal::Int(generation)
    ))?;
    let token = found
        .rows
        .into_iter()
        .next()
        .and_then(|row| row.into_iter().next().flatten());
    let is_mine = token.as_deref() == Some(who.token.as_str());
    if is_mine {
        // Nobody looks at older generations.
        store.write(&[format!(
            "delete from rwt.lock where generation < {}",
            Literal::Int(generation)
        )])?;
    }
    Ok(is_mine)
}

fn newest(store: &Store) -> Result<Option<Newest>, DatabaseError> {
    let rows = store
        .query(
            "select generation, beat, holder, machine, process, deployment, released, at, \
             extract(epoch from now() - at) from rwt.lock order by generation desc, beat desc",
        )?
        .rows;
    let mut newest: Option<Newest> = None;
    for row in rows {
        let mut cells = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || cells.next().unwrap_or_default();
        let Ok(generation) = next().parse() else {
            continue;
        };
        let (beat, name, machine, process) = (next(), next(), next(), next());
        let (deployment, released, at, silent_for) = (next(), next(), next(), next());
        match &mut newest {
            Some(newest) if newest.generation != generation => break,
            // The row with which the holder took the lock says since when.
            Some(newest) if beat == "0" => newest.holder.since = at,
            Some(_) => {}
            None => {
                newest = Some(Newest {
                    generation,
                    holder: Holder {
                        name,
                        deployment,
                        since: at,
                    },
                    machine,
                    process: process.parse().unwrap_or_default(),
                    released: released == "t",
                    silent_for: silent_for.parse().unwrap_or_default(),
                });
            }
        }
    }
    Ok(newest)
}

/// Gives signs of life until it is told that the lock was given back.
fn beat(
    store: &Store,
    generation: i64,
    who: &Who,
    deployment: &str,
    lost: &AtomicBool,
    ended: &(Mutex<bool>, Condvar),
) {
    let (ended, changed) = ended;
    for number in 1.. {
        let guard = ended.lock().unwrap_or_else(PoisonError::into_inner);
        let (guard, _) = changed
            .wait_timeout_while(guard, BEAT, |ended| !*ended)
            .unwrap_or_else(PoisonError::into_inner);
        if *guard {
            return;
        }
        drop(guard);
        let old = format!(
            "delete from rwt.lock where generation = {} and beat > 0 and beat < {}",
            Literal::Int(generation),
            Literal::Int(number)
        );
        // A beat that cannot be written is missed; enough of them are the end of the lease.
        let _ = store.write(&[row(generation, number, who, deployment, false), old]);
        if newest(store).is_ok_and(|newest| newest.is_some_and(|n| n.generation > generation)) {
            lost.store(true, Ordering::Relaxed);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest_of(who: &Who) -> Newest {
        Newest {
            generation: 1,
            holder: Holder {
                name: who.name.clone(),
                deployment: "d".to_owned(),
                since: String::new(),
            },
            machine: who.machine.clone(),
            process: who.process,
            released: false,
            silent_for: 1.0,
        }
    }

    #[test]
    fn a_holder_is_free_to_go_when_it_is_dead_silent_or_done() {
        let who = Who::this_process();
        assert!(!newest_of(&who).is_free(&who));
        assert!(
            Newest {
                released: true,
                ..newest_of(&who)
            }
            .is_free(&who)
        );
        assert!(
            Newest {
                silent_for: 61.0,
                ..newest_of(&who)
            }
            .is_free(&who)
        );
        let gone = Newest {
            process: i32::MAX,
            ..newest_of(&who)
        };
        assert!(gone.is_free(&who));
        let elsewhere = Newest {
            machine: "another".to_owned(),
            process: i32::MAX,
            ..newest_of(&who)
        };
        assert!(!elsewhere.is_free(&who));
    }
}

//! The same work on many things, with all cores.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, ScopedJoinHandle, available_parallelism, scope};

/// Does `work` for each index, and keeps the results in order. Another thread is asked to help for every `share` things;
/// where the system has none to give, this one does them all.
pub fn in_parallel<R: Send>(
    count: usize,
    share: usize,
    work: impl Fn(usize) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let run = || some(&next, count, &work);
    let results = scope(|scope| {
        let helpers: Vec<_> = (1..threads(count, share))
            .map_while(|_| Builder::new().spawn_scoped(scope, run).ok())
            .collect();
        let mut results = run();
        results.extend(helpers.into_iter().flat_map(joined));
        results
    });
    in_order(results)
}

/// The same, all of it on threads with `stack` bytes of stack.
///
/// # Errors
/// The system has no thread to give.
pub fn in_parallel_with_stack<R: Send>(
    count: usize,
    share: usize,
    stack: usize,
    work: impl Fn(usize) -> R + Sync,
) -> io::Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let run = || some(&next, count, &work);
    let results = scope(|scope| {
        let spawned: io::Result<Vec<_>> = (0..threads(count, share))
            .map(|_| Builder::new().stack_size(stack).spawn_scoped(scope, run))
            .collect();
        Ok::<_, io::Error>(spawned?.into_iter().flat_map(joined).collect())
    })?;
    Ok(in_order(results))
}

fn threads(count: usize, share: usize) -> usize {
    // Asking reads files of the control group.
    static CORES: OnceLock<usize> = OnceLock::new();
    let cores = *CORES.get_or_init(|| available_parallelism().map_or(1, usize::from));
    cores.min(count.div_ceil(share)).max(1)
}

/// What one thread gets done.
fn some<R>(next: &AtomicUsize, count: usize, work: &impl Fn(usize) -> R) -> Vec<(usize, R)> {
    let mut done = Vec::new();
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= count {
            return done;
        }
        done.push((index, work(index)));
    }
}

fn joined<R>(helper: ScopedJoinHandle<'_, R>) -> R {
    match helper.join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn in_order<R>(mut results: Vec<(usize, R)>) -> Vec<R> {
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_their_order() {
        for count in [0, 1, 5, 1_000] {
            let expected: Vec<usize> = (0..count).map(|index| index * 2).collect();
            assert_eq!(in_parallel(count, 3, |index| index * 2), expected);
            let with_stack = in_parallel_with_stack(count, 3, 1 << 20, |index| index * 2);
            assert_eq!(with_stack.expect("threads"), expected);
        }
    }
}

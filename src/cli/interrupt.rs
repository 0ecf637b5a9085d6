//! Ctrl-C and SIGTERM: the first asks the work to end well, the second ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

use super::Failure;
use super::context::unexpected;

/// The shell's code for a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// A flag that the first signal raises. The second signal ends the program at once.
///
/// # Errors
/// The system refuses signal handlers.
pub(super) fn flag(handle: &Handle) -> Result<Arc<AtomicBool>, Failure> {
    let raised = Arc::new(AtomicBool::new(false));
    let _guard = handle.enter();
    let listen = |kind| signal(kind).map_err(unexpected("signals cannot be handled"));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let flag = raised.clone();
    handle.spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if flag.swap(true, Ordering::SeqCst) {
                std::process::exit(INTERRUPTED);
            }
        }
    });
    Ok(raised)
}

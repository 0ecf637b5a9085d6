//! The inside of the background process: broker and engine on one data directory, until a signal ends them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use chrono::Utc;
use rwt_broker::Broker;
use rwt_engine::Engine;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::control::Place;
use super::state::{self, Running};

/// RisingWave's default time between two barriers, so that `commit_checkpoint_interval` means the same here as there.
const BARRIER_INTERVAL: Duration = Duration::from_secs(1);

/// Why the process ended other than by a signal.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum ProcessError {
    /// Another process holds the directory.
    #[error("another process runs the stack in {}", .0.display())]
    #[diagnostic(
        code(rwt::stack::held),
        help("`rwt status` shows it; `rwt down` stops it")
    )]
    Held(PathBuf),
    /// The system refused something.
    #[error("{doing}: {source}")]
    #[diagnostic(code(rwt::stack::io))]
    Io {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The broker could not start.
    #[error("the Kafka broker cannot start: {0}")]
    #[diagnostic(code(rwt::stack::broker))]
    Broker(#[from] rwt_broker::BrokerError),
    /// The engine could not start or stop.
    #[error("the SQL engine fails: {0}")]
    #[diagnostic(code(rwt::stack::engine))]
    Engine(#[from] rwt_engine::EngineError),
}

fn io(doing: &'static str) -> impl FnOnce(std::io::Error) -> ProcessError {
    move |source| ProcessError::Io { doing, source }
}

/// How often it is looked whether the owner lives.
const OWNER_POLL: Duration = Duration::from_millis(500);

/// Runs broker and engine until SIGTERM or SIGINT, or until the place's owner is gone, then makes a last checkpoint.
/// An orphan deletes its data.
///
/// # Errors
/// See [`ProcessError`].
pub async fn serve(place: &Place) -> Result<(), ProcessError> {
    let Place {
        data_dir,
        engine_port,
        kafka_port,
        memory_limit,
        owner,
    } = place;
    // The terminal may go away; the stack stays.
    let _ = nix::unistd::setsid();
    let hold = state::hold(data_dir)
        .map_err(io("the data directory cannot be locked"))?
        .ok_or_else(|| ProcessError::Held(data_dir.clone()))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(io("signals cannot be handled"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(io("signals cannot be handled"))?;
    let mut hangup = signal(SignalKind::hangup()).map_err(io("signals cannot be handled"))?;

    let broker = Broker::start(rwt_broker::Config {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, *kafka_port)),
        ..rwt_broker::Config::new(data_dir.join("kafka"))
    })
    .await?;
    let engine = Engine::open(rwt_engine::Config {
        data_dir: data_dir.join("engine"),
        lake_dir: state::lake_dir(data_dir),
        barrier_interval: BARRIER_INTERVAL,
        memory_limit: memory_limit.unwrap_or_else(rwt_engine::default_memory_limit),
    })
    .await?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, *engine_port))
        .await
        .map_err(io("the SQL engine cannot listen"))?;
    let running = Running {
        pid: std::process::id(),
        started_at: Utc::now(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        engine: listener
            .local_addr()
            .map_err(io("the SQL engine's address is unknown"))?,
        kafka: broker.local_addr(),
        data_dir: data_dir.clone(),
    };
    state::publish(&running).map_err(io("stack.json cannot be written"))?;
    tracing::info!(engine = %running.engine, kafka = %running.kafka, "the stack listens");

    let serving = engine.serve(listener);
    tokio::pin!(serving);
    let mut look = tokio::time::interval(OWNER_POLL);
    let ended = loop {
        tokio::select! {
            result = &mut serving => break result,
            _ = terminate.recv() => break Ok(()),
            _ = interrupt.recv() => break Ok(()),
            _ = hangup.recv() => {}
            _ = look.tick() => if owner.is_some_and(is_gone) {
                break Ok(());
            }
        }
    };
    tracing::info!("the stack stops");
    state::withdraw(data_dir);
    let engine_stopped = engine.shutdown().await;
    broker.shutdown().await;
    drop(hold);
    ended?;
    engine_stopped?;
    if owner.is_some_and(is_gone) {
        state::delete(data_dir).map_err(io("the data of an orphan cannot be deleted"))?;
    }
    Ok(())
}

fn is_gone(pid: u32) -> bool {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX));
    nix::sys::signal::kill(pid, None) == Err(nix::errno::Errno::ESRCH)
}

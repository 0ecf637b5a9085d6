//! Starting and stopping the background process.

use std::fs::{self, OpenOptions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::state::{self, Running};

/// How long a start may take before it is given up: recovery of a large log included.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a stop may take: the last checkpoint and the lake's last commit included.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);
/// A log larger than this is set aside at the next start.
const LOG_LIMIT: u64 = 16 << 20;

/// Where a stack should run.
#[derive(Debug, Clone)]
pub struct Place {
    /// The data directory.
    pub data_dir: PathBuf,
    /// The engine's port on the loopback address.
    pub engine_port: u16,
    /// The broker's port on the loopback address.
    pub kafka_port: u16,
    /// What the engine may hold in memory, in bytes, instead of its own default.
    pub memory_limit: Option<u64>,
    /// A process without which the stack and its data have no purpose: when it is gone, so are they.
    pub owner: Option<u32>,
}

/// What [`ensure_running`] found or did.
#[derive(Debug)]
pub enum Started {
    /// It ran already.
    Already(Running),
    /// It was started now.
    Now(Running),
}

impl Started {
    /// The running stack.
    pub fn running(&self) -> &Running {
        match self {
            Self::Already(running) | Self::Now(running) => running,
        }
    }
}

/// Why the stack does not run, or does not stop.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum StackError {
    /// Something else listens there.
    #[error("port {port} of {service} is taken")]
    #[diagnostic(
        code(rwt::stack::port_taken),
        help(
            "`ss -ltnp 'sport = :{port}'` shows by whom. If it is another project's stack, `rwt down` in that project stops it; \
             otherwise set `{key}` of the target in profiles.yml, or `{flag}`, to a free port"
        )
    )]
    PortTaken {
        /// The engine or the broker.
        service: &'static str,
        /// The port.
        port: u16,
        /// The profile's key.
        key: &'static str,
        /// The option of `rwt up`.
        flag: &'static str,
    },
    /// A process holds the data directory, but does not listen yet or no more.
    #[error("another rwt process is starting or stopping on {}", data_dir.display())]
    #[diagnostic(
        code(rwt::stack::busy),
        help("try again in a moment; `rwt logs` shows what it does")
    )]
    Busy {
        /// The data directory.
        data_dir: PathBuf,
    },
    /// The process ended before it listened.
    #[error("the embedded stack did not start{}", tail_of(log_tail))]
    #[diagnostic(code(rwt::stack::not_started), help("the whole log is in {}", log.display()))]
    NotStarted {
        /// Its last lines.
        log_tail: String,
        /// Its log.
        log: PathBuf,
    },
    /// It did not stop in time.
    #[error("the embedded stack (process {pid}) has not stopped after {} s", STOP_TIMEOUT.as_secs())]
    #[diagnostic(
        code(rwt::stack::not_stopped),
        help("`kill -9 {pid}` ends it; what was flushed is safe")
    )]
    NotStopped {
        /// The process.
        pid: u32,
    },
    /// Files or processes could not be handled.
    #[error("{doing}: {source}")]
    #[diagnostic(code(rwt::stack::io))]
    Io {
        /// What was tried.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
}

fn tail_of(log: &str) -> String {
    if log.is_empty() {
        String::new()
    } else {
        format!(":\n{log}")
    }
}

fn io_error(doing: impl Into<String>) -> impl FnOnce(io::Error) -> StackError {
    let doing = doing.into();
    move |source| StackError::Io { doing, source }
}

/// Finds the stack of this data directory running, or starts it and waits until it listens.
///
/// # Errors
/// See [`StackError`].
pub fn ensure_running(place: &Place) -> Result<Started, StackError> {
    match find(&place.data_dir)? {
        Some(running) => Ok(Started::Already(running)),
        None => start(place).map(Started::Now),
    }
}

fn find(data_dir: &Path) -> Result<Option<Running>, StackError> {
    state::running(data_dir).map_err(io_error(format!("cannot read {}", data_dir.display())))
}

/// Starts the background process and waits until it listens.
///
/// # Errors
/// See [`StackError`].
pub fn start(place: &Place) -> Result<Running, StackError> {
    let data_dir = &place.data_dir;
    fs::create_dir_all(data_dir)
        .map_err(io_error(format!("cannot make {}", data_dir.display())))?;
    // Absolute, because the lake's files name each other by absolute paths.
    let data_dir = fs::canonicalize(data_dir)
        .map_err(io_error(format!("cannot resolve {}", data_dir.display())))?;
    if state::is_held(&data_dir).map_err(io_error("cannot open the stack's lock"))? {
        return Err(StackError::Busy { data_dir });
    }
    check_port("the SQL engine", place.engine_port, "port", "--port")?;
    check_port(
        "the Kafka broker",
        place.kafka_port,
        "kafka.local",
        "--kafka-port",
    )?;

    let log = state::log_file(&data_dir);
    let mut child = spawn(place, &data_dir, &log)?;
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        if let Some(running) = find(&data_dir)?.filter(|running| running.pid == child.id()) {
            return Ok(running);
        }
        let ended = child
            .try_wait()
            .map_err(io_error("cannot watch the stack's process"))?;
        if ended.is_some() || Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            return Err(StackError::NotStarted {
                log_tail: last_lines(&log, 12),
                log,
            });
        }
        thread::sleep(POLL);
    }
}

fn check_port(
    service: &'static str,
    port: u16,
    key: &'static str,
    flag: &'static str,
) -> Result<(), StackError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(StackError::PortTaken {
            service,
            port,
            key,
            flag,
        }),
        Err(source) => Err(StackError::Io {
            doing: format!("cannot listen on {address}"),
            source,
        }),
    }
}

fn spawn(place: &Place, data_dir: &Path, log: &Path) -> Result<Child, StackError> {
    let program = std::env::current_exe().map_err(io_error("cannot find rwt's own binary"))?;
    let logs = log.parent().unwrap_or(data_dir);
    fs::create_dir_all(logs).map_err(io_error(format!("cannot make {}", logs.display())))?;
    if fs::metadata(log).is_ok_and(|meta| meta.len() > LOG_LIMIT) {
        fs::rename(log, log.with_extension("log.1"))
            .map_err(io_error(format!("cannot set {} aside", log.display())))?;
    }
    let out = OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .map_err(io_error(format!("cannot write {}", log.display())))?;
    let err = out
        .try_clone()
        .map_err(io_error(format!("cannot write {}", log.display())))?;
    // A group of its own, so that Ctrl-C in the terminal reaches only the command that was typed.
    let mut command = Command::new(program);
    command.arg("stack-process");
    if let Some(owner) = place.owner {
        command.args(["--owner", &owner.to_string()]);
    }
    if let Some(limit) = place.memory_limit {
        command.args(["--memory-limit", &limit.to_string()]);
    }
    command
        .arg("--data-dir")
        .arg(data_dir)
        .args(["--port", &place.engine_port.to_string()])
        .args(["--kafka-port", &place.kafka_port.to_string()])
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .process_group(0)
        .spawn()
        .map_err(io_error("cannot start the stack's process"))
}

/// Asks the process to stop and waits until it has. `None` if nothing ran.
///
/// # Errors
/// See [`StackError`].
pub fn stop(data_dir: &Path) -> Result<Option<Running>, StackError> {
    let Some(running) = find(data_dir)? else {
        return Ok(None);
    };
    let pid = i32::try_from(running.pid).unwrap_or(i32::MAX);
    kill(Pid::from_raw(pid), Signal::SIGTERM)
        .map_err(|errno| io_error("cannot signal the stack's process")(errno.into()))?;
    let deadline = Instant::now() + STOP_TIMEOUT;
    while state::is_held(data_dir).map_err(io_error("cannot open the stack's lock"))? {
        if Instant::now() > deadline {
            return Err(StackError::NotStopped { pid: running.pid });
        }
        thread::sleep(POLL);
    }
    Ok(Some(running))
}

/// The last lines of a log, for an error message.
pub fn last_lines(log: &Path, count: usize) -> String {
    let text = fs::read(log)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = check_port("the SQL engine", port, "port", "--port").unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("port {port} of the SQL engine is taken")
        );
    }

    #[test]
    fn nothing_runs_in_an_empty_folder() {
        let dir = tempfile::tempdir().unwrap();
        assert!(stop(dir.path()).unwrap().is_none());
    }
}

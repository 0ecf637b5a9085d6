//! A copy of a project in a folder of its own, the built `rwt` on it, and a stack that is gone when the test ends.

#![allow(dead_code, reason = "every test program uses a part of it")]

pub mod funnel;
pub mod proxy;
pub mod sql;
pub mod topics;

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use sql::Sql;

/// Long enough for anything on a loaded machine with a debug build; nothing waits for it to pass.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// The repository, which is the example project.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Looks again and again until `look` finds what it looks for; its error is what it saw instead.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => assert!(
                Instant::now() < deadline,
                "{what}: not after {} s; last seen: {seen}",
                PATIENCE.as_secs()
            ),
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// What a command left behind.
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Asserts the exit code; everything that was printed stands in the failure.
    #[track_caller]
    pub fn exits_with(self, code: i32) -> Self {
        assert_eq!(
            self.code(),
            Some(code),
            "stdout:\n{}\nstderr:\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// The document on stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!(
                "{error}; stdout:\n{}\nstderr:\n{}",
                self.stdout, self.stderr
            )
        })
    }
}

/// Waits for a child whose output is piped, and ends it if it takes too long.
pub fn finish(mut child: Child) -> Finished {
    let drain = |pipe: Option<Box<dyn Read + Send>>| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                // What was read until the pipe broke is what there is to show.
                let _ = pipe.read_to_end(&mut bytes);
            }
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let stdout = drain(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let stderr = drain(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let deadline = Instant::now() + PATIENCE;
    let mut late = false;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            break status;
        }
        if Instant::now() > deadline && !late {
            late = true;
            child.kill().expect("a child can be killed");
        }
        thread::sleep(Duration::from_millis(10));
    };
    let finished = Finished {
        status,
        stdout: stdout.join().expect("stdout is read"),
        stderr: stderr.join().expect("stderr is read"),
    };
    assert!(
        !late,
        "a command did not end; stdout:\n{}\nstderr:\n{}",
        finished.stdout, finished.stderr
    );
    finished
}

/// `rwt` with nothing of the caller's environment that could change what it does.
pub fn rwt() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rwt"));
    let foreign = ["DBT_", "RWT_", "RISINGWAVE_", "KAFKA_", "LAKE_"];
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if foreign.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command
        .env("NO_COLOR", "1")
        .env_remove("COLUMNS")
        .env_remove("LINES")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A project folder with ports of its own for a stack.
pub struct Place {
    folder: TempDir,
    pub engine_port: u16,
    pub kafka_port: u16,
}

impl Place {
    /// A copy of the example project.
    pub fn example() -> Self {
        let place = Self::empty();
        for name in ["project.yml", "profiles.yml", "models", "macros"] {
            copy(&repository().join(name), &place.path().join(name));
        }
        place
    }

    /// A copy of a project under `tests/fixtures`.
    pub fn fixture(name: &str) -> Self {
        let place = Self::empty();
        copy(
            &repository().join("tests/fixtures").join(name),
            place.path(),
        );
        place
    }

    fn empty() -> Self {
        Self {
            folder: TempDir::new().expect("a temporary folder"),
            engine_port: free_port(),
            kafka_port: free_port(),
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The stack's data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.path().join(".rwt")
    }

    /// `rwt` on this project.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = rwt();
        // No ~/.dbt of whoever runs the tests.
        command
            .env("HOME", self.path())
            .args(arguments)
            .arg("--project-dir")
            .arg(self.path());
        command
    }

    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().expect("rwt starts")
    }

    pub fn rwt(&self, arguments: &[&str]) -> Finished {
        finish(self.spawn(arguments))
    }

    /// Runs a command that must succeed.
    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> Finished {
        self.rwt(arguments).exits_with(0)
    }

    /// Starts the stack on this place's ports.
    #[track_caller]
    pub fn up(&self) -> Finished {
        let engine = self.engine_port.to_string();
        let kafka = self.kafka_port.to_string();
        self.ok(&["up", "--port", &engine, "--kafka-port", &kafka])
    }

    /// Makes this place's ports the embedded target's own, for commands that find no stack.
    pub fn write_ports(&self) {
        let profiles = self.path().join("profiles.yml");
        let text = fs::read_to_string(&profiles).expect("the project has profiles");
        let ports = format!(
            "type: embedded\n      port: {}\n      kafka:\n        local: 127.0.0.1:{}\n",
            self.engine_port, self.kafka_port
        );
        let text = text.replacen("type: embedded\n", &ports, 1);
        fs::write(&profiles, text).expect("profiles can be written");
    }

    /// The stack's process as it published itself.
    pub fn process(&self) -> Option<i32> {
        let text = fs::read(self.data_dir().join("stack.json")).ok()?;
        let state: Value = serde_json::from_slice(&text).ok()?;
        i32::try_from(state["pid"].as_i64()?).ok()
    }

    /// Kills the stack with a signal that it cannot catch, and waits until it is gone.
    pub fn kill_stack(&self) {
        let pid = self.process().expect("the stack runs");
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("the stack can be killed");
        until("the stack's process ends", || {
            if is_alive(pid) {
                Err(format!("process {pid} lives"))
            } else {
                Ok(())
            }
        });
    }

    pub fn sql(&self) -> Sql {
        Sql::connect(self.engine_port)
    }

    /// The broker's address.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.kafka_port)
    }
}

impl Drop for Place {
    #[allow(
        clippy::print_stderr,
        reason = "a failed test shows what its stack said"
    )]
    fn drop(&mut self) {
        if thread::panicking() {
            let log =
                fs::read_to_string(self.data_dir().join("logs/stack.log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(40)..];
            eprintln!("the end of the stack's log:\n{}", tail.join("\n"));
        }
        let Some(pid) = self.process() else {
            return;
        };
        let down = self.command(&["down", "--quiet"]).output();
        if !down.is_ok_and(|output| output.status.success()) && is_alive(pid) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// Whether a process runs; one that has ended and waits for its parent does not.
fn is_alive(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| Some(stat.rsplit_once(')')?.1.trim_start().starts_with('Z')))
        .is_some_and(|zombie| !zombie)
}

/// A port that nobody listens on. It lies below those that the system gives to outgoing connections: a client that
/// tries to reach a stack which has just been killed could otherwise be given the stack's own port.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const PER_PROCESS: u16 = 100;
    let block = u16::try_from(std::process::id() % 100).unwrap_or(0);
    loop {
        let offset = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(offset < PER_PROCESS, "no port is free");
        let port = 20_000 + block * PER_PROCESS + offset;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).expect("a folder can be made");
        for entry in fs::read_dir(from).expect("a folder can be listed") {
            let entry = entry.expect("a folder can be listed");
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::copy(from, to).expect("a file can be copied");
    }
}

//! Serves an engine on a port until it is killed: `serve <dir> <port>`. The crash tests kill it.

use std::process::ExitCode;
use std::time::Duration;

use rwt_engine::{Config, Engine};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (Some(dir), Some(port)) = (args.next(), args.next()) else {
        return ExitCode::from(2);
    };
    match run(&dir, &port).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error);
            let _ =
                std::io::Write::write_all(&mut std::io::stderr(), format!("{error}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

async fn run(dir: &str, port: &str) -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    let config = Config {
        barrier_interval: Duration::from_millis(100),
        ..Config::in_dir(dir)
    };
    let engine = Engine::open(config).await?;
    // tells a parent that picked port 0 where to connect
    let line = format!("listening {}\n", listener.local_addr()?.port());
    std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes())?;
    std::io::Write::flush(&mut std::io::stdout())?;
    engine.serve(listener).await?;
    Ok(())
}

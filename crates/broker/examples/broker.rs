//! A broker of its own: `cargo run -p rwt-broker --example broker -- <directory> [address]`. Prints its address, then serves until it is killed.
//!
//! The tests run it as a child process that they can kill.

use std::io::Write;

use rwt_broker::{Broker, Config};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut config = Config::new(arguments.next().ok_or("the first argument is the data directory")?);
    if let Some(address) = arguments.next() {
        config.listen = address.parse()?;
    }
    let broker = Broker::start(config).await?;
    writeln!(std::io::stdout(), "{}", broker.local_addr())?;
    std::future::pending::<()>().await;
    broker.shutdown().await;
    Ok(())
}

//! Python clients, if `RWT_PYTHON` names an interpreter that has kafka-python and confluent-kafka.

use std::path::Path;
use std::process::Command;

use crate::harness::Running;

#[tokio::test(flavor = "multi_thread")]
async fn python_clients_produce_consume_and_administer() {
    let Ok(python) = std::env::var("RWT_PYTHON") else {
        eprintln!("RWT_PYTHON is not set: the Python clients are not tried");
        return;
    };
    let running = Running::start().await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients/kafka_clients.py");
    let output = Command::new(python)
        .arg(script)
        .arg(running.address())
        .output()
        .unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{text}");
}

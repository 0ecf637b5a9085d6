//! What is left after the process died: everything that was acknowledged, once.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use rwt_broker::{Broker, Config};

use crate::harness::{PATIENCE, Running, Sender, client, payloads, read_all};
use crate::idempotence::{batch, produce_request};
use crate::raw::Raw;

/// Says in the environment of a child process that it is the broker, and where its data is.
const CHILD_DIR: &str = "RWT_BROKER_TEST_DIR";
const CHILD_ADDRESS: &str = "RWT_BROKER_TEST_ADDRESS";
const CHILD_TEST: &str = "restart::broker_process";

/// Not a test by itself: this binary runs itself with it to have a broker that can be killed.
#[tokio::test(flavor = "multi_thread")]
async fn broker_process() {
    let (Ok(dir), Ok(address)) = (std::env::var(CHILD_DIR), std::env::var(CHILD_ADDRESS)) else {
        return;
    };
    let mut config = Config::new(dir);
    config.listen = address.parse().unwrap();
    let broker = Broker::start(config).await.unwrap();
    println!("\nlistening on {}", broker.local_addr());
    std::future::pending().await
}

/// The broker as a process of its own, which dies with the value.
struct Process(Child);

impl Process {
    fn start(dir: &Path, address: &str) -> (Self, String) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([CHILD_TEST, "--exact", "--nocapture"])
            .env(CHILD_DIR, dir)
            .env(CHILD_ADDRESS, address)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lines = lines.map(|line| line.unwrap());
        let address = lines
            .find_map(|line| line.strip_prefix("listening on ").map(str::to_owned))
            .unwrap();
        (Self(child), address)
    }

    /// SIGKILL: no handler runs, nothing is flushed.
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn killed_in_mid_load_it_loses_no_acknowledged_record_and_repeats_none() {
    let dir = tempfile::tempdir().unwrap();
    let (mut process, address) = Process::start(dir.path(), "127.0.0.1:0");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let admin: rdkafka::admin::AdminClient<_> = client(&address, &[]).create().unwrap();
        let topic =
            rdkafka::admin::NewTopic::new("events", 2, rdkafka::admin::TopicReplication::Fixed(1));
        let topic = topic.set("segment.bytes", "100000");
        admin
            .create_topics([&topic], &Default::default())
            .await
            .unwrap()
            .remove(0)
            .unwrap();
    });
    let sender = Sender::new(client(
        &address,
        &[
            ("enable.idempotence", "true"),
            ("linger.ms", "1"),
            ("batch.num.messages", "50"),
            ("reconnect.backoff.ms", "10"),
            ("reconnect.backoff.max.ms", "50"),
        ],
    ));
    let total = 40_000;
    let writer = std::thread::spawn(move || {
        for number in 0..total {
            sender.send("events", Some(number % 2), "", &number.to_string(), None);
        }
        sender.acknowledged()
    });
    for round in 0..4 {
        // Each kill falls into the load: it waits until more has arrived than at the last one.
        let log = |partition: i32| dir.path().join(format!("topics/events/{partition}"));
        let written = || -> u64 {
            let files = [0, 1]
                .into_iter()
                .flat_map(|partition| std::fs::read_dir(log(partition)).unwrap());
            files
                .map(|file| file.unwrap().metadata().map_or(0, |file| file.len()))
                .sum()
        };
        let patience = std::time::Instant::now() + PATIENCE;
        while written() < (round + 1) * 80_000 {
            assert!(std::time::Instant::now() < patience);
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(!writer.is_finished(), "the load ended before kill {round}");
        process.kill();
        process = Process::start(dir.path(), &address).0;
    }
    let acknowledged = writer.join().unwrap();
    let mut read: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    for message in read_all(&address, "events") {
        let payload = String::from_utf8(message.payload().unwrap().to_vec()).unwrap();
        read.entry(message.partition()).or_default().push(payload);
    }
    for partition in 0..2 {
        assert_eq!(acknowledged[&partition].len(), total as usize / 2);
        let expected: Vec<String> = (0..total)
            .filter(|number| number % 2 == partition)
            .map(|number| number.to_string())
            .collect();
        assert_eq!(read[&partition].len(), expected.len());
        assert_eq!(
            read[&partition], expected,
            "partition {partition}: each record once and in order"
        );
    }
    drop(process);
}

#[test]
fn killed_it_keeps_committed_offsets_topics_and_deletions() {
    let dir = tempfile::tempdir().unwrap();
    let (process, address) = Process::start(dir.path(), "127.0.0.1:0");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let admin: rdkafka::admin::AdminClient<_> = client(&address, &[]).create().unwrap();
        for name in ["kept", "deleted"] {
            let topic =
                rdkafka::admin::NewTopic::new(name, 1, rdkafka::admin::TopicReplication::Fixed(1));
            admin
                .create_topics([&topic], &Default::default())
                .await
                .unwrap()
                .remove(0)
                .unwrap();
        }
        let sender = Sender::new(client(&address, &[]));
        sender.send_numbers("kept", 0, 100);
        sender.acknowledged();
        admin
            .delete_topics(&["deleted"], &Default::default())
            .await
            .unwrap()
            .remove(0)
            .unwrap();
        let mut offsets = TopicPartitionList::new();
        offsets
            .add_partition_offset("kept", 0, Offset::Offset(40))
            .unwrap();
        admin
            .delete_records(&offsets, &Default::default())
            .await
            .unwrap();
    });
    let consumer: BaseConsumer = client(&address, &[("group.id", "g")]).create().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets
        .add_partition_offset("kept", 0, Offset::Offset(77))
        .unwrap();
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
    process.kill();

    let (_process, address) = Process::start(dir.path(), &address);
    let messages = read_all(&address, "kept");
    assert_eq!((messages[0].offset(), messages.len()), (40, 60));
    let consumer: BaseConsumer = client(&address, &[("group.id", "g")]).create().unwrap();
    assert_eq!(
        consumer
            .fetch_metadata(None, PATIENCE)
            .unwrap()
            .topics()
            .len(),
        1
    );
    let mut asked = TopicPartitionList::new();
    asked.add_partition("kept", 0);
    let committed = consumer.committed_offsets(asked, PATIENCE).unwrap();
    assert_eq!(
        committed.find_partition("kept", 0).unwrap().offset(),
        Offset::Offset(77)
    );
}

/// A stopped broker with three batches of ten records in one segment, and that segment.
async fn stopped_with_three_batches() -> (tempfile::TempDir, PathBuf) {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    let numbers = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    for _ in 0..3 {
        let request = produce_request("events", batch(-1, -1, -1, &numbers));
        Raw::connect(running.broker.local_addr()).call(9, &request);
    }
    assert_eq!(running.watermarks("events"), [(0, 30)]);
    let Running { broker, dir } = running;
    broker.shutdown().await;
    let segment = dir.path().join("topics/events/0/00000000000000000000.log");
    assert!(segment.exists());
    (dir, segment)
}

async fn start_again(dir: tempfile::TempDir) -> Running {
    let broker = Broker::start(Config::new(dir.path())).await.unwrap();
    Running { broker, dir }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_tail_is_cut_off_wherever_it_is_torn() {
    let (dir, segment) = stopped_with_three_batches().await;
    let whole = std::fs::read(&segment).unwrap();
    let batch = whole.len() / 3;
    let mut dir = dir;
    for (length, records) in [
        (3 * batch - 1, 20),
        (2 * batch + 61, 20),
        (2 * batch + 5, 20),
        (2 * batch, 20),
        (batch + 1, 10),
        (0, 0),
    ] {
        std::fs::write(&segment, &whole[..length]).unwrap();
        let running = start_again(dir).await;
        assert_eq!(
            running.watermarks("events"),
            [(0, records)],
            "{length} bytes were left"
        );
        assert_eq!(running.read_all("events").await.len() as i64, records);
        // The log goes on where it was cut.
        let producer = running.producer(&[]);
        producer.send("events", Some(0), "", "next", None);
        assert_eq!(producer.acknowledged()[&0], [records]);
        assert_eq!(
            payloads(&running.read_all("events").await).last().unwrap(),
            "next"
        );
        dir = running.dir;
        running.broker.shutdown().await;
    }
    // Blocks that the file system had reserved but not written read as zeros.
    std::fs::write(&segment, [&whole[..batch], &[0; 4096]].concat()).unwrap();
    assert_eq!(start_again(dir).await.watermarks("events"), [(0, 10)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_batch_ends_the_log_and_the_rest_is_set_aside() {
    // In the records, and in the offset, which the checksum does not cover.
    for damaged_byte in [80, 3] {
        let (dir, segment) = stopped_with_three_batches().await;
        let mut bytes = std::fs::read(&segment).unwrap();
        let batch = bytes.len() / 3;
        bytes[batch + damaged_byte] ^= 0x55;
        std::fs::write(&segment, &bytes).unwrap();
        let running = start_again(dir).await;
        assert_eq!(running.watermarks("events"), [(0, 10)]);
        let files = std::fs::read_dir(segment.parent().unwrap())
            .unwrap()
            .map(|file| file.unwrap().path());
        let aside: Vec<PathBuf> = files
            .filter(|file| file.to_string_lossy().contains("damaged"))
            .collect();
        assert_eq!(aside.len(), 1);
        assert_eq!(
            std::fs::read(&aside[0]).unwrap(),
            bytes[batch..],
            "nothing is thrown away"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_are_read_again_when_their_index_is_missing_or_wrong() {
    let running = Running::start_with(|config| config.topic_defaults.segment_bytes = 5_000).await;
    running.broker.create_topic("events", 1).await.unwrap();
    let producer = running.producer(&[("batch.num.messages", "20")]);
    producer.send_numbers("events", 0, 5_000);
    producer.acknowledged();
    let Running { broker, dir } = running;
    broker.shutdown().await;
    let files = || {
        std::fs::read_dir(dir.path().join("topics/events/0"))
            .unwrap()
            .map(|file| file.unwrap().path())
    };
    let mut indexes: Vec<PathBuf> = files()
        .filter(|file| file.extension().is_some_and(|kind| kind == "index"))
        .collect();
    indexes.sort();
    assert!(indexes.len() > 5, "every full segment has an index");
    std::fs::remove_file(&indexes[0]).unwrap();
    std::fs::write(&indexes[1], b"nonsense").unwrap();
    let mut flipped = std::fs::read(&indexes[2]).unwrap();
    flipped[20] ^= 1;
    std::fs::write(&indexes[2], flipped).unwrap();
    let running = start_again(dir).await;
    assert_eq!(running.watermarks("events"), [(0, 5_000)]);
    assert_eq!(running.read_all("events").await.len(), 5_000);
}

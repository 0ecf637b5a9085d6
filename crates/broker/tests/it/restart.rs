//! What is left after the process died: everything that was acknowledged, once.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use rwt_broker::{Broker, Config};

use crate::harness::{PATIENCE, Running, Sender, client, payloads, read_all};

/// The broker as a process of its own, which dies with the value.
struct Process(Child);

impl Process {
    fn start(dir: &Path, address: &str) -> (Self, String) {
        let mut child = Command::new(example()).arg(dir).arg(address).stdout(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        (Self(child), address.trim().to_owned())
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

/// Cargo builds examples for `cargo test`, beside the directory of the test binary.
fn example() -> PathBuf {
    let binary = std::env::current_exe().unwrap();
    binary.parent().unwrap().parent().unwrap().join("examples").join("broker")
}

#[test]
fn killed_in_mid_load_it_loses_no_acknowledged_record_and_repeats_none() {
    let dir = tempfile::tempdir().unwrap();
    let (mut process, address) = Process::start(dir.path(), "127.0.0.1:0");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let admin: rdkafka::admin::AdminClient<_> = client(&address, &[]).create().unwrap();
        let topic = rdkafka::admin::NewTopic::new("events", 2, rdkafka::admin::TopicReplication::Fixed(1));
        let topic = topic.set("segment.bytes", "100000");
        admin.create_topics([&topic], &Default::default()).await.unwrap().remove(0).unwrap();
    });
    let sender = Sender::new(client(
        &address,
        &[("enable.idempotence", "true"), ("linger.ms", "1"), ("batch.num.messages", "50"), ("reconnect.backoff.max.ms", "50")],
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
            let files = [0, 1].into_iter().flat_map(|partition| std::fs::read_dir(log(partition)).unwrap());
            files.map(|file| file.unwrap().metadata().map_or(0, |file| file.len())).sum()
        };
        let patience = std::time::Instant::now() + PATIENCE;
        while written() < (round + 1) * 150_000 && !writer.is_finished() {
            assert!(std::time::Instant::now() < patience);
            std::thread::sleep(Duration::from_millis(1));
        }
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
        let expected: Vec<String> = (0..total).filter(|number| number % 2 == partition).map(|number| number.to_string()).collect();
        assert_eq!(read[&partition].len(), expected.len());
        assert_eq!(read[&partition], expected, "partition {partition}: each record once and in order");
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
            let topic = rdkafka::admin::NewTopic::new(name, 1, rdkafka::admin::TopicReplication::Fixed(1));
            admin.create_topics([&topic], &Default::default()).await.unwrap().remove(0).unwrap();
        }
        let sender = Sender::new(client(&address, &[]));
        sender.send_numbers("kept", 0, 100);
        sender.acknowledged();
        admin.delete_topics(&["deleted"], &Default::default()).await.unwrap().remove(0).unwrap();
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset("kept", 0, Offset::Offset(40)).unwrap();
        admin.delete_records(&offsets, &Default::default()).await.unwrap();
    });
    let consumer: BaseConsumer = client(&address, &[("group.id", "g")]).create().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("kept", 0, Offset::Offset(77)).unwrap();
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
    process.kill();

    let (_process, address) = Process::start(dir.path(), &address);
    let messages = read_all(&address, "kept");
    assert_eq!((messages[0].offset(), messages.len()), (40, 60));
    let consumer: BaseConsumer = client(&address, &[("group.id", "g")]).create().unwrap();
    assert_eq!(consumer.fetch_metadata(None, PATIENCE).unwrap().topics().len(), 1);
    let mut asked = TopicPartitionList::new();
    asked.add_partition("kept", 0);
    let committed = consumer.committed_offsets(asked, PATIENCE).unwrap();
    assert_eq!(committed.find_partition("kept", 0).unwrap().offset(), Offset::Offset(77));
}

/// A stopped broker with three batches of ten records in one segment, and that segment.
async fn stopped_with_three_batches() -> (tempfile::TempDir, PathBuf) {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    for _ in 0..3 {
        let producer = running.producer(&[("linger.ms", "100")]);
        producer.send_numbers("events", 0, 10);
        producer.acknowledged();
    }
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
    for (length, records) in [(3 * batch - 1, 20), (2 * batch + 61, 20), (2 * batch + 5, 20), (2 * batch, 20), (batch + 1, 10), (0, 0)] {
        std::fs::write(&segment, &whole[..length]).unwrap();
        let running = start_again(dir).await;
        assert_eq!(running.watermarks("events"), [(0, records)], "{length} bytes were left");
        assert_eq!(running.read_all("events").await.len() as i64, records);
        // The log goes on where it was cut.
        let producer = running.producer(&[]);
        producer.send("events", Some(0), "", "next", None);
        assert_eq!(producer.acknowledged()[&0], [records]);
        assert_eq!(payloads(&running.read_all("events").await).last().unwrap(), "next");
        dir = running.dir;
        running.broker.shutdown().await;
    }
    // Blocks that the file system had reserved but not written read as zeros.
    std::fs::write(&segment, [&whole[..batch], &[0; 4096]].concat()).unwrap();
    assert_eq!(start_again(dir).await.watermarks("events"), [(0, 10)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_batch_ends_the_log_and_the_rest_is_set_aside() {
    let (dir, segment) = stopped_with_three_batches().await;
    let whole = std::fs::read(&segment).unwrap();
    let mut file = OpenOptions::new().write(true).open(&segment).unwrap();
    file.seek(SeekFrom::Start(whole.len() as u64 / 3 + 80)).unwrap();
    file.write_all(b"rotten").unwrap();
    drop(file);
    let running = start_again(dir).await;
    assert_eq!(running.watermarks("events"), [(0, 10)]);
    let aside = std::fs::read_dir(segment.parent().unwrap()).unwrap().map(|file| file.unwrap().path());
    let aside: Vec<PathBuf> = aside.filter(|file| file.to_string_lossy().contains("damaged")).collect();
    assert_eq!(aside.len(), 1);
    let kept = std::fs::read(&aside[0]).unwrap();
    assert_eq!(kept.len(), whole.len() / 3 * 2, "nothing is thrown away");
    assert_eq!(kept[kept.len() / 2..], whole[whole.len() / 3 * 2..]);
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
    let files = || std::fs::read_dir(dir.path().join("topics/events/0")).unwrap().map(|file| file.unwrap().path());
    let mut indexes: Vec<PathBuf> = files().filter(|file| file.extension().is_some_and(|kind| kind == "index")).collect();
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

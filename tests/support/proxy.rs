//! A proxy before the engine that hears every statement, and answers, holds or cuts off some of them as a test says: the
//! stand-in for what the engine itself cannot show.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What becomes of a statement.
#[derive(Clone)]
pub enum Answer {
    /// The engine gets it.
    Pass,
    /// The client gets this command tag, the engine nothing.
    Done(&'static str),
    /// The client gets these rows of text, the engine nothing.
    Rows(&'static [&'static str], Vec<Vec<String>>),
    /// The engine gets it, and the client's connection ends before the answer.
    PassAndCut,
}

type Rules = dyn Fn(&str) -> Answer + Send + Sync;

pub struct Proxy {
    pub port: u16,
    heard: Arc<Mutex<Vec<String>>>,
    cancels: Arc<AtomicUsize>,
}

/// What a cancel request has in the place of a protocol version.
const CANCEL_REQUEST: u32 = 80_877_102;

impl Proxy {
    /// A proxy before the engine on `engine_port`; `rules` decides for each message of the simple protocol, which it sees
    /// without the comment before it.
    pub fn start(engine_port: u16, rules: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let rules: Arc<Rules> = Arc::new(rules);
        let cancels = Arc::new(AtomicUsize::new(0));
        let (log, counted) = (heard.clone(), cancels.clone());
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), rules, log) = (client, rules.clone(), log.clone()) else {
                    return;
                };
                let counted = counted.clone();
                // A connection that breaks is what some tests are about.
                thread::spawn(move || serve(client, engine_port, &*rules, &log, &counted));
            }
        });
        Self {
            port,
            heard,
            cancels,
        }
    }

    /// How many cancel requests there were so far.
    pub fn cancel_requests(&self) -> usize {
        self.cancels.load(Ordering::SeqCst)
    }

    /// All statements so far, without the comments before them.
    pub fn heard(&self) -> Vec<String> {
        let heard = self.heard_as_sent();
        let plain = heard.iter().map(|sql| without_comment(sql).to_owned());
        plain.collect()
    }

    /// All messages so far, to the byte.
    pub fn heard_as_sent(&self) -> Vec<String> {
        self.heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Statements that hold a text.
    pub fn heard_with(&self, part: &str) -> Vec<String> {
        let mut all = self.heard();
        all.retain(|sql| sql.contains(part));
        all
    }
}

fn serve(
    mut client: TcpStream,
    engine_port: u16,
    rules: &Rules,
    log: &Mutex<Vec<String>>,
    cancels: &AtomicUsize,
) -> Option<()> {
    let mut engine = TcpStream::connect((Ipv4Addr::LOCALHOST, engine_port)).ok()?;
    let startup = read_body(&mut client)?;
    if startup.starts_with(&CANCEL_REQUEST.to_be_bytes()) {
        cancels.fetch_add(1, Ordering::SeqCst);
    }
    engine
        .write_all(&u32::try_from(startup.len() + 4).ok()?.to_be_bytes())
        .ok()?;
    engine.write_all(&startup).ok()?;
    let (mut from, mut to) = (engine.try_clone().ok()?, client.try_clone().ok()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    loop {
        let mut tag = [0];
        client.read_exact(&mut tag).ok()?;
        let body = read_body(&mut client)?;
        let mut answer = Answer::Pass;
        if tag[0] == b'Q' {
            let sql = String::from_utf8_lossy(&body[..body.len() - 1]).into_owned();
            answer = rules(without_comment(&sql));
            log.lock().unwrap_or_else(PoisonError::into_inner).push(sql);
        }
        match answer {
            Answer::Done(word) => client.write_all(&reply(&[], &[], word)).ok()?,
            Answer::Rows(columns, rows) => {
                client.write_all(&reply(columns, &rows, "SELECT 0")).ok()?;
            }
            Answer::Pass | Answer::PassAndCut => {
                if matches!(answer, Answer::PassAndCut) {
                    client.shutdown(Shutdown::Both).ok()?;
                }
                engine.write_all(&tag).ok()?;
                engine
                    .write_all(&u32::try_from(body.len() + 4).ok()?.to_be_bytes())
                    .ok()?;
                engine.write_all(&body).ok()?;
                if matches!(answer, Answer::PassAndCut) {
                    // Until the engine has answered, its side stays open.
                    thread::sleep(std::time::Duration::from_secs(2));
                    return None;
                }
            }
        }
    }
}

fn without_comment(sql: &str) -> &str {
    let behind = sql
        .strip_prefix("/*")
        .and_then(|rest| rest.split_once("*/"));
    behind.map_or(sql, |(_, rest)| rest.trim_start())
}

/// A message's body, behind its length.
fn read_body(from: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length).ok()?;
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
    let mut body = vec![0; length.checked_sub(4)?];
    from.read_exact(&mut body).ok()?;
    Some(body)
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a short message");
    [&[tag], length.to_be_bytes().as_slice(), body].concat()
}

/// RowDescription and DataRows where there are columns, CommandComplete, ReadyForQuery.
fn reply(columns: &[&str], rows: &[Vec<String>], word: &str) -> Vec<u8> {
    let count = |n: usize| u16::try_from(n).expect("few columns").to_be_bytes();
    let mut out = Vec::new();
    if !columns.is_empty() {
        let mut body = count(columns.len()).to_vec();
        for name in columns {
            body.extend(name.as_bytes());
            // Name's end, table, attribute, type varchar, its length, modifier, text format.
            body.extend([0, 0, 0, 0, 0, 0, 0]);
            body.extend(1043_u32.to_be_bytes());
            body.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0]);
        }
        out.extend(message(b'T', &body));
    }
    for row in rows {
        let mut body = count(row.len()).to_vec();
        for cell in row {
            body.extend(
                u32::try_from(cell.len())
                    .expect("a short cell")
                    .to_be_bytes(),
            );
            body.extend(cell.as_bytes());
        }
        out.extend(message(b'D', &body));
    }
    out.extend(message(b'C', &[word.as_bytes(), &[0]].concat()));
    out.extend(message(b'Z', b"I"));
    out
}

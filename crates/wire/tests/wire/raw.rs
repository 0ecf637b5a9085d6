//! A client that writes and reads bytes.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Long enough for a busy machine; reached only when an answer is missing.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Raw {
    stream: TcpStream,
    unsent: Vec<u8>,
}

/// A message of the server.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub tag: char,
    pub body: Vec<u8>,
}

impl Reply {
    /// The `M` field of an error or notice, after checking that there are exactly three fields.
    pub fn message(&self) -> String {
        self.fields()[2].1.clone()
    }

    pub fn code(&self) -> String {
        self.fields()[1].1.clone()
    }

    pub fn fields(&self) -> Vec<(char, String)> {
        assert!(matches!(self.tag, 'E' | 'N'), "{self:?}");
        let parts = self.body.split(|byte| *byte == 0);
        let fields: Vec<_> = parts
            .filter(|part| !part.is_empty())
            .map(|part| {
                (
                    part[0].into(),
                    String::from_utf8(part[1..].to_vec()).unwrap(),
                )
            })
            .collect();
        let tags: String = fields.iter().map(|(tag, _)| *tag).collect();
        assert_eq!(tags, "SCM");
        fields
    }

    /// Text up to the first zero byte.
    pub fn text(&self) -> String {
        let end = self
            .body
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(self.body.len());
        String::from_utf8(self.body[..end].to_vec()).unwrap()
    }

    /// The values of a DataRow.
    pub fn values(&self) -> Vec<Option<Vec<u8>>> {
        assert_eq!(self.tag, 'D');
        let mut rest = &self.body[2..];
        let mut values = Vec::new();
        while let Some((length, after)) = rest.split_first_chunk() {
            match usize::try_from(i32::from_be_bytes(*length)) {
                Ok(length) => {
                    values.push(Some(after[..length].to_vec()));
                    rest = &after[length..];
                }
                Err(_) => {
                    values.push(None);
                    rest = after;
                }
            }
        }
        assert_eq!(
            values.len(),
            usize::from(u16::from_be_bytes([self.body[0], self.body[1]]))
        );
        values
    }

    /// The values of a DataRow in the text format, NULL as `NULL`.
    pub fn texts(&self) -> Vec<String> {
        let text =
            |value: Option<Vec<u8>>| value.map_or("NULL".into(), |v| String::from_utf8(v).unwrap());
        self.values().into_iter().map(text).collect()
    }
}

/// The tags of messages, as one word.
pub fn tags(replies: &[Reply]) -> String {
    replies.iter().map(|reply| reply.tag).collect()
}

/// A StartupMessage of protocol 3.0.
pub fn startup(parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = 196_608_i32.to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend(format!("{name}\0{value}\0").bytes());
    }
    body.push(0);
    packet(&body)
}

/// A packet without tag.
pub fn packet(body: &[u8]) -> Vec<u8> {
    let mut packet = (body.len() as u32 + 4).to_be_bytes().to_vec();
    packet.extend(body);
    packet
}

impl Raw {
    pub async fn open(address: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(address).await.unwrap(),
            unsent: Vec::new(),
        }
    }

    /// A started session; its number.
    pub async fn session(address: SocketAddr) -> (Self, i32) {
        let mut raw = Self::open(address).await;
        raw.bytes(&startup(&[("user", "root"), ("database", "dev")]))
            .await;
        let replies = raw.until_ready().await;
        let key = replies.iter().find(|reply| reply.tag == 'K').unwrap();
        let session = i32::from_be_bytes(key.body[..4].try_into().unwrap());
        (raw, session)
    }

    pub async fn bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Adds a message to what [`Self::send`] sends.
    pub fn add(&mut self, tag: char, body: &[u8]) -> &mut Self {
        self.unsent.push(tag as u8);
        self.unsent.extend(packet(body));
        self
    }

    pub fn parse(&mut self, name: &str, sql: &str, types: &[u32]) -> &mut Self {
        let mut body = format!("{name}\0{sql}\0").into_bytes();
        body.extend((types.len() as u16).to_be_bytes());
        types
            .iter()
            .for_each(|number| body.extend(number.to_be_bytes()));
        self.add('P', &body)
    }

    /// Bind with text values and one result format for all columns.
    pub fn bind(
        &mut self,
        portal: &str,
        statement: &str,
        values: &[Option<&str>],
        format: u16,
    ) -> &mut Self {
        let values: Vec<_> = values
            .iter()
            .map(|value| value.map(str::as_bytes))
            .collect();
        self.bind_as(portal, statement, 0, &values, format)
    }

    pub fn bind_as(
        &mut self,
        portal: &str,
        statement: &str,
        value_format: u16,
        values: &[Option<&[u8]>],
        format: u16,
    ) -> &mut Self {
        let mut body = format!("{portal}\0{statement}\0").into_bytes();
        body.extend([0, 1]);
        body.extend(value_format.to_be_bytes());
        body.extend((values.len() as u16).to_be_bytes());
        for value in values {
            match value {
                None => body.extend((-1_i32).to_be_bytes()),
                Some(value) => {
                    body.extend((value.len() as u32).to_be_bytes());
                    body.extend(*value);
                }
            }
        }
        body.extend([0, 1]);
        body.extend(format.to_be_bytes());
        self.add('B', &body)
    }

    /// `kind` is `S` for a statement and `P` for a portal.
    pub fn describe(&mut self, kind: char, name: &str) -> &mut Self {
        self.add('D', format!("{kind}{name}\0").as_bytes())
    }

    pub fn close(&mut self, kind: char, name: &str) -> &mut Self {
        self.add('C', format!("{kind}{name}\0").as_bytes())
    }

    pub fn execute(&mut self, portal: &str, limit: u32) -> &mut Self {
        let mut body = format!("{portal}\0").into_bytes();
        body.extend(limit.to_be_bytes());
        self.add('E', &body)
    }

    /// Sends what was added.
    pub async fn send(&mut self) {
        let unsent = std::mem::take(&mut self.unsent);
        self.bytes(&unsent).await;
    }

    /// Sends what was added and Sync, and reads to ReadyForQuery.
    pub async fn sync(&mut self) -> Vec<Reply> {
        self.add('S', b"").send().await;
        self.until_ready().await
    }

    /// A simple query up to ReadyForQuery.
    pub async fn query(&mut self, sql: &str) -> Vec<Reply> {
        self.add('Q', format!("{sql}\0").as_bytes()).send().await;
        self.until_ready().await
    }

    pub async fn until_ready(&mut self) -> Vec<Reply> {
        let mut replies = Vec::new();
        loop {
            let reply = self
                .reply()
                .await
                .expect("the server closed the connection");
            let ready = reply.tag == 'Z';
            replies.push(reply);
            if ready {
                return replies;
            }
        }
    }

    /// All messages up to the end of the connection.
    pub async fn until_closed(&mut self) -> Vec<Reply> {
        let mut replies = Vec::new();
        while let Some(reply) = self.reply().await {
            replies.push(reply);
        }
        replies
    }

    /// The next message, `None` at the end of the connection.
    pub async fn reply(&mut self) -> Option<Reply> {
        let tag = self.byte().await?;
        let read = async {
            let length = self.stream.read_u32().await.unwrap() as usize;
            let mut body = vec![0; length - 4];
            self.stream.read_exact(&mut body).await.unwrap();
            body
        };
        let body = timeout(PATIENCE, read).await.unwrap();
        Some(Reply {
            tag: tag.into(),
            body,
        })
    }

    /// One byte, `None` at the end of the connection.
    pub async fn byte(&mut self) -> Option<u8> {
        let read = timeout(PATIENCE, self.stream.read_u8()).await;
        read.expect("the server neither answered nor closed the connection")
            .ok()
    }

    /// Tells the server that nothing more will come.
    pub async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Writes whatever the server takes, and reads until it closes the connection.
    pub async fn provoke(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
        self.finish().await;
        let mut rest = Vec::new();
        let _ = timeout(PATIENCE, self.stream.read_to_end(&mut rest))
            .await
            .expect("the server did not close the connection");
    }
}

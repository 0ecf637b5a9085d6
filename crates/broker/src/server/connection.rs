//! One client connection: frames in, frames out, one request at a time.
//!
//! What a client may hold: one frame of at most [`crate::Config::max_request_bytes`]; frames above 64 KiB share twice that among
//! all clients. A client that is slower than 256 KiB a second is disconnected. A response that nobody reads closes the connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use crate::node::Node;
use crate::server::dispatch::{self, CallError};

/// Frames up to this size are not counted against the memory for requests.
const SMALL_FRAME: usize = 64 << 10;
/// A client that sends nothing for this long is disconnected (Kafka's `connections.max.idle.ms`).
const IDLE: Duration = Duration::from_secs(600);
/// How long a frame or a response may take, beside the time that its bytes need.
const STALLED: Duration = Duration::from_secs(30);

/// Why a connection ended other than by the client closing it between two requests.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The network failed or the client went away in mid-frame.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The announced length is negative or above the limit.
    #[error("a request of {0} bytes is not accepted")]
    FrameSize(i32),
    /// Nothing was sent or taken for too long.
    #[error("the client is stalled")]
    Stalled,
    /// The request could not be answered.
    #[error("{0}")]
    Call(#[from] CallError),
}

/// The client's end of a connection, as handlers see it.
#[derive(Debug)]
pub struct Peer<'a> {
    /// Its address.
    pub address: SocketAddr,
    reader: &'a OwnedReadHalf,
}

impl Peer<'_> {
    /// Waits until the client closes the connection. Never returns if it sends something instead.
    pub async fn gone(&self) {
        // The codec below reads frames only between two calls, so bytes seen here are the next request and stay in place.
        let mut waiting = [0; 1];
        if !matches!(
            self.reader.as_ref().peek(&mut waiting).await,
            Ok(0) | Err(_)
        ) {
            std::future::pending::<()>().await;
        }
    }
}

/// Serves a client until it goes, misbehaves, or the broker stops. A request that has been read is dealt with to the end, so
/// that nothing is written after the broker has stopped.
pub async fn serve(node: Arc<Node>, stream: TcpStream, address: SocketAddr) {
    let _ = stream.set_nodelay(true);
    let (mut reader, mut writer) = stream.into_split();
    loop {
        match serve_one(&node, &mut reader, &mut writer, address).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::debug!(%address, %error, "connection closed");
                return;
            }
        }
    }
}

/// Reads, answers and writes one request; false when the client has closed the connection or the broker stops.
async fn serve_one(
    node: &Arc<Node>,
    reader: &mut OwnedReadHalf,
    writer: &mut OwnedWriteHalf,
    address: SocketAddr,
) -> Result<bool, ConnectionError> {
    let request = async {
        let Some(size) = read_size(node, reader).await? else {
            return Ok(None);
        };
        let share = if size > SMALL_FRAME {
            u32::try_from(size).unwrap_or(u32::MAX)
        } else {
            0
        };
        let memory = node
            .request_memory
            .acquire_many(share)
            .await
            .map_err(|_| ConnectionError::Stalled)?;
        let patience = STALLED + transfer_time(size);
        let frame = timeout(patience, read_frame(reader, size)).await;
        Ok::<_, ConnectionError>(Some((
            frame.map_err(|_| ConnectionError::Stalled)??,
            memory,
        )))
    };
    let request = tokio::select! {
        biased;
        () = node.stopped() => return Ok(false),
        request = request => request?,
    };
    let Some((frame, _memory)) = request else {
        return Ok(false);
    };
    let peer = Peer { address, reader };
    if let Some(response) = dispatch::answer(node, &peer, frame).await? {
        let patience = STALLED + transfer_time(response.len());
        tokio::select! {
            // Tried first: an answer that fits the socket's buffer reaches the client also when the broker stops now, so that it
            // need not send its records again.
            biased;
            written = timeout(patience, writer.write_all(&response)) => {
                written.map_err(|_| ConnectionError::Stalled)??;
            }
            () = node.stopped() => return Ok(false),
        }
    }
    Ok(true)
}

/// Time that a slow but honest client gets for so many bytes: 256 KiB a second.
fn transfer_time(bytes: usize) -> Duration {
    Duration::from_millis(bytes as u64 / 256)
}

async fn read_size(
    node: &Node,
    reader: &mut OwnedReadHalf,
) -> Result<Option<usize>, ConnectionError> {
    let mut size = [0; 4];
    match timeout(IDLE, reader.read(&mut size[..1])).await {
        Ok(Ok(0)) | Err(_) => return Ok(None),
        Ok(read) => drop(read?),
    }
    timeout(STALLED, reader.read_exact(&mut size[1..]))
        .await
        .map_err(|_| ConnectionError::Stalled)??;
    let size = i32::from_be_bytes(size);
    match usize::try_from(size) {
        Ok(bytes) if bytes <= node.config.max_request_bytes => Ok(Some(bytes)),
        _ => Err(ConnectionError::FrameSize(size)),
    }
}

async fn read_frame(reader: &mut OwnedReadHalf, size: usize) -> io::Result<Bytes> {
    // Grows with what arrives: an announced size alone reserves nothing.
    let mut frame = BytesMut::with_capacity(size.min(SMALL_FRAME));
    while frame.len() < size {
        let left = size - frame.len();
        let mut rest = (&mut *reader).take(left as u64);
        if rest.read_buf(&mut frame).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(frame.freeze())
}

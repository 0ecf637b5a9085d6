//! The byte stream in frames: bounded reads, buffered writes.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes in the output buffer above which rows wait for the client to take them.
const HIGH_WATER: usize = 64 * 1024;

/// A connection's bytes.
pub(crate) struct Socket<S> {
    stream: S,
    input: BytesMut,
    /// What was not sent yet.
    pub(crate) output: BytesMut,
}

/// Why there is no further frame.
#[derive(Debug)]
pub(crate) enum NoFrame {
    /// The client closed the connection, or it broke.
    Gone,
    /// The announced length is below its own size.
    Malformed,
    /// The announced length, in bytes, is above the limit.
    TooLarge(usize),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
            output: BytesMut::new(),
        }
    }

    /// The body of a packet without tag, as they open a connection.
    pub(crate) async fn read_opening(&mut self, limit: usize) -> Result<Bytes, NoFrame> {
        self.read_body(0, limit).await
    }

    /// A message's tag and body. Dropping the future loses nothing.
    pub(crate) async fn read_message(&mut self, limit: usize) -> Result<(u8, Bytes), NoFrame> {
        while self.input.is_empty() {
            self.fill().await?;
        }
        let tag = self.input[0];
        Ok((tag, self.read_body(1, limit).await?))
    }

    /// What stands behind `skip` bytes and a length. Memory grows with the bytes that arrive, not with the announced
    /// length.
    async fn read_body(&mut self, skip: usize, limit: usize) -> Result<Bytes, NoFrame> {
        let head = skip + 4;
        while self.input.len() < head {
            self.fill().await?;
        }
        let length = (&self.input[skip..head]).get_u32() as usize;
        if length < 4 {
            return Err(NoFrame::Malformed);
        }
        if length > limit {
            return Err(NoFrame::TooLarge(length));
        }
        while self.input.len() < skip + length {
            self.fill().await?;
        }
        let mut frame = self.input.split_to(skip + length);
        frame.advance(head);
        Ok(frame.freeze())
    }

    async fn fill(&mut self) -> Result<(), NoFrame> {
        self.input.reserve(8 * 1024);
        match self.stream.read_buf(&mut self.input).await {
            Ok(0) | Err(_) => Err(NoFrame::Gone),
            Ok(_) => Ok(()),
        }
    }

    /// Sends all that was written.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.output).await?;
        self.output.clear();
        self.stream.flush().await
    }

    /// Sends what was written if it is much, and says if it was: the back-pressure of rows.
    pub(crate) async fn relieve(&mut self) -> io::Result<bool> {
        if self.output.len() < HIGH_WATER {
            return Ok(false);
        }
        self.flush().await?;
        Ok(true)
    }

    /// Sends one byte outside of any message, as encryption requests are answered.
    pub(crate) async fn answer_byte(&mut self, byte: u8) -> io::Result<()> {
        self.stream.write_all(&[byte]).await?;
        self.stream.flush().await
    }
}

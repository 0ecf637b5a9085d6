//! Rows on their way to the client: DataRow or CopyData, with limits and back-pressure.

use arrow::array::{Array, ArrayRef};
use bytes::{BufMut, BytesMut};
use futures::StreamExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::backend::{Column, RowStream, RowsTag};
use crate::canonical::canonical_columns;
use crate::encode::{Format, TextFormat, put_value};
use crate::error::{Refusal, SqlError, Stage};
use crate::guard::{Problem, guarded};
use crate::reply::{self, Formats};
use crate::socket::Socket;

/// How the rows are sent and what ends them.
pub(crate) enum Kind {
    Query { tag: RowsTag, formats: Formats },
    Copy,
}

/// A result, sent as far as the client asked for it.
pub(crate) struct Rows {
    columns: Vec<Column>,
    stream: RowStream,
    kind: Kind,
    text: TextFormat,
    stage: Stage,
    /// The statement's own token; it goes on when a suspended portal does.
    pub(crate) token: CancellationToken,
    batch: Vec<ArrayRef>,
    next: usize,
    end: usize,
}

/// Where sending stopped.
pub(crate) enum Progress {
    /// All rows are sent; the tag is to follow.
    Complete(String),
    /// The limit was reached.
    Suspended,
}

impl Rows {
    pub(crate) fn new(
        columns: Vec<Column>,
        stream: RowStream,
        kind: Kind,
        text: TextFormat,
        stage: Stage,
        token: CancellationToken,
    ) -> Result<Self, Problem> {
        if columns.len() > i16::MAX as usize {
            let error = SqlError::internal("a result has at most 32767 columns");
            return Err(Problem::Refused(Refusal::new(stage, error)));
        }
        Ok(Self {
            columns,
            stream,
            kind,
            text,
            stage,
            token,
            batch: Vec::new(),
            next: 0,
            end: 0,
        })
    }

    /// What precedes the rows in the simple protocol, and before COPY always.
    pub(crate) fn announce(&self, out: &mut BytesMut) {
        match &self.kind {
            Kind::Query { formats, .. } => reply::row_description(out, &self.columns, formats),
            Kind::Copy => reply::copy_out_response(out, self.columns.len()),
        }
    }

    pub(crate) fn is_copy(&self) -> bool {
        matches!(self.kind, Kind::Copy)
    }

    /// Sends at most `limit` rows, all for 0.
    pub(crate) async fn send<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut Socket<S>,
        limit: u32,
    ) -> Result<Progress, Problem> {
        let limit = match limit {
            0 => u64::MAX,
            limit => limit.into(),
        };
        let mut sent: u64 = 0;
        while sent < limit {
            while self.next == self.end {
                if !self.fetch().await? {
                    return Ok(Progress::Complete(self.finish(sent, &mut socket.output)));
                }
            }
            self.put_row(&mut socket.output)?;
            self.next += 1;
            sent += 1;
            if socket.relieve().await? && self.token.is_cancelled() {
                return Err(Problem::Refused(Refusal::new(
                    self.stage,
                    SqlError::cancelled(),
                )));
            }
        }
        Ok(Progress::Suspended)
    }

    /// Fetches the next batch; false at the end.
    async fn fetch(&mut self) -> Result<bool, Problem> {
        let stream = &mut self.stream;
        let columns = &self.columns;
        let fetched = guarded(self.stage, &self.token, async {
            match stream.next().await {
                None => Ok(None),
                Some(batch) => {
                    let batch = batch?;
                    Ok(Some((
                        canonical_columns(&batch, columns)?,
                        batch.num_rows(),
                    )))
                }
            }
        });
        let Some((batch, rows)) = fetched.await? else {
            return Ok(false);
        };
        (self.batch, self.next, self.end) = (batch, 0, rows);
        Ok(true)
    }

    /// Writes one row; of a row that cannot be written nothing remains.
    fn put_row(&self, out: &mut BytesMut) -> Result<(), Problem> {
        let start = out.len();
        let written = match &self.kind {
            Kind::Query { formats, .. } => self.put_data_row(out, formats),
            Kind::Copy => self.put_copy_data(out),
        };
        written.map_err(|error| {
            out.truncate(start);
            Problem::Refused(Refusal::new(self.stage, error))
        })
    }

    fn put_data_row(&self, out: &mut BytesMut, formats: &Formats) -> Result<(), SqlError> {
        let message = reply::begin(out, b'D');
        out.put_u16(self.columns.len() as u16);
        for (i, (column, array)) in self.columns.iter().zip(&self.batch).enumerate() {
            put_value(
                out,
                array,
                self.next,
                &column.data_type,
                formats.of(i),
                &self.text,
            )?;
        }
        reply::end(out, message);
        Ok(())
    }

    /// A line of fields between tabs. RisingWave writes NULL as an empty field.
    fn put_copy_data(&self, out: &mut BytesMut) -> Result<(), SqlError> {
        let message = reply::begin(out, b'd');
        for (i, (column, array)) in self.columns.iter().zip(&self.batch).enumerate() {
            if i > 0 {
                out.put_u8(b'\t');
            }
            if array.is_null(self.next) {
                continue;
            }
            let mut field = String::new();
            self.text
                .write(&mut field, array, self.next, &column.data_type)?;
            for byte in field.bytes() {
                match byte {
                    b'\\' => out.put_slice(b"\\\\"),
                    b'\t' => out.put_slice(b"\\t"),
                    b'\n' => out.put_slice(b"\\n"),
                    b'\r' => out.put_slice(b"\\r"),
                    byte => out.put_u8(byte),
                }
            }
        }
        out.put_u8(b'\n');
        reply::end(out, message);
        Ok(())
    }

    fn finish(&self, sent: u64, out: &mut BytesMut) -> String {
        match &self.kind {
            Kind::Query {
                tag: RowsTag::Counted(words),
                ..
            } => format!("{words} {sent}"),
            Kind::Query {
                tag: RowsTag::Fixed(tag),
                ..
            } => tag.clone(),
            Kind::Copy => {
                reply::bare(out, b'c');
                format!("COPY {sent}")
            }
        }
    }
}

impl Formats {
    /// Everything as text, as the simple protocol has it.
    pub(crate) const TEXT: Self = Self::All(Format::Text);
}

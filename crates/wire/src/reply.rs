//! Messages of the server, written into the output buffer.

use bytes::{BufMut, BytesMut};

use crate::backend::Column;
use crate::encode::Format;
use crate::error::Refusal;
use crate::types::{length, oid};

/// The formats of a result's columns.
#[derive(Debug, Clone)]
pub(crate) enum Formats {
    /// All alike.
    All(Format),
    /// One for each column.
    Each(Vec<Format>),
}

impl Formats {
    pub(crate) fn of(&self, column: usize) -> Format {
        match self {
            Self::All(format) => *format,
            Self::Each(formats) => formats.get(column).copied().unwrap_or(Format::Text),
        }
    }
}

/// `AuthenticationOk`
pub(crate) fn authentication_ok(out: &mut BytesMut) {
    message(out, b'R', |out| out.put_i32(0));
}

/// The session's number twice: RisingWave has no secret key.
pub(crate) fn backend_key_data(out: &mut BytesMut, session: i32) {
    message(out, b'K', |out| {
        out.put_i32(session);
        out.put_i32(session);
    });
}

pub(crate) fn parameter_status(out: &mut BytesMut, name: &str, value: &str) {
    message(out, b'S', |out| {
        put_text(out, name);
        put_text(out, value);
    });
}

pub(crate) fn ready_for_query(out: &mut BytesMut, in_transaction: bool) {
    message(out, b'Z', |out| {
        out.put_u8(if in_transaction { b'T' } else { b'I' })
    });
}

pub(crate) fn command_complete(out: &mut BytesMut, tag: &str) {
    message(out, b'C', |out| put_text(out, tag));
}

/// Messages that are only a tag: ParseComplete `1`, BindComplete `2`, CloseComplete `3`, NoData `n`, PortalSuspended
/// `s`, EmptyQueryResponse `I`, CopyDone `c`.
pub(crate) fn bare(out: &mut BytesMut, tag: u8) {
    message(out, tag, |_| ());
}

/// ErrorResponse with RisingWave's three fields.
pub(crate) fn error_response(out: &mut BytesMut, refusal: &Refusal) {
    fields(
        out,
        b'E',
        "ERROR",
        refusal.error.state.code(),
        &refusal.message(),
    );
}

pub(crate) fn notice_response(out: &mut BytesMut, text: &str) {
    fields(out, b'N', "NOTICE", "00000", text);
}

fn fields(out: &mut BytesMut, tag: u8, severity: &str, code: &str, text: &str) {
    message(out, tag, |out| {
        for (field, value) in [(b'S', severity), (b'C', code), (b'M', text)] {
            out.put_u8(field);
            put_text(out, value);
        }
        out.put_u8(0);
    });
}

pub(crate) fn parameter_description(out: &mut BytesMut, oids: impl ExactSizeIterator<Item = u32>) {
    message(out, b't', |out| {
        out.put_u16(oids.len() as u16);
        oids.for_each(|oid| out.put_u32(oid));
    });
}

/// Table OID and attribute number are 0 and the modifier is -1 for all columns.
pub(crate) fn row_description(out: &mut BytesMut, columns: &[Column], formats: &Formats) {
    message(out, b'T', |out| {
        out.put_u16(columns.len() as u16);
        for (i, column) in columns.iter().enumerate() {
            put_text(out, &column.name);
            out.put_i32(0);
            out.put_i16(0);
            out.put_u32(oid(&column.data_type));
            out.put_i16(length(&column.data_type));
            out.put_i32(-1);
            out.put_i16(formats.of(i) as i16);
        }
    });
}

/// CopyOutResponse: text, also for each column.
pub(crate) fn copy_out_response(out: &mut BytesMut, columns: usize) {
    message(out, b'H', |out| {
        out.put_u8(0);
        out.put_u16(columns as u16);
        out.put_bytes(0, 2 * columns);
    });
}

/// A message with whatever `body` writes; its length is put in front afterwards.
fn message(out: &mut BytesMut, tag: u8, body: impl FnOnce(&mut BytesMut)) {
    let start = begin(out, tag);
    body(out);
    end(out, start);
}

/// Writes a tag and leaves room for the length; [`end`] takes the result.
pub(crate) fn begin(out: &mut BytesMut, tag: u8) -> usize {
    out.put_u8(tag);
    let start = out.len();
    out.put_i32(0);
    start
}

/// Fills in the length of a message that [`begin`] started.
pub(crate) fn end(out: &mut BytesMut, start: usize) {
    let length = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// Text and its zero byte. A zero byte inside would end the text early and tear the message.
fn put_text(out: &mut BytesMut, text: &str) {
    if text.contains('\0') {
        out.put_slice(text.replace('\0', "\u{fffd}").as_bytes());
    } else {
        out.put_slice(text.as_bytes());
    }
    out.put_u8(0);
}

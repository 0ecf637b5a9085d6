//! Messages of the client. Every read is bounded by its frame: what does not fit is [`Malformed`], never a panic.

use std::collections::HashMap;

use bytes::{Buf, Bytes};

use crate::encode::Format;

/// A packet before the session exists.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// SSLRequest or GSSENCRequest.
    Encryption,
    /// CancelRequest.
    Cancel { session: i32, key: i32 },
    /// StartupMessage of protocol 3.0 with its parameters.
    Startup(HashMap<String, String>),
    /// Another protocol version.
    Unsupported,
}

/// A message of a session.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Query(String),
    Parse {
        name: String,
        sql: String,
        types: Vec<u32>,
    },
    Bind(Bind),
    Describe(Target),
    Close(Target),
    Execute {
        portal: String,
        /// 0 for all.
        limit: u32,
    },
    Flush,
    Sync,
    Terminate,
    /// FunctionCall, which RisingWave answers by closing the connection.
    FunctionCall,
    /// Messages that have no meaning here and need no answer: passwords that nobody asked for, and COPY data.
    Ignored,
}

/// Bind: a prepared statement with values becomes a portal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bind {
    pub(crate) portal: String,
    pub(crate) statement: String,
    pub(crate) formats: Vec<Format>,
    pub(crate) values: Vec<Option<Bytes>>,
    pub(crate) result_formats: Vec<Format>,
}

/// What Describe and Close speak of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Statement(String),
    Portal(String),
}

/// The bytes are no message of the protocol.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

const PROTOCOL_3_0: i32 = 196_608;
const CANCEL: i32 = 80_877_102;
const SSL: i32 = 80_877_103;
const GSS: i32 = 80_877_104;

impl Opening {
    /// `body` is the packet behind its length.
    pub(crate) fn decode(body: Bytes) -> Result<Self, Malformed> {
        let mut body = Body(body);
        match body.i32()? {
            SSL | GSS => Ok(Self::Encryption),
            CANCEL => Ok(Self::Cancel {
                session: body.i32()?,
                key: body.i32()?,
            }),
            PROTOCOL_3_0 => {
                let mut parameters = HashMap::new();
                loop {
                    let name = body.string()?;
                    if name.is_empty() {
                        return Ok(Self::Startup(parameters));
                    }
                    parameters.insert(name, body.string()?);
                }
            }
            _ => Ok(Self::Unsupported),
        }
    }
}

impl Message {
    /// `body` is the message behind its tag and length.
    pub(crate) fn decode(tag: u8, body: Bytes) -> Result<Self, Malformed> {
        let mut body = Body(body);
        let message = match tag {
            b'Q' => Self::Query(body.string()?),
            b'P' => Self::Parse {
                name: body.string()?,
                sql: body.string()?,
                types: body.list(Body::u32)?,
            },
            b'B' => Self::Bind(Bind {
                portal: body.string()?,
                statement: body.string()?,
                formats: body.list(Body::format)?,
                values: body.list(Body::value)?,
                result_formats: body.list(Body::format)?,
            }),
            b'D' => Self::Describe(body.target()?),
            b'C' => Self::Close(body.target()?),
            b'E' => Self::Execute {
                portal: body.string()?,
                limit: body.u32()?,
            },
            b'H' => Self::Flush,
            b'S' => Self::Sync,
            b'X' => Self::Terminate,
            b'F' => Self::FunctionCall,
            b'p' | b'd' | b'c' | b'f' => return Ok(Self::Ignored),
            _ => return Err(Malformed),
        };
        Ok(message)
    }
}

/// The rest of a frame.
struct Body(Bytes);

impl Body {
    fn u8(&mut self) -> Result<u8, Malformed> {
        self.0.try_get_u8().map_err(|_| Malformed)
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        self.0.try_get_u16().map_err(|_| Malformed)
    }

    fn i32(&mut self) -> Result<i32, Malformed> {
        self.0.try_get_i32().map_err(|_| Malformed)
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        self.0.try_get_u32().map_err(|_| Malformed)
    }

    /// Text up to a zero byte.
    fn string(&mut self) -> Result<String, Malformed> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or(Malformed)?;
        let text = self.0.split_to(end);
        self.0.advance(1);
        String::from_utf8(text.into()).map_err(|_| Malformed)
    }

    /// A count of two bytes and as many items.
    fn list<T>(
        &mut self,
        item: impl Fn(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.u16()?;
        (0..count).map(|_| item(self)).collect()
    }

    fn format(&mut self) -> Result<Format, Malformed> {
        match self.u16()? {
            0 => Ok(Format::Text),
            1 => Ok(Format::Binary),
            _ => Err(Malformed),
        }
    }

    /// A length, -1 for NULL, and as many bytes.
    fn value(&mut self) -> Result<Option<Bytes>, Malformed> {
        let length = self.i32()?;
        if length == -1 {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| Malformed)?;
        if length > self.0.len() {
            return Err(Malformed);
        }
        Ok(Some(self.0.split_to(length)))
    }

    fn target(&mut self) -> Result<Target, Malformed> {
        match self.u8()? {
            b'S' => Ok(Target::Statement(self.string()?)),
            b'P' => Ok(Target::Portal(self.string()?)),
            _ => Err(Malformed),
        }
    }
}

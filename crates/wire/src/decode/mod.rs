//! Parameters of Bind: text and binary values as [`Param`]. A value that does not fit is refused with the bare message
//! of the parser that refused it (`golden/wire.md` section 5).

mod binary;
mod calendar;
mod number;
mod text;

use rwt_sql::DataType;

use crate::encode::Format;
use crate::param::Param;

/// One value of Bind. The error is the message for the client.
pub(crate) fn param(
    value: Option<&[u8]>,
    data_type: &DataType,
    format: Format,
    timezone: &str,
) -> Result<Param, String> {
    match (value, format) {
        (None, _) => Ok(Param::Null),
        (Some(bytes), Format::Text) => {
            let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
            text::decode(text, data_type, timezone)
        }
        (Some(bytes), Format::Binary) => binary::decode(bytes, data_type),
    }
}

/// Lists and structs nest no deeper than this, so that no text exhausts the stack.
const MAX_DEPTH: usize = 64;

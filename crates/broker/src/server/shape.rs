//! The shapes of requests, to be walked over before the codec decodes them.
//!
//! The codec reserves memory for an array by the length that the client wrote, before it sees one element: nine bytes could ask
//! for a hundred gigabytes. So every request is walked first: each array must fit what is left of the request, and there is a
//! limit on elements altogether. A shape is a line of words in the protocol's order:
//!
//! - `1`, `2`, `4`, `8`, `16`: so many bytes; `s` a string, `b` bytes (both nullable);
//! - `[x]` an array of `x`, `{x …}` an array of structures, which end with tagged fields in flexible versions;
//! - `x@3+`, `x@1-4`: only in these versions.

/// A request does not have its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// It ends too early, or an array is longer than the rest of the request.
    #[error("the request is cut off or a length in it is wrong")]
    Length,
    /// It has more elements than a sane client sends.
    #[error("the request has more than {MAX_ELEMENTS} elements")]
    Elements,
}

/// Most array elements and tagged fields of one request.
const MAX_ELEMENTS: usize = 200_000;

struct Walk<'a> {
    rest: &'a [u8],
    version: i16,
    flexible: bool,
    elements: usize,
}

/// Checks the body of a request against its shape. The number of bytes behind its end: none, but librdkafka 2.12 pads the
/// Metadata request for all topics, so they are no error.
pub fn check(shape: &str, body: &[u8], version: i16, flexible: bool) -> Result<usize, ShapeError> {
    let words: Vec<&str> = shape.split_ascii_whitespace().collect();
    let mut walk = Walk {
        rest: body,
        version,
        flexible,
        elements: 0,
    };
    walk.fields(&words)?;
    if flexible {
        walk.tags()?;
    }
    Ok(walk.rest.len())
}

fn in_versions(range: &str, version: i16) -> bool {
    let number = |text: &str| text.parse::<i16>().unwrap_or(i16::MAX);
    match (range.strip_suffix('+'), range.split_once('-')) {
        (Some(from), _) => version >= number(from),
        (None, Some((from, to))) => (number(from)..=number(to)).contains(&version),
        (None, None) => version == number(range),
    }
}

/// The index behind the group that opens at `at`.
fn group_end(words: &[&str], at: usize) -> usize {
    let mut depth = 0usize;
    for (index, word) in words.iter().enumerate().skip(at) {
        match word.as_bytes()[0] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    words.len()
}

impl Walk<'_> {
    fn fields(&mut self, words: &[&str]) -> Result<(), ShapeError> {
        let mut at = 0;
        while at < words.len() {
            let end = group_end(words, at);
            let last = words[end - 1];
            let present = last
                .split_once('@')
                .is_none_or(|(_, range)| in_versions(range, self.version));
            if present {
                match words[at].split('@').next().unwrap_or_default() {
                    "s" => self.string()?,
                    "b" => self.bytes()?,
                    open @ ("{" | "[") => self.array(&words[at + 1..end - 1], open == "{")?,
                    width => {
                        let width = width.parse().map_err(|_| ShapeError::Length)?;
                        self.skip(width)?;
                    }
                }
            }
            at = end;
        }
        Ok(())
    }

    fn array(&mut self, words: &[&str], of_structures: bool) -> Result<(), ShapeError> {
        let length = if self.flexible {
            i64::from(self.varint()?) - 1
        } else {
            i64::from(self.int32()?)
        };
        let Some(length) = self.nullable(length)? else {
            return Ok(());
        };
        if length > self.rest.len() {
            return Err(ShapeError::Length);
        }
        self.count(length)?;
        for _ in 0..length {
            self.fields(words)?;
            if of_structures && self.flexible {
                self.tags()?;
            }
        }
        Ok(())
    }

    fn string(&mut self) -> Result<(), ShapeError> {
        let length = if self.flexible {
            i64::from(self.varint()?) - 1
        } else {
            i64::from(i16::from_be_bytes(self.take()?))
        };
        let length = self.nullable(length)?.unwrap_or(0);
        self.skip(length)
    }

    fn bytes(&mut self) -> Result<(), ShapeError> {
        let length = if self.flexible {
            i64::from(self.varint()?) - 1
        } else {
            i64::from(self.int32()?)
        };
        let length = self.nullable(length)?.unwrap_or(0);
        self.skip(length)
    }

    fn tags(&mut self) -> Result<(), ShapeError> {
        let fields = self.varint()? as usize;
        self.count(fields)?;
        for _ in 0..fields {
            self.varint()?;
            let length = self.varint()? as usize;
            self.skip(length)?;
        }
        Ok(())
    }

    fn nullable(&self, length: i64) -> Result<Option<usize>, ShapeError> {
        match length {
            -1 => Ok(None),
            length => usize::try_from(length)
                .map(Some)
                .map_err(|_| ShapeError::Length),
        }
    }

    fn count(&mut self, more: usize) -> Result<(), ShapeError> {
        self.elements = self.elements.saturating_add(more);
        if self.elements > MAX_ELEMENTS {
            Err(ShapeError::Elements)
        } else {
            Ok(())
        }
    }

    fn int32(&mut self) -> Result<i32, ShapeError> {
        Ok(i32::from_be_bytes(self.take()?))
    }

    fn varint(&mut self) -> Result<u32, ShapeError> {
        let mut value = 0u32;
        for shift in (0..35).step_by(7) {
            let [byte] = self.take()?;
            value |= u32::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(ShapeError::Length)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], ShapeError> {
        let (taken, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(ShapeError::Length)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn skip(&mut self, length: usize) -> Result<(), ShapeError> {
        self.rest = self.rest.get(length..).ok_or(ShapeError::Length)?;
        Ok(())
    }
}

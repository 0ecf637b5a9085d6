//! Checksums as dbt writes them: hexadecimal digits of a text's hash.

use md5::Digest;

/// MD5, 32 digits.
pub(crate) fn md5(text: &str) -> String {
    digits(&md5::Md5::digest(text.as_bytes()))
}

/// SHA-256, 64 digits.
pub(crate) fn sha256(text: &str) -> String {
    digits(&sha2::Sha256::digest(text.as_bytes()))
}

fn digits(hash: &[u8]) -> String {
    let digits = |byte: &u8| {
        [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
    };
    hash.iter().flat_map(digits).collect()
}

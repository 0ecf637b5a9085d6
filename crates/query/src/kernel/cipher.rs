//! Keyed hashes, AES, and what compares their results.

use aes::cipher::generic_array::GenericArray;
use aes::cipher::{BlockDecrypt, BlockEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use hmac::{Hmac, Mac};

use crate::error::QueryError;
use crate::value::Value;

type Out<'a> = Result<Value<'a>, QueryError>;

/// `hmac(key, data, hash [, prefix])`; with a prefix the result is that and the hash in hex.
pub(crate) fn hmac<'a>(a: &[Value<'a>]) -> Out<'a> {
    macro_rules! keyed {
        ($hash:ty) => {{
            let mut mac = <Hmac<$hash> as Mac>::new_from_slice(a[0].bytes())
                .map_err(|error| QueryError::parameter("secret", error))?;
            mac.update(a[1].bytes());
            mac.finalize().into_bytes().to_vec()
        }};
    }
    let code = match a[2].str() {
        "sha1" => keyed!(sha1::Sha1),
        "sha256" => keyed!(sha2::Sha256),
        other => {
            return Err(QueryError::Evaluation(format!(
                "Unsupported SHA type: {other}"
            )));
        }
    };
    let prefix = a.get(3).map_or("", Value::str);
    if prefix.is_empty() {
        return Ok(Value::Bytes(code.into()));
    }
    let written = format!("{prefix}{}", super::strings::hex(&code));
    Ok(Value::Bytes(written.into_bytes().into()))
}

const BLOCK: usize = 16;

enum Key {
    Aes128(Aes128),
    Aes192(Aes192),
    Aes256(Aes256),
}

/// What `aes-cbc/pad:pkcs` says. The first block of a chain is combined with zeros.
struct Cipher {
    key: Key,
    chained: bool,
    padded: bool,
}

impl Cipher {
    fn of(key: &[u8], mode: &str) -> Result<Self, QueryError> {
        let invalid = || {
            QueryError::parameter(
                "mode",
                format!("invalid mode: {mode}, expect pattern algorithm[-mode][/pad:padding]"),
            )
        };
        let rest = mode.strip_prefix("aes").ok_or_else(invalid)?;
        let (chained, rest) = match (rest.strip_prefix("-cbc"), rest.strip_prefix("-ecb")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => (true, rest),
        };
        let padded = match rest {
            "" | "/pad:pkcs" => true,
            "/pad:none" => false,
            _ => return Err(invalid()),
        };
        let wrong_key = |_| {
            QueryError::parameter(
                "key",
                format!("invalid key length: {}, expect 16, 24 or 32", key.len()),
            )
        };
        let key = match key.len() {
            24 => Aes192::new_from_slice(key).map(Key::Aes192),
            32 => Aes256::new_from_slice(key).map(Key::Aes256),
            _ => Aes128::new_from_slice(key).map(Key::Aes128),
        }
        .map_err(wrong_key)?;
        Ok(Self {
            key,
            chained,
            padded,
        })
    }

    fn encrypt_block(&self, block: &mut [u8]) {
        let block = GenericArray::from_mut_slice(block);
        match &self.key {
            Key::Aes128(key) => key.encrypt_block(block),
            Key::Aes192(key) => key.encrypt_block(block),
            Key::Aes256(key) => key.encrypt_block(block),
        }
    }

    fn decrypt_block(&self, block: &mut [u8]) {
        let block = GenericArray::from_mut_slice(block);
        match &self.key {
            Key::Aes128(key) => key.decrypt_block(block),
            Key::Aes192(key) => key.decrypt_block(block),
            Key::Aes256(key) => key.decrypt_block(block),
        }
    }

    fn encrypt(&self, data: &[u8]) -> Option<Vec<u8>> {
        let mut out = data.to_vec();
        if self.padded {
            let missing = BLOCK - out.len() % BLOCK;
            out.resize(out.len() + missing, missing as u8);
        } else if !out.len().is_multiple_of(BLOCK) {
            return None;
        }
        let mut before = [0; BLOCK];
        for block in out.chunks_exact_mut(BLOCK) {
            if self.chained {
                combine(block, &before);
            }
            self.encrypt_block(block);
            before.copy_from_slice(block);
        }
        Some(out)
    }

    fn decrypt(&self, data: &[u8]) -> Option<Vec<u8>> {
        if !data.len().is_multiple_of(BLOCK) || self.padded && data.is_empty() {
            return None;
        }
        let mut out = data.to_vec();
        let mut before = [0; BLOCK];
        for (block, code) in out.chunks_exact_mut(BLOCK).zip(data.chunks_exact(BLOCK)) {
            self.decrypt_block(block);
            if self.chained {
                combine(block, &before);
            }
            before.copy_from_slice(code);
        }
        if self.padded {
            let padding = *out.last()?;
            let length = out.len().checked_sub(usize::from(padding))?;
            let fits = (1..=BLOCK).contains(&usize::from(padding));
            if !fits || out[length..].iter().any(|byte| *byte != padding) {
                return None;
            }
            out.truncate(length);
        }
        Some(out)
    }
}

fn combine(block: &mut [u8], with: &[u8; BLOCK]) {
    for (byte, other) in block.iter_mut().zip(with) {
        *byte ^= other;
    }
}

/// `encrypt(data, key, mode)`
pub(crate) fn encrypt<'a>(a: &[Value<'a>]) -> Out<'a> {
    let found = Cipher::of(a[1].bytes(), a[2].str())?.encrypt(a[0].bytes());
    let found = found.ok_or_else(|| {
        QueryError::Evaluation("Encrypt stage, reason: wrong final block length".into())
    })?;
    Ok(Value::Bytes(found.into()))
}

/// `decrypt(data, key, mode)`
pub(crate) fn decrypt<'a>(a: &[Value<'a>]) -> Out<'a> {
    let found = Cipher::of(a[1].bytes(), a[2].str())?.decrypt(a[0].bytes());
    let found =
        found.ok_or_else(|| QueryError::Evaluation("Decrypt stage, reason: bad decrypt".into()))?;
    Ok(Value::Bytes(found.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::strings::hex;

    fn bytes(text: &str) -> Value<'_> {
        Value::Bytes(text.as_bytes().into())
    }

    /// RFC 2202 and RFC 4231, test case 2.
    #[test]
    fn keyed_hashes_are_those_of_the_standards() {
        let args = |hash| {
            [
                bytes("Jefe"),
                bytes("what do ya want for nothing?"),
                Value::text(hash),
            ]
        };
        let found = |hash| hex(hmac(&args(hash)).unwrap().bytes());
        assert_eq!(found("sha1"), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        assert_eq!(
            found("sha256"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert!(hmac(&args("md5")).is_err());
    }

    #[test]
    fn what_is_encrypted_comes_back() {
        for key in ["0123456789abcdef", "0123456789abcdef01234567"] {
            for mode in ["aes", "aes-cbc/pad:pkcs", "aes-ecb"] {
                let args = [bytes("hello, world"), bytes(key), Value::text(mode)];
                let code = encrypt(&args).unwrap();
                assert_eq!(code.bytes().len(), 16, "{mode}");
                let back = decrypt(&[code, bytes(key), Value::text(mode)]).unwrap();
                assert_eq!(back.bytes(), b"hello, world", "{mode}");
            }
        }
        let refused =
            |data, key, mode| encrypt(&[bytes(data), bytes(key), Value::text(mode)]).is_err();
        assert!(refused("abc", "0123456789abcdef", "aes/pad:none"));
        assert!(refused("abc", "short", "aes"));
        assert!(refused("abc", "0123456789abcdef", "des"));
    }

    /// FIPS 197, appendix C.1.
    #[test]
    fn a_block_is_that_of_the_standard() {
        let key: Vec<u8> = (0..16).collect();
        let data: Vec<u8> = (0..16).map(|i| i * 0x11).collect();
        let args = [
            Value::Bytes(data.into()),
            Value::Bytes(key.into()),
            Value::text("aes-ecb/pad:none"),
        ];
        assert_eq!(
            hex(encrypt(&args).unwrap().bytes()),
            "69c4e0d86a7b0430d8cdb78070b4c55a"
        );
    }
}

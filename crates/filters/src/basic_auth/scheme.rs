//! Hashed passwords, in the forms that `htpasswd`, `openssl passwd` and `/etc/shadow` write.

use bifrons_http::base64;
use md5::Md5;
use sha_crypt::{PasswordVerifier, ShaCrypt};
use sha1::{Digest, Sha1};

/// How a password is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// `{PLAIN}password`
    Plain,
    /// `{SHA}` and base64 of SHA-1.
    Sha,
    /// `{SSHA}` and base64 of SHA-1 over password and salt, and the salt.
    SaltedSha,
    /// `$apr1$salt$…`: Apache's MD5.
    Apr1,
    /// `$1$salt$…`: MD5-crypt.
    Md5,
    /// `$5$…` and `$6$…`: SHA-crypt with SHA-256 and SHA-512.
    ShaCrypt,
    /// `$2y$…` and its like.
    Bcrypt,
}

impl Scheme {
    /// The scheme of a hash.
    pub(super) fn of(hash: &str) -> Option<Self> {
        const STARTS: [(&str, Scheme); 10] = [
            ("{PLAIN}", Scheme::Plain),
            ("{SHA}", Scheme::Sha),
            ("{SSHA}", Scheme::SaltedSha),
            ("$apr1$", Scheme::Apr1),
            ("$1$", Scheme::Md5),
            ("$5$", Scheme::ShaCrypt),
            ("$6$", Scheme::ShaCrypt),
            ("$2y$", Scheme::Bcrypt),
            ("$2a$", Scheme::Bcrypt),
            ("$2b$", Scheme::Bcrypt),
        ];
        STARTS.iter().find(|(start, _)| hash.starts_with(start)).map(|(_, scheme)| *scheme)
    }

    /// Whether it takes some microseconds, and not a thousand times as many.
    pub(super) fn is_cheap(self) -> bool {
        matches!(self, Self::Plain | Self::Sha | Self::SaltedSha)
    }

    /// Whether the password is that of the hash; never where the hash is malformed.
    pub(super) fn verify(self, hash: &str, password: &[u8]) -> bool {
        match self {
            Self::Plain => hash.strip_prefix("{PLAIN}").is_some_and(|right| same(right.as_bytes(), password)),
            Self::Sha => {
                let right = hash.strip_prefix("{SHA}").and_then(|text| base64::decode(text.as_bytes()));
                right.is_some_and(|right| same(&right, &Sha1::digest(password)))
            }
            Self::SaltedSha => {
                let right = hash.strip_prefix("{SSHA}").and_then(|text| base64::decode(text.as_bytes()));
                let Some((right, salt)) = right.as_deref().and_then(|right| right.split_at_checked(20))
                else {
                    return false;
                };
                same(right, &Sha1::new().chain_update(password).chain_update(salt).finalize())
            }
            Self::Apr1 => verify_md5(hash, "$apr1$", password),
            Self::Md5 => verify_md5(hash, "$1$", password),
            Self::ShaCrypt => ShaCrypt::default().verify_password(password, hash).is_ok(),
            Self::Bcrypt => bcrypt::verify(password, hash).unwrap_or(false),
        }
    }
}

/// Compares in a time that does not depend on where they differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

fn verify_md5(hash: &str, magic: &str, password: &[u8]) -> bool {
    let Some((salt, right)) = hash.strip_prefix(magic).and_then(|rest| rest.split_once('$')) else {
        return false;
    };
    let salt = salt.get(..8).unwrap_or(salt);
    same(md5_crypt(magic, salt, password).as_bytes(), right.as_bytes())
}

/// Poul-Henning Kamp's MD5-crypt, as `crypt(3)` and Apache's `apr_md5_encode` have it; what follows the salt.
fn md5_crypt(magic: &str, salt: &str, password: &[u8]) -> String {
    let (magic, salt) = (magic.as_bytes(), salt.as_bytes());
    let inner = Md5::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut outer = Md5::new().chain_update(password).chain_update(magic).chain_update(salt);
    for at in (0..password.len()).step_by(16) {
        outer.update(inner.get(..(password.len() - at).min(16)).unwrap_or_default());
    }
    let mut length = password.len();
    while length > 0 {
        // The zero stands there by an oversight of the first version, and has to stay.
        outer.update(if length & 1 == 1 { &[0] } else { password.get(..1).unwrap_or_default() });
        length >>= 1;
    }
    let mut digest = outer.finalize();
    for round in 0..1000 {
        let mut next = Md5::new();
        next.update(if round & 1 == 1 { password } else { &digest[..] });
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(if round & 1 == 1 { &digest[..] } else { password });
        digest = next.finalize();
    }
    let byte = |at: usize| u32::from(digest.get(at).copied().unwrap_or(0));
    let mut text = String::new();
    for [high, middle, low] in [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]] {
        encode(byte(high) << 16 | byte(middle) << 8 | byte(low), 4, &mut text);
    }
    encode(byte(11), 2, &mut text);
    text
}

/// `crypt(3)`'s base64: the lowest six bits first.
fn encode(mut value: u32, digits: usize, text: &mut String) {
    const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for _ in 0..digits {
        text.push(char::from(DIGITS[(value & 63) as usize]));
        value >>= 6;
    }
}

#[cfg(test)]
mod tests;

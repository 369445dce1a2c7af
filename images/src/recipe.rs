//! What something is made of, as one hash: equal recipes give equal things.

use std::fmt;
use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// Everything that decides what comes out, one field after the other.
#[derive(Clone)]
pub(crate) struct Recipe(Sha256);

impl Recipe {
    /// A recipe of a kind; `revision` is raised when the code that follows it makes something else of it.
    pub(crate) fn new(kind: &str, revision: u32) -> Self {
        Self(Sha256::new())
            .with("kind", kind)
            .with("revision", revision.to_string())
    }

    /// Adds a field. Names and values carry their length, so that no two lists of fields look alike.
    pub(crate) fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        for part in [name.as_bytes(), value.as_ref()] {
            self.0.update((part.len() as u64).to_be_bytes());
            self.0.update(part);
        }
        self
    }

    /// Adds many values under one name, in their order.
    pub(crate) fn with_all<V: AsRef<[u8]>>(
        self,
        name: &str,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let mut recipe = self.with(name, "");
        for value in values {
            recipe = recipe.with(name, value);
        }
        recipe
    }

    pub(crate) fn key(self) -> Key {
        Key(hex(&self.0.finalize()))
    }
}

/// The hash of a [`Recipe`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key(String);

impl Key {
    /// Enough of it to tell recipes apart, short enough for a tag.
    pub(crate) fn short(&self) -> &str {
        &self.0[..12]
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The SHA-256 of all that can be read, and how much that was.
pub(crate) fn sha256(mut reader: impl Read) -> io::Result<(String, u64)> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    let mut size = 0;
    loop {
        let read = reader.read(&mut buffer)?;
        if read == 0 {
            return Ok((hex(&hasher.finalize()), size));
        }
        hasher.update(&buffer[..read]);
        size += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hashes_are_real_sha256() {
        let (digest, size) = sha256(&b"abc"[..]).unwrap();
        assert_eq!(size, 3);
        assert_eq!(
            digest,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    proptest! {
        #[test]
        fn moving_text_between_fields_changes_the_key(left in "[a-c]{0,4}", right in "[a-c]{0,4}", more in "[a-c]{1,3}") {
            let key = |a: &str, b: &str| Recipe::new("test", 1).with("a", a).with("b", b).key();
            let moved = key(&format!("{left}{more}"), &right);
            prop_assert_ne!(&moved, &key(&left, &format!("{more}{right}")));
            prop_assert_eq!(&moved, &key(&format!("{left}{more}"), &right));
        }
    }
}

//! kubeadm's bootstrap token: random per cluster, and never shown.

use std::fmt;

use rustix::rand::{GetRandomFlags, getrandom};

/// What a node may join with. `Debug` hides it; only [`expose`](Self::expose) does not.
#[derive(Clone)]
pub(crate) struct BootstrapToken(String);

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

impl BootstrapToken {
    /// A token from the kernel's random numbers.
    pub(crate) fn random() -> std::io::Result<Self> {
        let mut bytes = [0u8; 22];
        let mut filled = 0;
        while filled < bytes.len() {
            filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty())?;
        }
        // 32 letters divide 256, so each is as likely as another.
        let mut letters = bytes
            .iter()
            .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
        let id: String = letters.by_ref().take(6).collect();
        let secret: String = letters.collect();
        Ok(Self(format!("{id}.{secret}")))
    }

    /// The token itself, for kubeadm's configuration only.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BootstrapToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BootstrapToken(…)")
    }
}

const ID: usize = 6;
const SECRET: usize = 16;

/// A line with everything that looks like a bootstrap token, ours or not, hidden.
pub(crate) fn mask(line: &str) -> String {
    let is_letter = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = line.as_bytes();
    let mut out = String::with_capacity(line.len());
    let mut rest = 0;
    for (dot, _) in line.match_indices('.') {
        let Some(start) = dot.checked_sub(ID).filter(|start| *start >= rest) else {
            continue;
        };
        let end = dot + 1 + SECRET;
        let alone = (start == 0 || !is_letter(&bytes[start - 1]))
            && bytes.get(end).is_none_or(|byte| !is_letter(byte));
        if alone
            && end <= bytes.len()
            && bytes[start..dot].iter().all(is_letter)
            && bytes[dot + 1..end].iter().all(is_letter)
        {
            out.push_str(&line[rest..start]);
            out.push_str("[token]");
            rest = end;
        }
    }
    out.push_str(&line[rest..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tokens_have_kubeadms_form_and_differ() {
        let (one, other) = (
            BootstrapToken::random().unwrap(),
            BootstrapToken::random().unwrap(),
        );
        assert_ne!(one.expose(), other.expose());
        assert_eq!(mask(one.expose()), "[token]");
        assert!(!format!("{one:?}").contains(one.expose()));
    }

    #[test]
    fn ordinary_lines_stay() {
        for line in [
            "[init] Using Kubernetes version: v1.36.3",
            "kubeadm.k8s.io/v1beta4",
            "ü.abcdefabcdefabcd",
            "abcdef.0123456789abcdef0",
        ] {
            assert_eq!(mask(line), line);
        }
    }

    proptest! {
        #[test]
        fn no_token_survives(before in "\\PC{0,20}", token in "[a-z0-9]{6}\\.[a-z0-9]{16}", after in "\\PC{0,20}") {
            let line = format!("{before} {token} {after}");
            prop_assert!(!mask(&line).contains(&token));
        }
    }
}

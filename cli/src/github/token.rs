//! The token. It leaves this type for the client alone.

use std::fmt;

/// Secret text from the environment.
#[derive(Clone)]
pub(super) struct Token(String);

impl Token {
    /// Nothing when the text is empty.
    pub(super) fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// For the client.
    pub(super) fn secret(&self) -> String {
        self.0.clone()
    }

    /// What others said, without the token, should they have repeated it.
    pub(super) fn scrubbed(&self, text: &str) -> String {
        text.replace(&self.0, "***")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_shows_itself_to_nobody() {
        let token = Token::new(" abc123\n").unwrap();
        assert_eq!(format!("{token:?}"), "Token(***)");
        assert_eq!(token.scrubbed("bad token abc123."), "bad token ***.");
        assert!(Token::new(" \n").is_none());
    }
}

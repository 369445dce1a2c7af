//! Output that arrives in pieces, told on line by line.

use tokio::sync::mpsc::UnboundedSender;

use super::types::{OutputLine, Stream};

/// Collects one stream of a command and sends each line as soon as it is whole.
#[derive(Debug)]
pub(super) struct Lines {
    stream: Stream,
    to: Option<UnboundedSender<OutputLine>>,
    bytes: Vec<u8>,
    /// How much of `bytes` has been sent.
    sent: usize,
}

impl Lines {
    pub(super) fn new(stream: Stream, to: Option<UnboundedSender<OutputLine>>) -> Self {
        Self {
            stream,
            to,
            bytes: Vec::new(),
            sent: 0,
        }
    }

    pub(super) fn push(&mut self, piece: &[u8]) {
        let mut searched = self.bytes.len();
        self.bytes.extend_from_slice(piece);
        while let Some(end) = self.bytes[searched..]
            .iter()
            .position(|byte| *byte == b'\n')
        {
            let end = searched + end;
            self.send(end);
            self.sent = end + 1;
            searched = self.sent;
        }
    }

    /// Sends a last line that has no end, and returns all there was.
    pub(super) fn finish(mut self) -> String {
        if self.sent < self.bytes.len() {
            self.send(self.bytes.len());
        }
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    fn send(&mut self, end: usize) {
        let line = &self.bytes[self.sent..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let gone = self.to.as_ref().is_some_and(|to| {
            to.send(OutputLine {
                stream: self.stream,
                text: String::from_utf8_lossy(line).into_owned(),
            })
            .is_err()
        });
        if gone {
            self.to = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    fn told(pieces: &[&[u8]]) -> (Vec<String>, String) {
        let (to, mut from) = unbounded_channel();
        let mut lines = Lines::new(Stream::Out, Some(to));
        for piece in pieces {
            lines.push(piece);
        }
        let all = lines.finish();
        let mut texts = Vec::new();
        while let Ok(line) = from.try_recv() {
            texts.push(line.text);
        }
        (texts, all)
    }

    #[test]
    fn pieces_make_lines_and_a_last_one_needs_no_end() {
        let (lines, all) = told(&[b"a", b"b\r\nc\n", b"", b"\nd"]);
        assert_eq!(lines, ["ab", "c", "", "d"]);
        assert_eq!(all, "ab\r\nc\n\nd");
    }

    #[test]
    fn a_character_cut_in_two_is_whole_again() {
        let (lines, _) = told(&[b"\xc3", b"\xa9\n"]);
        assert_eq!(lines, ["é"]);
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_the_cuts(text in "[ab\n]{0,40}", cut in 0usize..40) {
            let cut = cut.min(text.len());
            let (whole, _) = told(&[text.as_bytes()]);
            let (cut, all) = told(&[&text.as_bytes()[..cut], &text.as_bytes()[cut..]]);
            prop_assert_eq!(&whole, &cut);
            prop_assert_eq!(whole, text.lines().map(str::to_owned).collect::<Vec<_>>());
            prop_assert_eq!(all, text);
        }
    }
}

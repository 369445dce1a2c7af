//! Text that came from outside, made fit for a report.

use std::borrow::Cow;
use std::time::Duration;

/// `text` as XML 1.0 can hold it in an attribute or a CDATA section: without terminal escape
/// sequences and characters XML forbids, with plain line ends, and with the end of a CDATA section
/// broken up.
#[must_use]
pub fn xml_text(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => escape_sequence(&mut chars),
            // The one-character form of ESC [.
            '\u{9b}' => control_sequence(&mut chars),
            '\r' => {
                chars.next_if_eq(&'\n');
                clean.push('\n');
            }
            c if is_xml(c) => clean.push(c),
            _ => {}
        }
    }
    // Last, because what was dropped may have stood in between.
    clean.replace("]]>", "]] >")
}

/// `Char` of XML 1.0, less the C1 controls, which it discourages and terminals obey.
fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\u{20}'..='\u{7e}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Skips what follows an ESC.
fn escape_sequence(chars: &mut Chars<'_>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            control_sequence(chars);
        }
        // Titles and links: up to BEL or ESC \. One that never ends is cut at the end of its line,
        // lest it swallow the rest of a log.
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(c) = chars.next_if(|c| *c != '\n') {
                if c == '\u{7}' {
                    break;
                }
                if c == '\u{1b}' {
                    chars.next_if_eq(&'\\');
                    break;
                }
            }
        }
        // Two-character sequences, and character sets with one more.
        Some('\u{20}'..='\u{7e}') => {
            while chars
                .next_if(|c| ('\u{20}'..='\u{2f}').contains(c))
                .is_some()
            {}
            chars.next_if(|c| ('\u{30}'..='\u{7e}').contains(c));
        }
        _ => {}
    }
}

/// Skips parameters and the final character of a control sequence.
fn control_sequence(chars: &mut Chars<'_>) {
    while chars
        .next_if(|c| ('\u{20}'..='\u{3f}').contains(c))
        .is_some()
    {}
    chars.next_if(|c| ('\u{40}'..='\u{7e}').contains(c));
}

/// `text` in one line: for attributes, table cells and headings.
#[must_use]
pub fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

/// The first line of `text` that is not empty.
#[must_use]
pub fn first_line(text: &str) -> &str {
    text.lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or("")
}

/// `text` in at most about `most` bytes: its head and its tail, with a line between them that
/// says how many bytes are left out.
#[must_use]
pub fn cap(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    // What led to a failure is mostly at the end.
    let head = text.floor_char_boundary(most / 4);
    let tail = text.ceil_char_boundary(text.len() - (most - most / 4));
    let left_out = tail - head;
    Cow::Owned(format!(
        "{}\n[… {left_out} bytes left out …]\n{}",
        &text[..head],
        &text[tail..]
    ))
}

/// What [`xml_text`] makes of `text`, in at most about `most` bytes, as [`cap`] cuts. Only what is kept is
/// looked at: logs can be large.
#[must_use]
pub fn excerpt(text: &str, most: usize) -> String {
    if text.len() <= most {
        return xml_text(text);
    }
    let head = text.floor_char_boundary(most / 4);
    let tail = text.ceil_char_boundary(text.len() - (most - most / 4));
    // A line that is cut may begin within an escape sequence.
    let line = text[tail..]
        .find('\n')
        .filter(|skipped| *skipped < most / 4);
    let tail = line.map_or(tail, |skipped| tail + skipped + 1);
    format!(
        "{}\n[… {} bytes left out …]\n{}",
        xml_text(&text[..head]),
        tail - head,
        xml_text(&text[tail..])
    )
}

/// A duration as a person reads it.
#[must_use]
pub fn duration(time: Duration) -> String {
    let tenths = (time.as_millis() + 50) / 100;
    let (seconds, tenth) = (tenths / 10, tenths % 10);
    match seconds {
        0..60 => format!("{seconds}.{tenth} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// An amount of bytes as a person reads it.
#[must_use]
pub fn bytes(count: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1 << 10 {
        return format!("{count} B");
    }
    // Tenths of the largest unit that leaves a whole number.
    let power = (count.ilog2() / 10).min(4);
    let tenths = (u128::from(count) * 10) >> (10 * power);
    let unit = units[power as usize - 1];
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escape_sequences_go_and_text_stays() {
        for (dirty, clean) in [
            ("\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("\u{9b}31mred", "red"),
            ("\u{1b}]0;title\u{7}text", "text"),
            ("\u{1b}]8;;http://x\u{1b}\\link", "link"),
            ("\u{1b}]never ends\nnext", "\nnext"),
            ("\u{1b}(Bplain\u{1b}7", "plain"),
            ("a\u{1b}", "a"),
            ("a\u{1b}é", "aé"),
            ("a\0\u{8}b\r\nc\rd\te\u{fffe}\u{7f}", "ab\nc\nd\te"),
            ("x]]>y]]]>z", "x]] >y]]] >z"),
            ("]]\0>", "]] >"),
            ("]\u{1b}[m]\u{1b}[m>", "]] >"),
            ("– ünïcode 🦀", "– ünïcode 🦀"),
        ] {
            assert_eq!(xml_text(dirty), clean, "{dirty:?}");
        }
    }

    #[test]
    fn long_text_keeps_head_and_tail() {
        assert_eq!(cap("short", 5), "short");
        let text = format!("{}{}", "a".repeat(50), "z".repeat(50));
        assert_eq!(
            cap(&text, 20),
            format!(
                "{}\n[… 80 bytes left out …]\n{}",
                "a".repeat(5),
                "z".repeat(15)
            )
        );
        assert!(cap(&"é".repeat(50), 21).contains("left out"));
    }

    #[test]
    fn excerpts_are_clean_and_begin_with_a_line() {
        assert_eq!(excerpt("\u{1b}[1mshort", 9), "short");
        let text = format!("{}\n{}", "a\0".repeat(50), "z".repeat(12));
        assert_eq!(
            excerpt(&text, 20),
            "aaa\n[… 96 bytes left out …]\nzzzzzzzzzzzz"
        );
    }

    #[test]
    fn durations_are_readable() {
        let of = |ms| duration(Duration::from_millis(ms));
        assert_eq!(
            [of(0), of(49), of(12_345), of(59_960)],
            ["0.0 s", "0.0 s", "12.3 s", "1 min 00 s"]
        );
        assert_eq!([of(185_000), of(7_260_000)], ["3 min 05 s", "2 h 01 min"]);
    }

    #[test]
    fn bytes_are_readable() {
        let shown = [0, 1023, 1024, 1536, 5 << 30, u64::MAX].map(bytes);
        assert_eq!(shown[..3], ["0 B", "1023 B", "1.0 KiB"]);
        assert_eq!(shown[3..5], ["1.5 KiB", "5.0 GiB"]);
        assert_eq!(shown[5], "16777215.9 TiB");
    }

    proptest! {
        #[test]
        fn clean_text_stays_as_it_is(text in "([a-z \t\n<>&\"']|\\PC){0,60}") {
            let once = xml_text(&text);
            prop_assert_eq!(xml_text(&once), once);
        }

        #[test]
        fn nothing_forbidden_is_left(text in any::<String>()) {
            let text = xml_text(&text);
            prop_assert!(text.chars().all(is_xml));
            prop_assert!(!text.contains("]]>"));
        }

        #[test]
        fn an_excerpt_is_a_capped_clean_text(text in any::<String>(), most in 0usize..300) {
            let short = excerpt(&text, most);
            prop_assert!(short.chars().all(is_xml) && !short.contains("]]>"));
            // Each end of a CDATA section becomes one byte longer.
            prop_assert!(short.len() <= most + most / 3 + 60, "{}", short.len());
        }

        #[test]
        fn a_cap_is_kept(text in any::<String>(), most in 0usize..300) {
            prop_assert!(cap(&text, most).len() <= most + 60);
        }
    }
}

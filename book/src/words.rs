//! Text of the program's as Markdown.

/// Text whose code in backquotes stays, and whose other signs mean themselves.
pub(crate) fn prose(text: &str) -> String {
    let mut out = String::new();
    let mut code = false;
    for sign in text.chars() {
        match sign {
            '`' => code = !code,
            '<' if !code => {
                out.push_str("&lt;");
                continue;
            }
            '*' | '_' | '[' | ']' | '|' if !code => out.push('\\'),
            _ => {}
        }
        out.push(sign);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_mean_themselves_outside_of_code() {
        assert_eq!(prose("a <B> `<c>` [d] e_f"), "a &lt;B> `<c>` \\[d\\] e\\_f");
    }
}
